"""Why a run waits: every check of the governor with its figure now and its limit, those that say no first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from backprop_tui.domain.governor.figures import counted, gigabytes_down, gigabytes_up, plain
from backprop_tui.domain.governor.heat import start_below_celsius
from backprop_tui.domain.governor.reasons import Check
from backprop_tui.domain.lifecycle import timebox_seconds
from backprop_tui.domain.limits import RunLimits
from backprop_tui.domain.status import ACTIVE, Status
from backprop_tui.domain.telemetry import GpuHealth, GpuReading
from backprop_tui.domain.times import from_iso
from backprop_tui.domain.values import dataclass
from backprop_tui.store.fields import JsonObject
from backprop_tui.tui.neutral import neutral
from backprop_tui.tui.snapshot import KnownRun, Snapshot
from backprop_tui.tui.view.run_row import eta_seconds, running_seconds
from backprop_tui.tui.wording import durations, numbers

_ENDS_OF_OTHERS = frozenset({Check.GPU_COUNT, Check.PARALLEL, Check.GPU_MEMORY})
_NAMES = {
    Check.QUEUE_HELD: "queue",
    Check.DEPENDENCY: "after",
    Check.PROBE: "GPU probe",
    Check.GPU_COUNT: "GPUs free",
    Check.DISK: "disk free",
    Check.PARALLEL: "parallel",
    Check.RAM: "RAM free",
    Check.LOAD: "CPU load",
    Check.STARTS: "starts",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRow:
    """One check: its name, what was measured, what is wanted."""

    name: str
    now: str
    limit: str
    says_no: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingView:
    """`story` is how long it waits and where it stands, `soonest` a guess, empty where nobody can tell."""

    title: str
    story: str
    rows: Sequence[CheckRow]
    soonest: str = ""


def waiting_view(run: KnownRun, snapshot: Snapshot) -> WaitingView | None:
    """None where nothing but its turn keeps the run."""
    reasons = run.record["hold_reasons"]
    if run.status is not Status.QUEUED or not reasons:
        return None
    failing = [_failing(one) for one in reasons]
    return WaitingView(
        title=f"waits for {counted(len(failing), 'thing')}",
        story=", ".join(_story(run, snapshot)),
        rows=(*failing, *_passing(run, snapshot, {(one.get("check"), one.get("gpu")) for one in reasons})),
        soonest=_soonest(reasons, snapshot),
    )


def _story(run: KnownRun, snapshot: Snapshot) -> Iterator[str]:
    asked = from_iso(run.record.get("created_at"))
    if asked is not None:
        yield f"asked {durations.ago(snapshot.moment.wall - asked)} ago"
    if run.place is not None:
        yield f"number {run.place} in the queue"
    overtook = sum(_overtook(one, run, asked) for one in snapshot.runs)
    if overtook:
        yield f"{counted(overtook, 'run')} overtook it"


def _overtook(one: KnownRun, waiting: KnownRun, asked: float | None) -> bool:
    """Asked for later, and started."""
    later = from_iso(one.record.get("created_at"))
    if one.record["host"] != waiting.record["host"] or asked is None or later is None:
        return False
    return later > asked and one.record.get("started_at") is not None


def _failing(reason: JsonObject) -> CheckRow:
    """In figures where the check has some, else in the governor's own words."""
    message = neutral(str(reason.get("message", "")))
    try:
        check = Check(str(reason.get("check")))
    except ValueError:
        return CheckRow(name="check", now=message, limit="", says_no=True)  # of a version that came later
    gpu = reason.get("gpu")
    name = f"GPU {gpu}" if gpu is not None else _NAMES.get(check, check.value)
    figures = _figures(check, reason.get("figure"), reason.get("limit"))
    words = message.removeprefix(name).lstrip(" :")
    if figures is None or (check is Check.GPU_MEMORY and "claimed" in message):
        return CheckRow(name=name, now=words or message, limit="", says_no=True)
    return CheckRow(name=name, now=figures[0], limit=figures[1], says_no=True)


def _figures(check: Check, figure: object, limit: object) -> tuple[str, str] | None:
    if not isinstance(figure, int | float) or not isinstance(limit, int | float):
        return None
    match check:
        case Check.GPU_TEMPERATURE:
            return f"{plain(figure)} C", f"below {plain(limit)} C"
        case Check.GPU_MEMORY:
            return f"{gigabytes_down(int(figure))} GB free", f"needs {gigabytes_up(int(limit))} GB"
        case Check.GPU_COUNT:
            return f"{figure:.0f} free", f"needs {limit:.0f}"
        case Check.PARALLEL:
            return f"{figure:.0f} active", f"at most {limit:.0f}"
        case Check.RAM | Check.DISK:
            return f"{gigabytes_down(int(figure))} GB", f"keeps {gigabytes_up(int(limit))} GB"
        case Check.LOAD:
            return f"{figure:.2f} per core", f"below {plain(limit)}"
        case _:
            return None


