"""A row of the runs list: that of a run or of a group."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from backprop_tui.domain.formatting import time_or_none
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.live import Live
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ACTIVE, ENDED, Status
from backprop_tui.presentation import durations, numbers
from backprop_tui.presentation.compare import member_names
from backprop_tui.presentation.known_run import (
    KnownRun,
    Moment,
    exceeds_timebox,
    last_loss,
    limit_seconds,
    running_seconds,
    share_done,
    slice_text,
    step_text,
)
from backprop_tui.presentation.objective import best_of, rank_records
from backprop_tui.presentation.places import place_of
from backprop_tui.presentation.run_line import RunLine, end_facts, run_line
from backprop_tui.presentation.states import failed_before_removal, is_problem
from backprop_tui.tui.lines import STATE_TOKENS, Token
from backprop_tui.tui.panes.run_entries import GROUP

STEP_CELLS = 13
_SHOWN_IN_COLUMNS = frozenset({"step", "loss"})
_WITH_PROGRESS = frozenset({Status.RUNNING, Status.PAUSED, Status.STOPPING})
_GROUP_STATES = ("running", "paused", "queued", "completed", "timeboxed", "stopped", "failed")
_COUNTED_AS = {"starting": "running", "stopping": "running", "lost": "failed"}


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GroupSummary:
    """The members of a group counted by state, and the best of them: `best so far`, `val_loss 0.3921`, and its name.

    They are `size` of `total`: those that match the filter.
    """

    size: int
    total: int
    counts: tuple[tuple[str, int], ...]
    best_words: str
    best: str
    best_name: str
    folded: bool


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """`run_id` is the id of the run, or `group:` and the name of the group. Shares are between 0 and 1."""

    run_id: str
    state: str
    token: Token
    name: str
    gpu: str = ""
    waiting: bool = False  # `gpu` is its place in the queue
    has_progress: bool = False
    progress: float | None = None
    step: str = ""
    loss: str = ""
    loss_token: Token = Token.FG
    trend: tuple[float, ...] = ()
    timebox: float | None = None
    left: str = ""
    eta: str = ""
    eta_warns: bool = False
    saved: str = ""
    slice: str = ""
    tags: str = ""
    line: RunLine | None = None
    remainder: RunLine | None = None  # of an ended run without a problem: its line without the figures in columns
    end: str = ""
    age: str = ""
    bold: bool = False  # a failure that nobody has looked at
    dim: bool = False
    member: bool = False
    marked: bool = False
    group: GroupSummary | None = None
    run: KnownRun | None = None
    moment: Moment | None = None
    problem: bool = False  # it says why it failed in place of its figures
    keeps_front: bool = False  # other unfinished runs have another name
    short: str = ""  # of an unfinished run: its name without what they share


def run_row(
    run: KnownRun,
    moment: Moment,
    name: str,
    *,
    here: str,
    member: bool = False,
    bold: bool = False,
    marked: bool = False,
) -> RunRow:
    ended = run.status in ENDED
    row = RunRow(
        run_id=run.id,
        state=str(run.record["status"]),
        token=STATE_TOKENS[run.status],
        name=sanitize(name),
        gpu=gpu_or_position(run, here),
        waiting=run.status is Status.QUEUED,
        line=run_line(run, moment),
        tags=" ".join(f"#{sanitize(str(tag))}" for tag in run.record["tags"]),
        bold=bold,
        dim=ended and not is_problem(run),
        member=member,
        marked=marked,
        run=run,
        moment=moment,
        problem=ended and _says_why(run),
    )
    if run.status not in _WITH_PROGRESS or run.run is None or run.live is None:
        return row
    return _with_progress(row, run, run.live, moment)


def with_end(row: RunRow) -> RunRow:
    """The row of an ended run with what it says where it has the columns of unfinished runs."""
    run, moment = row.run, row.moment
    if run is None or moment is None or run.status not in ENDED:
        return row
    ended_at, step, loss = time_or_none(run.record.get("ended_at")), run.record.get("step"), last_loss(run)
    row = replace(
        row, end=end_facts(run, moment), age="" if ended_at is None else durations.ago(moment.wall - ended_at)
    )
    if row.problem or is_warning(row.line) or (step is None and loss is None):
        return row
    return replace(
        row,
        step="" if step is None else numbers.count(step),
        loss="" if loss is None else numbers.metric(loss),
        loss_token=Token.MUTED,
        remainder=run_line(run, moment, shown=_SHOWN_IN_COLUMNS),
    )


def has_sentence(run: KnownRun, moment: Moment) -> bool:
    """Whether a sentence may take the place of its figures."""
    return run.status not in ENDED or _says_why(run) or is_warning(run_line(run, moment))


def _says_why(run: KnownRun) -> bool:
    return is_problem(run) or failed_before_removal(run.record) is not None


def is_warning(line: RunLine | None) -> bool:
    """Whether it begins with a warning: an ended run says that and not its figures."""
    return line is not None and line.clauses[0].startswith("!")


def _with_progress(row: RunRow, run: KnownRun, live: Live, moment: Moment) -> RunRow:
    seconds = running_seconds(live, moment)
    limit = limit_seconds(run)
    left = None if limit is None else limit - seconds
    loss = last_loss(run)
    eta, warns = eta_text(run, moment)
    checkpoint = next(reversed(live.usable_checkpoints), None)
    return replace(
        row,
        has_progress=live.step is not None or live.epoch is not None or loss is not None,
        progress=share_done(live),
        step=step_text(run, cells=STEP_CELLS),
        loss="" if loss is None else numbers.metric(loss),
        loss_token=Token.BAD if loss is not None and not math.isfinite(loss) else Token.FG,
        trend=run.curve.values,
        timebox=None if limit is None else min(1.0, seconds / limit),
        left=durations.remaining(None if left is None else max(0.0, left)),
        eta=eta if warns or not eta else f"{eta} ",
        eta_warns=warns,
        saved="" if checkpoint is None else durations.ago(moment.wall - checkpoint.saved_at),
        slice="" if run.run is None else slice_text(run.run),
    )


def eta_text(run: KnownRun, moment: Moment) -> tuple[str, bool]:
    """The time to the end of the training, with a `!` if the timebox ends before, and whether it does.

    Empty while it is unknown and while the run is paused.
    """
    eta, warns = None if run.live is None else run.live.eta_seconds, exceeds_timebox(run, moment)
    if eta is None or run.status is Status.PAUSED:
        return "", warns
    return durations.eta(eta) + "!" * warns, warns


def gpu_or_position(run: KnownRun, here: str) -> str:
    """The GPUs of an active run, with its machine if it is not `here`; the position in the queue of a queued one."""
    if run.status is Status.QUEUED:
        return "" if run.queue_position is None else f"#{run.queue_position}"
    if run.status in ENDED:
        return ""
    return place_of(run.record, here)


def group_row(group: str, members: Sequence[KnownRun], *, folded: bool, total: int = 0) -> RunRow:
    summary = _group_summary(members, folded=folded, total=total)
    return RunRow(run_id=GROUP + group, state="group", token=Token.FG, name=sanitize(group), group=summary)


def _group_summary(members: Sequence[KnownRun], *, folded: bool, total: int) -> GroupSummary:
    states = [_COUNTED_AS.get(run.status.value, run.status.value) for run in members]
    ranking = rank_records(run.record for run in members)
    best = best_of(ranking)
    names = member_names([run.label for run in members])
    place = 0 if best is None else [run.id for run in members].index(best.run_id)
    so_far = " so far" if members[place].status in ACTIVE else ""
    return GroupSummary(
        size=len(members),
        total=max(total, len(members)),
        counts=tuple((state, states.count(state)) for state in _GROUP_STATES if state in states),
        best="" if best is None else f"{best.metric} {best.value}",
        best_words="" if best is None else best.words + so_far,
        best_name="" if best is None or ranking.tied > 1 else sanitize(names[place]),
        folded=folded,
    )
