"""Why a run waits: every check of the governor with its value, its limit and its remedy, failing checks first."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from backprop_tui.domain.formatting import (
    counted,
    disk_gigabytes_down,
    disk_gigabytes_up,
    from_iso,
    gigabytes_down,
    gigabytes_up,
    plain,
)
from backprop_tui.domain.governor.governor_state import GovernorState
from backprop_tui.domain.governor.placement import eligible_gpus, required_gpu_count
from backprop_tui.domain.governor.reasons import Check
from backprop_tui.domain.governor.snapshot import Candidate
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import RunLimits, start_below_celsius
from backprop_tui.domain.run import SLURM, Queued, Spec
from backprop_tui.domain.run_changes import sort_queue
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ACTIVE, Status
from backprop_tui.domain.telemetry import GpuHealth, GpuReading, HostReading
from backprop_tui.presentation import durations, numbers
from backprop_tui.presentation.known_run import KnownRun, limit_seconds, queued_at, running_seconds
from backprop_tui.presentation.remedies import Remedy, RemedyKind, remedies, remedy_text
from backprop_tui.presentation.states import checks_of, is_impossible
from backprop_tui.store.fields import JsonObject
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, LineBuilder, Piece, Token, clip, wrapped
from backprop_tui.tui.snapshot import Snapshot

_PASS_WHEN_RUNS_END = frozenset({Check.GPU_COUNT, Check.PARALLEL, Check.GPU_MEMORY})
# They pass at a time that nobody knows, whichever runs end.
_UNPREDICTABLE = frozenset({Check.HOST, Check.QUEUE_HELD, Check.DEPENDENCY, Check.PROBE, Check.DISK})
_NAMES = {
    Check.QUEUE_HELD: "hold",
    Check.DEPENDENCY: "after",
    Check.SLURM: "Slurm",
    Check.PROBE: "GPU probe",
    Check.GPU_COUNT: "GPUs usable",
    Check.GPU_MEMORY: "GPU",
    Check.DISK: "disk free",
    Check.PARALLEL: "slots",
    Check.RAM: "RAM free",
    Check.LOAD: "CPU load",
    Check.STARTS: "starts",
}
REMEDY_MARK = "→ "  # before a remedy that enter or a click offers
_NAME_AT, _NOW_AT = 4, 16
_LIMIT_AT, _REMEDY_AT = 32, 46
_WIDE_LIMIT_AT, _WIDE_REMEDY_AT, _WIDE = 40, 62, 100
_NARROW = 70  # below this width the limits move to the left, and a remedy has a line of its own
_SWEEP_SECONDS = 0.1  # within which the positions of the runs of a sweep are
_LONGEST_COOLING_SECONDS = 1800.0  # what takes longer cannot be told from a few readings


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class CheckRow:
    """One check: its name, the current value and the limit; of a failing one also the sentence and what lifts it.

    `passes` is about the reading of this moment: the governor may have looked a moment earlier.
    """

    name: str
    now: str
    limit: str
    passes: bool = True
    is_failing: bool = False
    is_permanent: bool = False
    remedy: str = ""
    remedies: tuple[Remedy, ...] = ()
    reason: str = ""


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class WaitingView:
    """`note` says since when it is queued and at which place; `earliest` is an estimate, empty if there is none."""

    title: str
    note: str
    rows: Sequence[CheckRow]
    earliest: str = ""

    @property
    def failing(self) -> list[CheckRow]:
        return [row for row in self.rows if row.is_failing]

    @property
    def is_permanent(self) -> bool:
        return any(row.is_permanent for row in self.rows)


def waiting_view(run: KnownRun, snapshot: Snapshot) -> WaitingView | None:
    """None if the run only waits for its turn."""
    reasons = run.record["hold_reasons"]
    if run.status is not Status.QUEUED or not reasons:
        return None
    failing = {(reason.get("check"), reason.get("gpu")) for reason in reasons}
    ahead = 0 if run.queue_position is None else run.queue_position - 1
    can_start = not is_impossible(run.record)
    checks = checks_of(reasons)
    failing_checks = [_failing_check(reason, run, snapshot) for reason in checks]
    of_gpus = [reason for reason in reasons if reason not in checks]
    if ahead and can_start:
        failing_checks.append(_queue_check(ahead))
    return WaitingView(
        title=f"Waiting on {counted(len(failing_checks), 'check')}" if can_start else "Can never start",
        note=", ".join(_note(run, snapshot)),
        rows=(*failing_checks, *_unfit_gpus(of_gpus, snapshot), *_passing_checks(run, snapshot, failing)),
        earliest=_earliest_start(reasons, snapshot) if can_start and not ahead else "",
    )


def _note(run: KnownRun, snapshot: Snapshot) -> Iterator[str]:
    since = queued_at(run)
    if since is not None:
        again = "again " if run.record["attempts"] else ""
        yield f"queued {again}{durations.ago(snapshot.moment.wall - since)}"
    if run.queue_position is not None:
        yield "first in line" if run.queue_position == 1 else f"number {run.queue_position} in line"
    overtaken_by = sum(_has_overtaken(other, run, since) for other in snapshot.runs)
    if overtaken_by and not _is_moved(run, since):
        yield f"{counted(overtaken_by, 'later run')} started before it"
    state = None if run.run is None else run.run.state
    if isinstance(state, Queued) and state.resume_from is not None:
        yield f"resumes from {_checkpoint_name(run.record, state.resume_from)}"


def _checkpoint_name(record: JsonObject, path: str) -> str:
    """`step 1,000`, or the name of the file if its step is not known."""
    steps = [checkpoint.get("step") for checkpoint in record.get("checkpoints") or () if checkpoint["path"] == path]
    return f"step {numbers.count(steps[-1])}" if steps and steps[-1] is not None else sanitize(os.path.basename(path))


def _has_overtaken(other: KnownRun, waiting: KnownRun, since: float | None) -> bool:
    """Whether it was queued later, behind the waiting run, and has started."""
    other_queued_at = from_iso(other.record.get("created_at"))
    same = all(other.record[key] == waiting.record[key] for key in ("host", "launcher"))
    if not same or waiting.record.get("slurm") or since is None or other_queued_at is None:
        return False
    if not waiting.record["attempts"]:  # runs of a sweep are queued at the same time, in the order of their creation
        since = from_iso(waiting.record.get("created_at")) or since
    if other.run is not None and waiting.run is not None and sort_queue((other.run, waiting.run))[0] is other.run:
        return False
    return other_queued_at > since and other.record.get("started_at") is not None


def _is_moved(run: KnownRun, since: float | None) -> bool:
    """Whether it has another place in the queue than by the time of queueing; where it was earlier is not known."""
    return run.run is not None and since is not None and abs(run.run.position - since) > _SWEEP_SECONDS


def _failing_check(reason: JsonObject, run: KnownRun, snapshot: Snapshot) -> CheckRow:
    available = remedies(reason, run, snapshot.runs)
    name, now, limit = _figures(reason, names_setting=bool(available))
    return CheckRow(
        name=name,
        now=now,
        limit=limit,
        is_failing=True,
        is_permanent=bool(reason.get("permanent")),
        remedy=remedy_text(reason, available, _cools_in(reason, snapshot)),
        remedies=available,
        reason=sanitize(str(reason.get("message", ""))),
    )


def _unfit_gpus(reasons: Sequence[JsonObject], snapshot: Snapshot) -> Iterator[CheckRow]:
    """What is wrong with each GPU, where one check is about the GPUs together."""
    for index in dict.fromkeys(reason["gpu"] for reason in reasons):
        of_gpu = [reason for reason in reasons if reason["gpu"] == index]
        figures = [_figures(reason, names_setting=True) for reason in of_gpu]
        cools_in = next(filter(None, (_cools_in(reason, snapshot) for reason in of_gpu)), None)
        yield CheckRow(
            name=figures[0][0],
            now=", ".join(now for _, now, _ in figures),
            limit=", ".join(limit for *_, limit in figures if limit),
            passes=False,
            remedy="" if cools_in is None else remedy_text(of_gpu[0], (), cools_in),
        )


def _queue_check(ahead: int) -> CheckRow:
    front = Remedy(kind=RemedyKind.MOVE, text="to the front")
    now, reason = f"{counted(ahead, 'run')} ahead", f"behind {counted(ahead, 'run')}"
    return CheckRow(
        name="queue", now=now, limit="", is_failing=True, remedy=front.text, remedies=(front,), reason=reason
    )


def _figures(reason: JsonObject, *, names_setting: bool) -> tuple[str, str, str]:
    """Name, value and limit if the check has them, else the governor's message; `names_setting`: the remedy does."""
    message, setting = sanitize(str(reason.get("message", ""))), reason.get("setting")
    if setting and names_setting:
        message = message.partition(f" ({setting} ")[0]
    try:
        check = Check(str(reason.get("check")))
    except ValueError:
        return "check", message, ""  # written by a later version
    gpu = reason.get("gpu")
    name = f"GPU {gpu}" if gpu is not None else _NAMES.get(check, check.value)
    if check is Check.GPU_COUNT and reason.get("limit") == 1:
        return ("GPU" if gpu is None else name), message.removeprefix(f"{name} "), ""
    values = _value_and_limit(check, reason.get("figure"), reason.get("limit"))
    if check is Check.GPU_MEMORY and values is not None and "unclaimed" in message:
        values = values[0].replace("free", "unclaimed"), values[1]
    if values is None or reason.get("permanent") or (check is Check.GPU_MEMORY and " claimed by " in message):
        text = message
        for known in ("can never start: ", "start limit, ", name):  # said by the title or the name of the row
            text = text.removeprefix(known)
        text = text.lstrip(" :").partition("; starts about ")[0]  # the earliest start has a line of its own
        return name, text or message, ""
    return name, values[0], values[1] + (f" ({setting})" if setting and not names_setting else "")


