"""What a GPU probe offers, and the state of one GPU over time: last readings, their age and health."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from typing import Protocol

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import RunLimits, is_hot
from backprop_tui.domain.telemetry import UNKNOWN_PREFIX, GpuHealth, GpuProcess, GpuReading, is_stale
from backprop_tui.processes.hanging_call import HangingCall, Pending


class ProbeUnavailable(BackpropError):
    """A probe cannot measure; the message says why and what to do.

    `absent` means that the machine has no such driver, tool or card, which is not a fault.
    """

    def __init__(self, problem: str, *, absent: bool = False) -> None:
        super().__init__(problem)
        self.problem = problem
        self.absent = absent


class GpuProbe(Protocol):
    """One way to measure GPUs. A probe may be reopened after it was closed and keeps what it knows."""

    @property
    def name(self) -> str:
        """The name that `--gpu-probe` takes."""

    def open(self) -> None:
        """Prepares for measuring, within the probe's own time limit. Raises: ProbeUnavailable."""

    def read(self, seconds: float) -> tuple[GpuReading, ...]:
        """Measures all GPUs, by index, in about `seconds` at most; a GPU that takes longer keeps its last reading.

        Raises:
            ProbeUnavailable: the driver or tool is gone or broken as a whole.
        """

    def close(self) -> None:
        """Releases the resources of `open`, unless that would hang."""


NOT_RESPONDING = "the driver does not respond"
DEFAULT_HOT_CELSIUS = RunLimits().gpu_max_temp_celsius


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GpuAnswer:
    """The metrics that a GPU returned.

    A metric that the GPU does not have is None. A metric that could not be read is None and listed in `failures` with
    the reason; its last value is then kept and ages. `hot_at_celsius` is the manufacturer's limit, None if there is
    none. `warning` is a message to show although nothing failed.
    """

    uuid: str
    name: str
    temperature_celsius: float | None = None
    utilization_percent: float | None = None
    memory_total_bytes: int | None = None
    memory_used_bytes: int | None = None
    power_watts: float | None = None
    power_limit_watts: float | None = None
    fan_percent: float | None = None
    processes: tuple[GpuProcess, ...] = ()
    hot_at_celsius: float | None = None
    failures: Mapping[str, str] = field(default_factory=dict)
    warning: str | None = None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GpuLost:
    """The GPU has fallen off the bus, or its device is gone."""

    problem: str


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GpuFailed:
    """The GPU returned no metrics this time, or has not answered yet."""

    problem: str


GpuOutcome = GpuAnswer | GpuLost | GpuFailed

# The fields that an answer and a reading have in common, besides UUID and name.
_METRICS = (
    *("temperature_celsius", "utilization_percent", "memory_total_bytes", "memory_used_bytes"),
    *("power_watts", "power_limit_watts", "fan_percent", "processes"),
)

# The governor's decisions depend on these: if one fails, the reading is as old as its last value. Others are just None.
VITAL = frozenset({"temperature", "memory"})


class GpuRecord:
    """State of one GPU; times are monotonic."""

    def __init__(self, index: int, *, sample_seconds: float, previous: tuple[GpuReading, float] | None = None) -> None:
        """`previous` is a reading of an earlier process with its time, so that an unresponsive GPU keeps its name."""
        self.index = index
        self._sample_seconds = sample_seconds
        self._last = GpuAnswer(uuid=f"{UNKNOWN_PREFIX}{index}", name="unknown")
        self._measured_at: float | None = None
        self._problem: str | None = None
        self._lost = False
        if previous is not None:
            reading, self._measured_at = previous
            metrics = {name: getattr(reading, name) for name in _METRICS}
            self._last = GpuAnswer(uuid=reading.uuid, name=reading.name, **metrics)

    def update(self, outcome: GpuOutcome, *, now: float) -> None:
        match outcome:
            case GpuAnswer():
                self._update_metrics(outcome, now)
            case GpuLost():
                self._lost, self._problem = True, outcome.problem
            case GpuFailed():
                self._problem = outcome.problem

    def reading(self, now: float) -> GpuReading:
        """Returns the current reading, with health and age."""
        last, health = self._last, self._health(now)
        metrics = ("memory_total_bytes",) if health is GpuHealth.LOST else _METRICS
        return GpuReading(
            index=self.index,
            uuid=last.uuid,
            name=last.name,
            health=health,
            age_seconds=0.0 if self._measured_at is None else round(max(0.0, now - self._measured_at), 3),
            problem=self._problem or (NOT_RESPONDING if health is GpuHealth.STALE else None),
            **{name: getattr(last, name) for name in metrics},
        )

    def _update_metrics(self, answer: GpuAnswer, now: float) -> None:
        self._lost = False
        failed = [name for name in answer.failures if name in VITAL]
        self._problem = _describe_failures(answer.failures) or answer.warning
        if "temperature" in failed:
            answer = replace(answer, temperature_celsius=self._last.temperature_celsius)
        if "memory" in failed:
            total, used = self._last.memory_total_bytes, self._last.memory_used_bytes
            answer = replace(answer, memory_total_bytes=total, memory_used_bytes=used)
        self._last = answer
        if not failed:
            self._measured_at = now

    def _health(self, now: float) -> GpuHealth:
        if self._lost:
            return GpuHealth.LOST
        if self._measured_at is None:
            return GpuHealth.UNKNOWN
        if is_stale(now - self._measured_at, self._sample_seconds):
            return GpuHealth.STALE
        limits = [limit for limit in (DEFAULT_HOT_CELSIUS, self._last.hot_at_celsius) if limit is not None]
        return GpuHealth.HOT if is_hot(self._last.temperature_celsius, min(limits)) else GpuHealth.OK


def _describe_failures(failures: Mapping[str, str]) -> str | None:
    return "; ".join(f"{name} not readable: {problem}" for name, problem in failures.items()) or None


SLOW_AFTER_SECONDS = 1.0  # a GPU that takes longer is reported as not responding, even before its readings are stale


class GpuPoller:
    """The record of a GPU and the call that updates it, in a thread of its own."""

    def __init__(self, record: GpuRecord, query: Callable[[], GpuOutcome]) -> None:
        self.record = record
        self.call = HangingCall(query, name=f"gpu-{record.index}")

    def collect(self, deadline: float) -> GpuReading:
        """Waits for the query until `deadline` (monotonic); returns the current reading. Raises: ProbeUnavailable."""
        try:
            outcome = self.call.take(deadline - time.monotonic())
        except ProbeUnavailable:
            raise
        except Exception as error:  # noqa: BLE001, an error of a driver binding affects only this GPU
            outcome = GpuFailed(problem=f"{type(error).__name__}: {error}")
        now = time.monotonic()
        if not isinstance(outcome, Pending):
            self.record.update(outcome, now=now)
        elif outcome.seconds >= SLOW_AFTER_SECONDS:
            self.record.update(GpuFailed(problem=NOT_RESPONDING), now=now)
        return self.record.reading(now)


def poll_all(pollers: Sequence[GpuPoller], seconds: float) -> tuple[GpuReading, ...]:
    """Queries all GPUs in parallel, in about `seconds` at most.

    Raises:
        ProbeUnavailable: no GPU can be queried any more; answers that arrived are recorded.
    """
    deadline = time.monotonic() + seconds
    for poller in pollers:
        poller.call.start()
    readings: list[GpuReading] = []
    unavailable: ProbeUnavailable | None = None
    for poller in pollers:
        try:
            readings.append(poller.collect(deadline))
        except ProbeUnavailable as error:
            unavailable = error
    if unavailable is not None:
        raise unavailable
    return tuple(readings)
