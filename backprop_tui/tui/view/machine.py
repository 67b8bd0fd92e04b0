"""The gauges: a row for each GPU and one for the host."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from backprop_tui.domain.limits import RunLimits
from backprop_tui.domain.status import ACTIVE, Status
from backprop_tui.domain.telemetry import GpuHealth, GpuProcess, GpuReading, HostReading
from backprop_tui.domain.values import dataclass
from backprop_tui.tui.neutral import neutral
from backprop_tui.tui.snapshot import KnownRun, Snapshot
from backprop_tui.tui.view.tokens import Token
from backprop_tui.tui.wording import durations, numbers

NEAR_LIMIT_CELSIUS = 5.0
FULL_MEMORY = 0.97
_GONE = frozenset({GpuHealth.LOST, GpuHealth.STALE, GpuHealth.UNKNOWN})
_STALE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Whose work is on a GPU."""

    words: str
    token: Token = Token.FG


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuRow:
    """One GPU; shares are of 1, None is no reading. `problem` takes the place of the figures."""

    index: int
    model: str
    utilization: float | None
    memory_share: float | None
    memory_used: int | None
    memory_total: int | None
    celsius: float | None
    watts: float | None
    fan_percent: float | None
    history: tuple[float | None, ...]
    who: Who
    memory_token: Token = Token.INFO
    heat_token: Token = Token.FG
    hot: bool = False  # a `!` stands at the temperature
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRow:
    """The machine around the GPUs."""

    cores: float | None
    cpu: float | None
    memory_share: float | None
    memory_used: int | None
    memory_total: int | None
    load: float | None
    disk_free: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineView:
    """`note` stands where there are no GPUs to show."""

    gpus: Sequence[GpuRow] = ()
    host: HostRow | None = None
    note: str | None = None


def machine_view(snapshot: Snapshot) -> MachineView:
    """The machine as it was measured last; figures of a sampler that fell silent are not shown as if they were new."""
    sample = snapshot.sample
    if sample is None:
        return MachineView(note="measuring")
    readings = sample.readings
    here = {one.id: one for one in snapshot.runs if one.status in ACTIVE}
    silent = snapshot.moment.wall - readings.time
    stale = silent if silent > max(_STALE_SECONDS, 3 * snapshot.limits.sample_seconds) else 0.0
    rows = [_gpu_row(gpu, here, snapshot, stale_seconds=stale) for gpu in readings.gpus]
    return MachineView(gpus=tuple(rows), host=_host_row(readings.host), note=_note(snapshot))


def _note(snapshot: Snapshot) -> str | None:
    sample = snapshot.sample
    if sample is None or sample.readings.gpus:
        return None
    if sample.readings.probe_problem is not None:
        return f"GPUs unknown: {neutral(sample.readings.probe)}: {neutral(sample.readings.probe_problem)}"
    return "no GPU · runs go to the CPU" if sample.gpus_known else "the driver has not answered yet"


def _heat_limit(gpu: GpuReading, active: Iterable[KnownRun]) -> float:
    """That of the most careful run on it, or the default."""
    on_it = [one.run for one in active if one.run is not None and _is_on(one, gpu)]
    limits = [run.spec.limits.gpu_max_temp_celsius for run in on_it]
    return min((limit for limit in limits if limit > 0), default=RunLimits().gpu_max_temp_celsius)


def _gpu_row(gpu: GpuReading, here: Mapping[str, KnownRun], snapshot: Snapshot, *, stale_seconds: float) -> GpuRow:
    celsius, used, total = gpu.temperature_celsius, gpu.memory_used_bytes, gpu.memory_total_bytes
    share = used / total if used is not None and total else None
    limit = _heat_limit(gpu, here.values())
    hot = celsius is not None and celsius >= limit - NEAR_LIMIT_CELSIUS
    too_hot = celsius is not None and celsius >= limit
    return GpuRow(
        index=gpu.index,
        model=short_model(gpu.name),
        utilization=None if gpu.utilization_percent is None else gpu.utilization_percent / 100,
        memory_share=share,
        memory_used=used,
        memory_total=total,
        celsius=celsius,
        watts=gpu.power_watts,
        fan_percent=gpu.fan_percent,
        history=snapshot.histories.get(gpu.uuid, ()),
        who=_who(gpu, here, snapshot),
        memory_token=Token.WARN if share is not None and share >= FULL_MEMORY else Token.INFO,
        heat_token=Token.BAD if too_hot else Token.WARN if hot else Token.FG,
        hot=hot,
        problem=_problem(gpu, snapshot.moment.wall, stale_seconds),
    )


def _problem(gpu: GpuReading, now: float, stale_seconds: float) -> str | None:
    age = gpu.age_seconds + stale_seconds
    if gpu.health not in _GONE and not stale_seconds:
        return None
    since = f" since {durations.clock(now - age)}" if age >= 1 else ""
    because = f" · {neutral(gpu.problem)}" if gpu.problem else ""
    return f"not answering{since}{because}"


def _who(gpu: GpuReading, here: Mapping[str, KnownRun], snapshot: Snapshot) -> Who:
    ours = [run for run in here.values() if _is_on(run, gpu)]
    known = [here[one.run] for one in gpu.processes if one.run is not None and one.run in here]
    ours += [run for run in known if run not in ours]
    strangers = [one for one in gpu.processes if one.run is None or snapshot.find(one.run) is None]
    if ours:
        first = ours[0]
        paused = first.status is Status.PAUSED
        more = f" +{len(ours) - 1}" if len(ours) > 1 else ""
        words = neutral(str(first.record["name"])) + (" paused" if paused else "") + more
        return Who(words=words, token=Token.WARN if paused else Token.FG)
    if strangers:
        return Who(words=_stranger_words(strangers), token=Token.WARN)
    return Who(words="idle", token=Token.MUTED)


def _is_on(run: KnownRun, gpu: GpuReading) -> bool:
    return any(one.get("uuid") == gpu.uuid for one in run.record.get("gpus") or ())


def _stranger_words(strangers: Sequence[GpuProcess]) -> str:
    first = strangers[0]
    owner = f" ({neutral(first.owner)})" if first.owner else f" (run {neutral(first.run)})" if first.run else ""
    memory = f" {numbers.size(first.memory_bytes)}" if first.memory_bytes is not None else ""
    more = f" +{len(strangers) - 1}" if len(strangers) > 1 else ""
    return f"not ours: pid {first.pid}{owner}{memory}{more}"


def short_model(name: str) -> str:
    """The word that tells a GPU: H100, 4090, MI300X."""
    words = [word for word in re.split(r"[\s\-]+", neutral(name)) if word]
    telling = next((word for word in words if any(letter.isdecimal() for letter in word)), "")
    return telling.removeprefix("RTX") or (words[-1] if words else "")


def _host_row(host: HostReading) -> HostRow:
    total, available = host.ram_total_bytes, host.ram_available_bytes
    used = None if total is None or available is None else max(0, total - available)
    return HostRow(
        cores=host.cores,
        cpu=None if host.cpu_percent is None else host.cpu_percent / 100,
        memory_share=used / total if used is not None and total else None,
        memory_used=used,
        memory_total=total,
        load=host.load_1m,
        disk_free=host.disk_free_bytes,
    )