def _cools_in(reason: JsonObject, snapshot: Snapshot) -> float | None:
    """In how many seconds the GPU is cool enough at its present pace; None if it does not cool measurably."""
    celsius, limit, sample = reason.get("figure"), reason.get("limit"), snapshot.sample
    if reason.get("check") != Check.GPU_TEMPERATURE or sample is None:
        return None
    if not isinstance(celsius, int | float) or not isinstance(limit, int | float):
        return None
    uuid = next((gpu.uuid for gpu in sample.readings.gpus if gpu.index == reason.get("gpu")), "")
    rate = snapshot.cooling.get(uuid)
    seconds = None if rate is None else (celsius - limit) / rate
    return seconds if seconds is not None and seconds <= _LONGEST_COOLING_SECONDS else None


def _value_and_limit(check: Check, value: object, limit: object) -> tuple[str, str] | None:
    if not isinstance(value, int | float) or not isinstance(limit, int | float):
        return None
    match check:
        case Check.GPU_TEMPERATURE:
            return f"{plain(value)} °C", f"below {plain(limit)} °C"
        case Check.GPU_MEMORY:
            return f"{gigabytes_down(int(value))} GB free", f"needs {gigabytes_up(int(limit))} GB"
        case Check.GPU_COUNT:
            return f"{value:.0f} usable", f"needs {limit:.0f}"
        case Check.PARALLEL:
            return f"{value:.0f} used", f"at most {limit:.0f}"
        case Check.RAM:
            return f"{gigabytes_down(int(value))} GB", f"keeps {gigabytes_up(int(limit))} GB"
        case Check.DISK:
            return f"{disk_gigabytes_down(int(value))} GB", f"keeps {disk_gigabytes_up(int(limit))} GB"
        case Check.LOAD:
            return f"{value:.2f} per core", f"below {plain(limit)}"
        case _:
            return None