def _passing(run: KnownRun, snapshot: Snapshot, failing: set[tuple[object, object]]) -> Iterator[CheckRow]:
    """What would let it start, as it was measured last."""
    limits = RunLimits() if run.run is None else run.run.spec.limits
    no = {check for check, _ in failing}
    governor, sample = snapshot.governor, snapshot.sample
    if governor is not None and governor.start_tokens is not None and Check.STARTS not in no:
        tokens = f"{int(governor.start_tokens)} of {governor.start_burst} free"
        yield CheckRow(name="starts", now=tokens, limit="needs 1")
    if governor is not None and governor.max_parallel > 0 and Check.PARALLEL not in no:
        yield CheckRow(name="parallel", now=f"{governor.active} active", limit=f"at most {governor.max_parallel}")
    if sample is None:
        return
    host = sample.readings.host
    if host.ram_available_bytes is not None and limits.min_free_ram_bytes > 0 and Check.RAM not in no:
        free = gigabytes_down(host.ram_available_bytes)
        yield CheckRow(name="RAM free", now=f"{free} GB", limit=f"keeps {gigabytes_up(limits.min_free_ram_bytes)} GB")
    if host.load_1m is not None and host.cores and limits.max_load_per_core > 0 and Check.LOAD not in no:
        load = f"{host.load_1m / host.cores:.2f} per core"
        yield CheckRow(name="CPU load", now=load, limit=f"below {plain(limits.max_load_per_core)}")
    if host.disk_free_bytes is not None and limits.min_free_disk_bytes > 0 and Check.DISK not in no:
        keeps = f"keeps {gigabytes_up(limits.min_free_disk_bytes)} GB"
        yield CheckRow(name="disk free", now=numbers.size(host.disk_free_bytes), limit=keeps)
    blocked = {gpu for _, gpu in failing}
    yield from (_fit(one, limits) for one in sample.readings.gpus if one.index not in blocked and _answers(one))


def _answers(gpu: GpuReading) -> bool:
    return gpu.health in (GpuHealth.OK, GpuHealth.HOT) and gpu.temperature_celsius is not None


def _fit(gpu: GpuReading, limits: RunLimits) -> CheckRow:
    parts, wants = [f"{plain(gpu.temperature_celsius or 0.0)} C"], []
    if gpu.memory_total_bytes is not None and gpu.memory_used_bytes is not None:
        parts.append(f"{gigabytes_down(gpu.memory_total_bytes - gpu.memory_used_bytes)} GB free")
        wants.append(f"needs {gigabytes_up(limits.gpu_min_free_vram_bytes)} GB")
    if limits.gpu_max_temp_celsius > 0:
        wants.append(f"below {plain(start_below_celsius(limits))} C")
    return CheckRow(name=f"GPU {gpu.index}", now=", ".join(parts), limit=", ".join(wants))


def _soonest(reasons: Sequence[JsonObject], snapshot: Snapshot) -> str:
    """When enough of what runs will have ended, at its pace or at its limit."""
    if not any(one.get("check") in _ENDS_OF_OTHERS for one in reasons):
        return ""
    lacking = max((_lacking(one) for one in reasons), default=1)
    ending = [(_end(one, snapshot), neutral(str(one.record["name"]))) for one in snapshot.runs]
    ends = sorted((end, name) for end, name in ending if end is not None)
    if len(ends) < lacking:
        return ""
    awaited = [name for _, name in ends[:lacking]]
    names = " and ".join(awaited) if len(awaited) < 3 else f"{counted(lacking, 'run')}"
    at = durations.clock(snapshot.moment.wall + ends[lacking - 1][0])
    return f"about {at}, when {names} {'ends' if lacking == 1 else 'end'}"


def _lacking(reason: JsonObject) -> int:
    """How many GPUs, or runs, have to become free."""
    figure, limit = reason.get("figure"), reason.get("limit")
    if reason.get("check") == Check.GPU_COUNT and isinstance(figure, int | float) and isinstance(limit, int | float):
        return max(1, int(limit - figure))
    return 1


def _end(run: KnownRun, snapshot: Snapshot) -> float | None:
    if run.status not in ACTIVE or run.live is None or run.run is None:
        return None
    limit, eta = timebox_seconds(run.run), eta_seconds(run, run.live)
    left = None if limit is None else max(0.0, limit - running_seconds(run.live, snapshot.moment))
    ends = [one for one in (left, eta) if one is not None]
    return min(ends) if ends else None
