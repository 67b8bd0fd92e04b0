"""Keeps GPU readings coming: opens a probe, opens it anew when the driver comes back, and never waits for long."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from backprop_tui.domain.governor.freshness import is_stale
from backprop_tui.domain.telemetry import GpuHealth, GpuReading
from backprop_tui.probes.auto import Choice
from backprop_tui.probes.gpu_probe import ProbeUnavailable
from backprop_tui.probes.ownership import Owners
from backprop_tui.probes.patience import PatientCall, Unanswered

BROKEN_RETRY_SECONDS = 5.0
ABSENT_RETRY_SECONDS = 60.0
FIRST_ANSWER_SECONDS = 5.0  # a GPU that has not answered this long after opening is silent, not just slow


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSample:
    """The GPUs at one moment; `known` is False until it is settled which there are."""

    gpus: tuple[GpuReading, ...] = ()
    probe: str
    problem: str | None = None
    passed_over: Mapping[str, str] = field(default_factory=dict)
    known: bool = True


class GpuKeeper:
    """Reads through the chosen probe; what was measured last stays visible, as stale, while there is none."""

    def __init__(self, requested: str, choose: Callable[[], Choice], *, sample_seconds: float, owners: Owners) -> None:
        """`choose` may take long or hang: it is called in a thread."""
        self._requested = requested
        self._choose = choose
        self._sample_seconds = sample_seconds
        self._owners = owners
        self._opening = PatientCall(self._open, name="probe-open")
        self._choice: Choice | None = None
        self._failure: str | None = None
        self._chosen_at = self._retry_at = 0.0
        self._last: tuple[GpuReading, ...] = ()
        self._last_at = 0.0

    def read(self, seconds: float) -> GpuSample:
        """What is known in about this many seconds at most; never raises for what a driver does."""
        deadline = time.monotonic() + seconds
        self._keep_open(deadline)
        choice = self._choice
        if choice is None:
            return GpuSample(probe=self._requested, known=False)
        if self._failure is None:
            try:
                gpus = choice.probe.read(deadline - time.monotonic())
            except ProbeUnavailable as error:
                self._fail(error.problem)
            else:
                self._last, self._last_at = self._owners.name(gpus), time.monotonic()
        return GpuSample(
            gpus=self._last if self._failure is None else self._aged(),
            probe=choice.name,
            problem=self._failure,
            passed_over=choice.passed_over,
            known=self._is_known(),
        )

    def _keep_open(self, deadline: float) -> None:
        if self._choice is None or self._opening.pending or time.monotonic() >= self._retry_at:
            self._opening.ask()
            # Only the first reading waits for a probe: later ones have something to show meanwhile.
            found = self._opening.take(deadline - time.monotonic() if self._choice is None else 0.0)
            if not isinstance(found, Unanswered):
                self._adopt(found)

    def _open(self) -> Choice:
        """In its own thread."""
        if self._choice is not None:
            self._choice.probe.close()
        return self._choose()

    def _adopt(self, choice: Choice) -> None:
        now = time.monotonic()
        works = choice.name not in choice.passed_over and choice.problem is None
        failure = choice.problem
        if self._last and choice.probe.name == "none":
            # There were GPUs, so that a driver which is not there any more is a fault.
            failure = failure or next(iter(choice.passed_over.values()), "the driver is gone")
            choice = replace(choice, name=self._choice.name if self._choice else choice.name)
        self._choice, self._failure, self._chosen_at = choice, failure, now
        if failure is not None:
            self._retry_at = now + BROKEN_RETRY_SECONDS
        elif works and choice.probe.name != "none":
            self._retry_at = float("inf")
        else:
            self._retry_at = now + ABSENT_RETRY_SECONDS

    def _fail(self, problem: str) -> None:
        self._failure = problem
        self._retry_at = time.monotonic() + BROKEN_RETRY_SECONDS

    def _aged(self) -> tuple[GpuReading, ...]:
        passed = time.monotonic() - self._last_at
        return tuple(self._older(gpu, gpu.age_seconds + passed) for gpu in self._last)

    def _older(self, gpu: GpuReading, age_seconds: float) -> GpuReading:
        answered = gpu.health in (GpuHealth.OK, GpuHealth.HOT)
        stale = answered and is_stale(age_seconds, self._sample_seconds)
        return replace(
            gpu,
            health=GpuHealth.STALE if stale else gpu.health,
            age_seconds=round(age_seconds, 3),
            problem=gpu.problem or self._failure,
        )

    def _is_known(self) -> bool:
        """Not while a GPU that was just found may still answer for the first time."""
        settled = all(gpu.health is not GpuHealth.UNKNOWN or gpu.problem for gpu in self._last)
        return settled or time.monotonic() - self._chosen_at >= FIRST_ANSWER_SECONDS