def _passing_checks(run: KnownRun, snapshot: Snapshot, failing: set[tuple[object, object]]) -> Iterator[CheckRow]:
    if run.record["launcher"] == SLURM:
        return  # what this machine has says nothing about the cluster
    spec = None if run.run is None else run.run.spec
    limits = RunLimits() if spec is None else spec.limits
    failing_checks = {check for check, _ in failing}
    yield from _governor_checks(limits, snapshot.governor, failing_checks)
    if snapshot.sample is None:
        return
    yield from _host_checks(limits, snapshot.sample.readings.host, failing_checks)
    failing_gpus = {gpu for _, gpu in failing}
    gpus = snapshot.sample.readings.gpus if spec is None else _usable_gpus(spec, snapshot.sample.readings.gpus)
    checks = {gpu.index: _gpu_check(gpu, limits) for gpu in gpus if _is_answering(gpu)}
    if spec is not None and failing_gpus == {None} and Check.GPU_COUNT not in failing_checks:
        yield from _count_check(spec, gpus, sum(check.passes for check in checks.values()))
    yield from (check for index, check in checks.items() if index not in failing_gpus)


def _count_check(spec: Spec, gpus: Sequence[GpuReading], usable: int) -> Iterator[CheckRow]:
    """Whether as many GPUs as the run needs are usable; their own lines say it if there is only one."""
    needed = required_gpu_count(_candidate(spec), gpus)
    if needed and max(needed, len(gpus)) > 1:
        now, limit = f"{usable} usable", f"needs {needed}"
        yield CheckRow(name=_NAMES[Check.GPU_COUNT], now=now, limit=limit, passes=usable >= needed)


