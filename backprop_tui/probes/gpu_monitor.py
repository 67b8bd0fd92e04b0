"""Chooses a GPU probe, reopens it when the driver comes back, and never waits long for it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.telemetry import GpuHealth, GpuReading, is_stale
from backprop_tui.probes.gpu_record import GpuProbe, ProbeUnavailable
from backprop_tui.probes.ownership import ProcessOwners
from backprop_tui.processes.hanging_call import HangingCall, Pending


class NoneProbe:
    name = "none"

    def open(self) -> None:
        pass

    def read(self, _seconds: float) -> tuple[GpuReading, ...]:
        return ()

    def close(self) -> None:
        pass


AUTO = "auto"
NONE = "none"
PROBE_ORDER = ("nvml", "nvidia-smi", "amd")
# Integrated graphics share the RAM and are not used for training unless requested.
MIN_VRAM_BYTES = 2_000_000_000

ProbeFactories = Mapping[str, Callable[[], GpuProbe]]


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ProbeChoice:
    """The selected probe, and in `passed_over` why each probe before it was not selected.

    `problem` is set if a probe that should work does not: then `name` is that probe, and no GPU is measured.
    """

    probe: GpuProbe
    name: str
    problem: str | None = None
    passed_over: Mapping[str, str] = field(default_factory=dict)


class ProbeSelector:
    """Creates each probe only once, so that after a hang in `open` the next attempt continues waiting for it."""

    def __init__(self, requested: str, factories: ProbeFactories, order: Sequence[str] = PROBE_ORDER) -> None:
        """Selects `requested`, a key of `factories`, or for `auto` the first in `order` that works."""
        self._names = tuple(order) if requested == AUTO else (requested,)
        self._requested = requested
        self._factories = factories
        self._probes: dict[str, GpuProbe] = {}

    def choose(self) -> ProbeChoice:
        """Opens the first probe that can be opened; may take as long as the sum of their time limits."""
        passed_over: dict[str, str] = {}
        broken: str | None = None
        for name in self._names:
            if name not in self._probes:
                self._probes[name] = self._factories[name]()
            probe = self._probes[name]
            try:
                probe.open()
            except ProbeUnavailable as error:
                passed_over[name] = error.problem
                if broken is None and (not error.absent or self._requested != AUTO):
                    broken = name
                continue
            return ProbeChoice(probe=probe, name=name, passed_over=passed_over)
        problem = None if broken is None else passed_over[broken]
        return ProbeChoice(probe=NoneProbe(), name=broken or NONE, problem=problem, passed_over=passed_over)


def probe_factories(
    requested: str, *, sample_seconds: float, previous: Mapping[int, tuple[GpuReading, float]] | None = None
) -> ProbeFactories:
    """Returns the factories of all probes; each imports its module when called. For `previous` see NvmlProbe."""

    def nvml() -> GpuProbe:
        from backprop_tui.probes.nvml import NvmlProbe

        return NvmlProbe(sample_seconds=sample_seconds, previous=previous)

    def nvidia_smi() -> GpuProbe:
        from backprop_tui.probes.nvidia_smi import NvidiaSmiProbe

        return NvidiaSmiProbe(sample_seconds=sample_seconds, previous=previous)

    def amd() -> GpuProbe:
        from backprop_tui.probes.amd import AmdProbe

        return AmdProbe(sample_seconds=sample_seconds, min_vram_bytes=MIN_VRAM_BYTES if requested == AUTO else 0)

    def simulated() -> GpuProbe:
        from backprop_tui.probes.simulated import LoadScanner, SimulatedProbe

        return SimulatedProbe(os.environ, LoadScanner())

    return {"nvml": nvml, "nvidia-smi": nvidia_smi, "amd": amd, "simulated": simulated, NONE: NoneProbe}


BROKEN_RETRY_SECONDS = 5.0
ABSENT_RETRY_SECONDS = 60.0
FIRST_ANSWER_SECONDS = 5.0  # a GPU without an answer this long after opening is unresponsive, not just slow


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
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
        """Returns the current sample; takes about `seconds` at most."""
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
        """Closes the probe and chooses again; called in a thread."""
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
        aged = []
        for gpu in self._last:
            age = gpu.age_seconds + elapsed
            answered = gpu.health in (GpuHealth.OK, GpuHealth.HOT)
            health = GpuHealth.STALE if answered and is_stale(age, self._sample_seconds) else gpu.health
            aged.append(replace(gpu, health=health, age_seconds=round(age, 3), problem=gpu.problem or self._failure))
        return tuple(aged)

    def _is_known(self) -> bool:
        """False while a newly found GPU may still give its first answer."""
        settled = all(gpu.health is not GpuHealth.UNKNOWN or gpu.problem for gpu in self._last)
        return settled or time.monotonic() - self._chosen_at >= FIRST_ANSWER_SECONDS


def _describe_exception(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
