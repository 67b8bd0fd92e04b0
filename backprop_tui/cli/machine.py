"""The machine and the governor for `status` and `doctor`: as the supervisor last wrote them, else measured now."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, field, replace

from backprop_tui.cli.tables import Column
from backprop_tui.client.own_sampler import OwnSampler
from backprop_tui.client.queueing import is_queue_held
from backprop_tui.config.errors import ConfigError
from backprop_tui.config.load import machine_limits, machine_probe
from backprop_tui.domain.governor.reasons import Check, HoldReason
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import MachineLimits
from backprop_tui.domain.telemetry import STALE_AFTER_SAMPLES, GpuHealth, GpuReading, Readings
from backprop_tui.presentation import durations, numbers
from backprop_tui.presentation.governor import room_clauses, state_title
from backprop_tui.presentation.machine import foreign_process
from backprop_tui.probes.host import HostProbe
from backprop_tui.probes.readings import Sample, read_sample
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import Home

OPEN, HOLDING = "open", "holding"
NO_PROBE = "none"
LEAST_FRESH_SECONDS = 5.0
CPU_SECONDS = 0.1  # how long the CPU load is measured where the sampler does not do it already

GPU_COLUMNS = (
    Column(title="GPU"),
    Column(title="NAME", least=8),
    Column(title="HEALTH"),
    Column(title="UTIL", right=True),
    Column(title="MEMORY", right=True),
    Column(title="TEMP", right=True),
    Column(title="POWER", right=True),
    Column(title="RUNS", least=8),
)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class MachineReadings:
    """The readings; `passed_over` has the GPU probes that were not chosen, with the reason."""

    readings: Readings
    gpus_known: bool = True
    passed_over: Mapping[str, str] = field(default_factory=dict)

    def host_json(self) -> JsonObject:
        """The host in the public JSON."""
        return asdict(self.readings.host)

    def gpus_json(self) -> list[JsonObject]:
        """The GPUs in the public JSON; `age_seconds` is the age of the readings of one that stopped answering."""
        return [_gpu_json(gpu) for gpu in self.readings.gpus]


class MachineProbe:
    """Starts measuring when it is created, so that the caller can do other work until the readings are there."""

    def __init__(self, home: Home, *, probe: str, sample_seconds: float) -> None:
        """`probe` is the configured GPU probe."""
        self._began = time.monotonic()
        self._sample = read_sample(home.readings)
        self._sampler: OwnSampler | None = None
        self._fresh = self._sample is not None and _is_fresh(self._sample, sample_seconds)
        if self._fresh:
            return
        self._host = HostProbe(disk_path=existing(home.root))
        self._host.read()
        if probe != NO_PROBE and not _has_no_gpu(self._sample):
            self._sampler = OwnSampler(home, probe=probe, sample_seconds=sample_seconds)

    def view(self) -> MachineReadings:
        """The readings; waits for them where they are not there yet."""
        if self._fresh and self._sample is not None:
            return _readings_of(self._sample)
        sample = self._sample if _has_no_gpu(self._sample) else None
        if self._sampler is not None:
            sample = self._sampler.sample()
        time.sleep(max(0.0, self._began + CPU_SECONDS - time.monotonic()))
        host = self._host.read()
        if sample is None:
            readings = Readings(time=time.time(), host=host, probe=NO_PROBE)
            return MachineReadings(readings=readings, gpus_known=self._sampler is None)
        return _readings_of(replace(sample, readings=replace(sample.readings, host=host)))


def _readings_of(sample: Sample) -> MachineReadings:
    return MachineReadings(readings=sample.readings, gpus_known=sample.gpus_known, passed_over=sample.passed_over)


def _is_fresh(sample: Sample, sample_seconds: float) -> bool:
    fresh_seconds = max(LEAST_FRESH_SECONDS, STALE_AFTER_SAMPLES * sample_seconds)
    return abs(time.time() - sample.readings.time) < fresh_seconds


def _has_no_gpu(sample: Sample | None) -> bool:
    """Whether an earlier sample of this boot found no GPU; then there is none now."""
    if sample is None or not sample.gpus_known:
        return False
    return not sample.readings.gpus and sample.readings.probe_problem is None


def existing(path: str) -> str:
    """The path, or the nearest directory above it that exists."""
    while not os.path.isdir(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def gpu_row(gpu: GpuReading, names: Mapping[str, str]) -> tuple[str, ...]:
    """The cells of a GPU; `names` has the names of the runs by id."""
    runs = dict.fromkeys(names.get(process.run, process.run) for process in gpu.processes if process.run is not None)
    foreign = [foreign_process(process) for process in gpu.processes if process.run is None]
    return (
        str(gpu.index),
        gpu.name,
        gpu.health + (f" for {durations.elapsed(gpu.age_seconds)}" if gpu.health is GpuHealth.STALE else ""),
        numbers.percent(gpu.utilization_percent),
        numbers.memory(gpu.memory_used_bytes, gpu.memory_total_bytes),
        numbers.celsius(gpu.temperature_celsius),
        numbers.watts(gpu.power_watts),
        ", ".join([*runs, *foreign]),
    )


def _gpu_json(gpu: GpuReading) -> JsonObject:
    shown = asdict(replace(gpu, processes=()))
    shown["processes"] = [
        {"pid": process.pid, "memory_bytes": process.memory_bytes, "run": process.run} for process in gpu.processes
    ]
    return shown


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GovernorReport:
    """`start_tokens` is None where starts are not limited; `max_parallel` 0 is no limit."""

    state: str
    reasons: Sequence[JsonObject]
    start_tokens: float | None
    start_burst: int
    max_parallel: int

    def as_json(self) -> JsonObject:
        """The governor in the public JSON."""
        return {"state": self.state, "reasons": list(self.reasons), "start_tokens": self.start_tokens}


def governor_report(home: Home, written: JsonObject | None, limits: MachineLimits) -> GovernorReport:
    """The governor at this moment.

    Args:
        home: The state directory.
        written: governor.json of a living supervisor; None without one.
        limits: The limits of the user's configuration, used without a supervisor.
    """
    report = _without_supervisor(home, limits) if written is None else _from_file(written, limits)
    return _with_queue_held(report) if is_queue_held(home) else _without_queue_held(report)


def _from_file(written: JsonObject, limits: MachineLimits) -> GovernorReport:
    return GovernorReport(
        state=str(written["state"]),
        reasons=written["reasons"],
        start_tokens=written["start_tokens"],
        start_burst=int(written.get("start_burst", limits.start_burst)),
        max_parallel=int(written.get("max_parallel", limits.max_parallel)),
    )


def _without_supervisor(home: Home, limits: MachineLimits) -> GovernorReport:
    from backprop_tui.domain.governor.tokens import is_limited
    from backprop_tui.engine.capacity import read_tokens

    now = time.monotonic()
    tokens = read_tokens(home, now, limits).refilled(now, limits).tokens if is_limited(limits) else None
    return GovernorReport(
        state=OPEN,
        reasons=(),
        start_tokens=tokens,
        start_burst=limits.start_burst,
        max_parallel=limits.max_parallel,
    )


def _with_queue_held(report: GovernorReport) -> GovernorReport:
    """Adds the reason: the supervisor writes it only while runs wait, and not before its next pass."""
    if any(reason["check"] == Check.QUEUE_HELD for reason in report.reasons):
        return report
    reason = asdict(HoldReason(check=Check.QUEUE_HELD, message="queue held by you, nothing new starts"))
    state = HOLDING if report.state == OPEN else report.state
    return replace(report, state=state, reasons=(reason, *report.reasons))


def _without_queue_held(report: GovernorReport) -> GovernorReport:
    """Drops the reason, which the supervisor may have written before the queue was released."""
    kept = [reason for reason in report.reasons if reason["check"] != Check.QUEUE_HELD]
    if report.state != HOLDING or kept:
        return replace(report, reasons=kept)
    return replace(report, state=OPEN, reasons=kept)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class MachineSettings:
    """The user's settings for this machine; the defaults, and in `wrong` the error, where they cannot be read."""

    limits: MachineLimits
    probe: str
    wrong: ConfigError | None = None


def machine_settings(config_path: str) -> MachineSettings:
    """The settings, read as the supervisor reads them."""
    try:
        return MachineSettings(limits=machine_limits(config_path), probe=machine_probe(config_path))
    except ConfigError as error:
        return MachineSettings(limits=MachineLimits(), probe="auto", wrong=error)


def governor_clauses(governor: GovernorReport, active: int) -> list[str]:
    """The state with the room that is left, then every reason that holds runs."""
    title = state_title(governor.state, [str(reason["check"]) for reason in governor.reasons])
    room = ", ".join(room_clauses(active, governor.max_parallel, governor.start_tokens))
    return [f"{title}: {room}", *(str(reason["message"]) for reason in governor.reasons)]