def _governor_checks(limits: RunLimits, governor: GovernorState | None, failing: set[object]) -> Iterator[CheckRow]:
    if governor is None:
        return
    if governor.start_tokens is not None and Check.STARTS not in failing:
        tokens = f"{int(governor.start_tokens)} of {governor.start_burst} left"
        yield CheckRow(name="starts", now=tokens, limit="needs 1", passes=governor.start_tokens >= 1)
    most = governor.max_parallel if limits.max_parallel is None else limits.max_parallel
    if most > 0 and Check.PARALLEL not in failing:
        used = f"{governor.active} used"
        yield CheckRow(name="slots", now=used, limit=f"at most {most}", passes=governor.active < most)


def _host_checks(limits: RunLimits, host: HostReading, failing: set[object]) -> Iterator[CheckRow]:
    free, keeps = host.ram_available_bytes, limits.min_free_ram_bytes
    if free is not None and keeps > 0 and Check.RAM not in failing:
        limit = f"keeps {gigabytes_up(keeps)} GB"
        yield CheckRow(name="RAM free", now=f"{gigabytes_down(free)} GB", limit=limit, passes=free >= keeps)
    most = limits.max_load_per_core
    if host.load_1m is not None and host.cores and most > 0 and Check.LOAD not in failing:
        load = host.load_1m / host.cores
        yield CheckRow(name="CPU load", now=f"{load:.2f} per core", limit=f"below {plain(most)}", passes=load < most)
    free, keeps = host.disk_free_bytes, limits.min_free_disk_bytes
    if free is not None and keeps > 0 and Check.DISK not in failing:
        limit = f"keeps {disk_gigabytes_up(keeps)} GB"
        yield CheckRow(name="disk free", now=numbers.size(free), limit=limit, passes=free >= keeps)


def _usable_gpus(spec: Spec, gpus: Sequence[GpuReading]) -> Sequence[GpuReading]:
    """Those on which the run may be placed."""
    return () if spec.gpus == 0 else eligible_gpus(_candidate(spec), gpus)


def _candidate(spec: Spec) -> Candidate:
    return Candidate(id="", name="", requested_gpus=spec.gpus, gpu_ids=spec.gpu_ids, visible_gpus=spec.visible_gpus)


def _is_answering(gpu: GpuReading) -> bool:
    return gpu.health in (GpuHealth.OK, GpuHealth.HOT) and gpu.temperature_celsius is not None


