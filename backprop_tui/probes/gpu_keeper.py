"""Keeps GPU readings coming: opens a probe, reopens it after a failure, and never blocks for long."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import field, replace

from backprop_tui.domain.governor.freshness import is_stale
from backprop_tui.domain.telemetry import GpuHealth, GpuReading
from backprop_tui.domain.values import dataclass
from backprop_tui.probes.auto import NONE, ProbeChoice
from backprop_tui.probes.gpu_probe import ProbeUnavailable
from backprop_tui.probes.none import NoneProbe
from backprop_tui.probes.ownership import ProcessOwners
from backprop_tui.processes.hanging_call import HangingCall, Pending

BROKEN_RETRY_SECONDS = 5.0
ABSENT_RETRY_SECONDS = 60.0
FIRST_ANSWER_SECONDS = 5.0  # a GPU without an answer this long after opening is unresponsive, not just slow


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSample:
    """The GPUs at one point in time; `known` is False until it is certain which GPUs there are."""

    gpus: tuple[GpuReading, ...] = ()
    probe: str
    problem: str | None = None
    passed_over: Mapping[str, str] = field(default_factory=dict)
    known: bool = True


class GpuMonitor:
    """Reads the selected probe; while it does not work, the last readings remain visible as stale.

    An exception of a probe never propagates: it becomes the sample's `problem`, so that the host is still measured.
    """

    def __init__(
        self,
        requested: str,
        choose: Callable[[], ProbeChoice],
        *,
        sample_seconds: float,
        owners: ProcessOwners,
        previous: tuple[tuple[GpuReading, ...], float] = ((), 0.0),
    ) -> None:
        """`choose` may hang and is called in a thread. `previous` are the last readings of an earlier process."""
        self._requested = requested
        self._choose = choose
        self._sample_seconds = sample_seconds
        self._owners = owners
        self._opening = HangingCall(self._open, name="probe-open")
        self._choice: ProbeChoice | None = None
        self._failure: str | None = None
        self._chosen_at = self._retry_at = 0.0
        self._last, self._last_at = previous

    def read(self, seconds: float) -> GpuSample:
        """The current sample; takes about `seconds` at most."""
        deadline = time.monotonic() + seconds
        self._keep_open(deadline)
        choice = self._choice
        if choice is None:
            return GpuSample(probe=self._requested, known=False)
        if self._failure is None:
            self._read_probe(choice, deadline - time.monotonic())
        return GpuSample(
            gpus=self._last if self._failure is None else self._aged_readings(),
            probe=choice.name,
            problem=self._failure,
            passed_over=choice.passed_over,
            known=self._is_known(),
        )

    def _keep_open(self, deadline: float) -> None:
        if self._choice is None or self._opening.pending or time.monotonic() >= self._retry_at:
            self._opening.start()
            # Only the first reading waits for the probe; later ones have the last readings to show.
            choice = self._opening.take(deadline - time.monotonic() if self._choice is None else 0.0)
            if not isinstance(choice, Pending):
                self._use(choice)

    def _open(self) -> ProbeChoice:
        """Close and reopen; called in a thread."""
        try:
            if self._choice is not None:
                self._choice.probe.close()
            return self._choose()
        except Exception as error:  # noqa: BLE001, see the class
            return ProbeChoice(probe=NoneProbe(), name=self._requested, problem=_describe_exception(error))

    def _read_probe(self, choice: ProbeChoice, seconds: float) -> None:
        try:
            gpus = self._owners.name(choice.probe.read(seconds))
        except Exception as error:  # noqa: BLE001, see the class
            self._failure = error.problem if isinstance(error, ProbeUnavailable) else _describe_exception(error)
            self._retry_at = time.monotonic() + BROKEN_RETRY_SECONDS
        else:
            self._last, self._last_at = gpus, time.monotonic()

    def _use(self, choice: ProbeChoice) -> None:
        failure = choice.problem
        measures = choice.probe.name != NONE
        if self._last and not measures and failure is None:
            # There were GPUs before, so a missing driver is a fault.
            failure = next(iter(choice.passed_over.values()), "the driver is gone")
            choice = replace(choice, name=next(iter(choice.passed_over), choice.name))
        now = time.monotonic()
        self._choice, self._failure, self._chosen_at = choice, failure, now
        if failure is not None:
            self._retry_at = now + BROKEN_RETRY_SECONDS
        else:
            self._retry_at = float("inf") if measures else now + ABSENT_RETRY_SECONDS

    def _aged_readings(self) -> tuple[GpuReading, ...]:
        elapsed = time.monotonic() - self._last_at
        return tuple(self._with_age(gpu, gpu.age_seconds + elapsed) for gpu in self._last)

    def _with_age(self, gpu: GpuReading, age_seconds: float) -> GpuReading:
        answered = gpu.health in (GpuHealth.OK, GpuHealth.HOT)
        stale = answered and is_stale(age_seconds, self._sample_seconds)
        return replace(
            gpu,
            health=GpuHealth.STALE if stale else gpu.health,
            age_seconds=round(age_seconds, 3),
            problem=gpu.problem or self._failure,
        )

    def _is_known(self) -> bool:
        """False while a newly found GPU may still give its first answer."""
        settled = all(gpu.health is not GpuHealth.UNKNOWN or gpu.problem for gpu in self._last)
        return settled or time.monotonic() - self._chosen_at >= FIRST_ANSWER_SECONDS


def _describe_exception(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
