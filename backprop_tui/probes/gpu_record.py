"""What is known of one GPU over time: its last figures, how old they are, and whether it can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace

from backprop_tui.domain.governor.freshness import is_stale
from backprop_tui.domain.governor.heat import is_hot
from backprop_tui.domain.limits import RunLimits
from backprop_tui.domain.telemetry import GpuHealth, GpuProcess, GpuReading
from backprop_tui.domain.values import dataclass

UNKNOWN_PREFIX = "unknown-"  # of what stands for the UUID of a GPU that has never answered
SILENT = "the driver does not answer"
DEFAULT_HOT_CELSIUS = RunLimits().gpu_max_temp_celsius


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuAnswer:
    """What a GPU answered.

    A figure that it does not have is None. One that it has and failed to give is None and named in `failures` with the
    reason: then the figure before stands, and ages. `hot_at_celsius` is its maker's limit, None where it names none.
    `remark` is worth telling though nothing failed.
    """

    uuid: str
    name: str
    temperature_celsius: float | None = None
    utilization_percent: float | None = None
    memory_total_bytes: int | None = None
    memory_used_bytes: int | None = None
    power_watts: float | None = None
    fan_percent: float | None = None
    processes: tuple[GpuProcess, ...] = ()
    hot_at_celsius: float | None = None
    failures: Mapping[str, str] = field(default_factory=dict)
    remark: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuLost:
    """It has fallen off the bus, or its device is gone."""

    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuFailed:
    """It gave no figure at all this time, or has not answered yet."""

    problem: str


GpuOutcome = GpuAnswer | GpuLost | GpuFailed

# Decisions rest on these: where one fails, the reading is as old as its last good value. Others are just missing.
VITAL = frozenset({"temperature", "memory"})


class GpuRecord:
    """Follows one GPU; the caller's clock is monotonic."""

    def __init__(self, index: int, *, sample_seconds: float, before: tuple[GpuReading, float] | None = None) -> None:
        """`before` is a reading of an earlier process and when it was measured, so that a silent GPU keeps its name."""
        self.index = index
        self._sample_seconds = sample_seconds
        self._last = GpuAnswer(uuid=f"{UNKNOWN_PREFIX}{index}", name="unknown")
        self._measured_at: float | None = None
        self._problem: str | None = None
        self._lost = False
        if before is not None:
            reading, self._measured_at = before
            self._last = _answer_of(reading)

    @property
    def uuid(self) -> str:
        """Its UUID, or what stands for it while it has never answered."""
        return self._last.uuid

    @property
    def answered(self) -> bool:
        """Whether there was ever an outcome that says something: figures, or that it is lost."""
        return self._measured_at is not None or self._lost or self._problem is not None

    def note(self, outcome: GpuOutcome, *, now: float) -> None:
        """What came of asking it."""
        match outcome:
            case GpuAnswer():
                self._take_in(outcome, now)
            case GpuLost():
                self._lost, self._problem = True, outcome.problem
            case GpuFailed():
                self._problem = outcome.problem

    def reading(self, now: float) -> GpuReading:
        """It as it is known now."""
        last = self._last
        health = self._health(now)
        known = GpuReading(
            index=self.index,
            uuid=last.uuid,
            name=last.name,
            health=health,
            memory_total_bytes=last.memory_total_bytes,
            age_seconds=0.0 if self._measured_at is None else round(max(0.0, now - self._measured_at), 3),
            problem=self._problem or (SILENT if health is GpuHealth.STALE else None),
        )
        if health is GpuHealth.LOST:
            return known
        return replace(
            known,
            temperature_celsius=last.temperature_celsius,
            utilization_percent=last.utilization_percent,
            memory_used_bytes=last.memory_used_bytes,
            power_watts=last.power_watts,
            fan_percent=last.fan_percent,
            processes=last.processes,
        )

    def _take_in(self, answer: GpuAnswer, now: float) -> None:
        self._lost = False
        failed = [name for name in answer.failures if name in VITAL]
        self._problem = _words(answer.failures) or answer.remark
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


def _words(failures: Mapping[str, str]) -> str | None:
    return "; ".join(f"{name} not readable: {problem}" for name, problem in failures.items()) or None


def _answer_of(reading: GpuReading) -> GpuAnswer:
    return GpuAnswer(
        uuid=reading.uuid,
        name=reading.name,
        temperature_celsius=reading.temperature_celsius,
        utilization_percent=reading.utilization_percent,
        memory_total_bytes=reading.memory_total_bytes,
        memory_used_bytes=reading.memory_used_bytes,
        power_watts=reading.power_watts,
        fan_percent=reading.fan_percent,
        processes=reading.processes,
    )