def _gpu_check(gpu: GpuReading, limits: RunLimits) -> CheckRow:
    celsius, passes = gpu.temperature_celsius or 0.0, True
    readings, needs = [f"{plain(celsius)} °C"], []
    if gpu.memory_total_bytes is not None and gpu.memory_used_bytes is not None:
        free = gpu.memory_total_bytes - gpu.memory_used_bytes
        readings.append(f"{gigabytes_down(free)} GB free")
        needs.append(f"needs {gigabytes_up(limits.gpu_min_free_vram_bytes)} GB")
        passes = free >= limits.gpu_min_free_vram_bytes
    if limits.gpu_max_temp_celsius > 0:
        needs.append(f"below {plain(start_below_celsius(limits))} °C")
        passes = passes and celsius < start_below_celsius(limits)
    return CheckRow(name=f"GPU {gpu.index}", now=", ".join(readings), limit=", ".join(needs), passes=passes)


def _earliest_start(reasons: Sequence[JsonObject], snapshot: Snapshot) -> str:
    """When enough of the active runs will have ended, at their pace or at their limit."""
    start = next((from_iso(str(reason["limit"])) for reason in reasons if _is_expected(reason)), None)
    if start is not None:
        return f"about {durations.clock_of_day(start, snapshot.moment.wall)}, says Slurm"
    checks = {reason.get("check") for reason in reasons}
    if not checks & _PASS_WHEN_RUNS_END or checks & _UNPREDICTABLE:
        return ""
    if any(reason.get("gpu") is None and _is_count(reason) for reason in reasons) and (
        checks & {Check.GPU_TEMPERATURE, Check.GPU_HEALTH}
    ):
        return ""  # the end of no run is enough
    missing = max((_missing(reason) for reason in reasons), default=1)
    estimates = [(_seconds_to_end(run, snapshot), sanitize(run.label)) for run in snapshot.runs]
    ends = sorted((seconds, name) for seconds, name in estimates if seconds is not None)
    if len(ends) < missing:
        return ""
    names = [name for _, name in ends[:missing]]
    subject = " and ".join(names) if len(names) < 3 else counted(missing, "run")
    at = durations.clock_of_day(snapshot.moment.wall + ends[missing - 1][0], snapshot.moment.wall)
    return f"about {at}, when {subject} {'ends' if missing == 1 else 'end'}"


def _is_expected(reason: JsonObject) -> bool:
    return reason.get("check") == Check.SLURM and reason.get("limit") is not None


def _is_count(reason: JsonObject) -> bool:
    return reason.get("check") == Check.GPU_COUNT


def _missing(reason: JsonObject) -> int:
    """How many GPUs, or slots, have to become free."""
    free, needed = reason.get("figure"), reason.get("limit")
    if _is_count(reason) and isinstance(free, int | float) and isinstance(needed, int | float):
        return max(1, int(needed - free))
    return 1


def _seconds_to_end(run: KnownRun, snapshot: Snapshot) -> float | None:
    if run.status not in ACTIVE or run.status is Status.PAUSED or run.live is None or run.run is None:
        return None
    limit, eta = limit_seconds(run), run.live.eta_seconds
    left = None if limit is None else max(0.0, limit - running_seconds(run.live, snapshot.moment))
    estimates = [seconds for seconds in (left, eta) if seconds is not None]
    return min(estimates) if estimates else None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class DrawnWaiting:
    """The lines, and the first line of each failing check."""

    lines: Sequence[Line]
    places: Sequence[int]


def draw_waiting(view: WaitingView, width: int, glyphs: Glyphs, *, cursor: int | None = None) -> DrawnWaiting:
    """`cursor` counts the failing checks."""
    token = Token.WARN if view.is_permanent else Token.INFO
    title = Piece(f" {glyphs.state('waiting')} {view.title}", token, bold=True)
    note, *rest = wrapped(view.note, max(1, width - cell_len(title.text) - 3))
    rest_of_note = clip(" ".join(map(str.strip, rest)), width - _NAME_AT, glyphs)
    lines: list[Line] = [
        (title, Piece(f"   {note}", Token.MUTED)),
        (Piece(" " * _NAME_AT + rest_of_note, Token.MUTED),),
    ]
    columns = _Columns.of(width, view.rows)
    head = LineBuilder().at(_NAME_AT).put("check", Token.MUTED).at(_NOW_AT).put("now", Token.MUTED)
    head.at(columns.limit).put("limit", Token.MUTED)
    if columns.remedy is not None:
        head.at(columns.remedy).put("remedy (enter)", Token.MUTED)
    lines.append(head.line())
    places: list[int] = []
    for row in view.rows:
        chosen = row.is_failing and cursor == len(places)
        places += [len(lines)] if row.is_failing else []
        lines += _draw_check(row, columns, glyphs, chosen=chosen)
    if view.earliest:
        lines += [
            (),
            (Piece("  Earliest start ", Token.MUTED), Piece(view.earliest), Piece(" (estimate)", Token.MUTED)),
        ]
    return DrawnWaiting(lines=lines, places=places)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """Where limits and remedies begin; `remedy` is None if every remedy has a line of its own."""

    width: int
    limit: int
    remedy: int | None

    @classmethod
    def of(cls, width: int, rows: Sequence[CheckRow]) -> _Columns:
        if width >= _WIDE:
            longest = max((cell_len(row.limit) for row in rows if row.is_failing), default=0)
            return cls(width=width, limit=_WIDE_LIMIT_AT, remedy=max(_WIDE_REMEDY_AT, _WIDE_LIMIT_AT + longest + 2))
        if width >= _NARROW:
            return cls(width=width, limit=_LIMIT_AT, remedy=_REMEDY_AT)
        return cls(width=width, limit=max(_NOW_AT + 8, width * 11 // 20), remedy=None)


def _draw_check(row: CheckRow, columns: _Columns, glyphs: Glyphs, *, chosen: bool) -> list[Line]:
    width, token = columns.width, Token.FG if row.is_failing else Token.MUTED
    glyph, colour = ("completed", Token.OK) if row.passes else ("failed", Token.MUTED)
    glyph, colour = ("failed", Token.INFO) if row.is_failing else (glyph, colour)
    colour, token = (Token.WARN, Token.WARN) if row.is_permanent else (colour, token)
    builder = LineBuilder().at(2).put(f"{glyphs.state(glyph)} ", colour)
    builder.put(row.name, token, bold=row.is_failing, chosen=chosen).at(_NOW_AT - 1).put(" ")
    if row.limit:
        room = columns.limit - _NOW_AT - 1 if row.is_failing else width
        builder.put(clip(row.now, min(room, width - _NOW_AT - 1), glyphs), token)
        builder.at(columns.limit if builder.column < columns.limit else builder.column + 2)
        builder.put(clip(row.limit, width - builder.column, glyphs), token)
        more: list[Line] = []
    else:
        first, *rest = wrapped(row.now, max(1, width - _NOW_AT - 1))
        builder.put(clip(first, width - _NOW_AT - 1, glyphs), token)
        more = [LineBuilder().at(_NOW_AT).put(clip(text, width - _NOW_AT, glyphs), token).line() for text in rest]
    if not row.remedy:
        return [builder.line(), *more]
    text, remedy_token = (f"{REMEDY_MARK}{row.remedy}", Token.ACCENT) if row.remedies else (row.remedy, Token.MUTED)
    at = columns.remedy
    at = None if at is None else max(at, builder.column + 2)
    if at is not None and at + cell_len(text) <= width:
        return [builder.at(at).put(text, remedy_token, chosen=chosen).line(), *more]
    below = LineBuilder().at(_NOW_AT).put(clip(text, width - _NOW_AT, glyphs), remedy_token, chosen=chosen)
    return [builder.line(), *more, below.line()]
