"""The rows of the runs list: a run with its progress, or with a sentence where it has none, and groups of runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.lifecycle import is_sliced
from backprop_tui.domain.live import Live
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.presentation import durations, numbers
from backprop_tui.presentation.compare import member_names
from backprop_tui.presentation.known_run import (
    KnownRun,
    Moment,
    eta_seconds,
    last_loss,
    limit_seconds,
    running_seconds,
    share_done,
    slice_text,
    step_text,
)
from backprop_tui.presentation.run_line import RunLine, end_facts, run_line
from backprop_tui.presentation.states import is_problem
from backprop_tui.tui.panes.run_order import best_of, best_score
from backprop_tui.tui.tokens import STATE_TOKENS, Token

GROUP = "group:"
STEP_CELLS = 13
_WITH_PROGRESS = frozenset({Status.RUNNING, Status.PAUSED, Status.STOPPING})
_GROUP_STATES = ("running", "paused", "queued", "completed", "timeboxed", "stopped", "failed")
_COUNTED_AS = {"starting": "running", "stopping": "running", "lost": "failed"}


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GroupSummary:
    """The members of a group counted by state, and the best value of one of them."""

    size: int
    counts: tuple[tuple[str, int], ...]
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
    end: str = ""
    bold: bool = False
    dim: bool = False
    member: bool = False
    marked: bool = False
    group: GroupSummary | None = None


def run_row(run: KnownRun, moment: Moment, *, name: str, unseen: bool, member: bool, marked: bool) -> RunRow:
    """The row of one run under a name; `unseen` is a failure that nobody has looked at."""
    ended = run.status in ENDED
    row = RunRow(
        run_id=run.id,
        state=run.status.value,
        token=STATE_TOKENS[run.status],
        name=sanitize(name),
        gpu=_gpu_or_place(run),
        waiting=run.status is Status.QUEUED,
        line=run_line(run, moment),
        end=end_facts(run, moment) if ended else "",
        tags=" ".join(f"#{sanitize(str(tag))}" for tag in run.record["tags"]),
        bold=unseen,
        dim=ended and not is_problem(run),
        member=member,
        marked=marked,
    )
    if run.status not in _WITH_PROGRESS or run.run is None or run.live is None:
        return row
    return _with_progress(row, run, run.live, moment)


def _with_progress(row: RunRow, run: KnownRun, live: Live, moment: Moment) -> RunRow:
    seconds = running_seconds(live, moment)
    limit = limit_seconds(run)
    left = None if limit is None else limit - seconds
    loss = last_loss(run)
    eta = eta_seconds(run, live)
    sliced = run.run is not None and is_sliced(run.run.spec)
    warns = eta is not None and left is not None and eta > left and not sliced
    checkpoint = live.checkpoints[-1] if live.checkpoints else None
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
        eta="" if eta is None or run.status is Status.PAUSED else durations.eta(eta) + ("!" if warns else " "),
        eta_warns=warns,
        saved="" if checkpoint is None else durations.ago(moment.wall - checkpoint.saved_at),
        slice="" if run.run is None else slice_text(run.run),
    )


def _gpu_or_place(run: KnownRun) -> str:
    """The GPUs of an active run, the place in the queue of a queued one."""
    if run.status is Status.QUEUED:
        return "" if run.place is None else f"#{run.place}"
    if run.status in ENDED:
        return ""
    return index_ranges(sorted(int(gpu["index"]) for gpu in run.record.get("gpus") or ()))


def index_ranges(indices: Sequence[int]) -> str:
    """GPU indices in few letters: 0, 2,3 or 4-7."""
    parts: list[str] = []
    start = 0
    for place, index in enumerate(indices):
        if place + 1 < len(indices) and indices[place + 1] == index + 1:
            continue
        first = indices[start]
        parts += [f"{first}-{index}"] if index - first >= 2 else [str(each) for each in indices[start : place + 1]]
        start = place + 1
    return ",".join(parts)


def members_of(row_id: str, runs: Iterable[KnownRun]) -> list[KnownRun]:
    """The runs of the group that the row stands for; empty for other rows."""
    if not row_id.startswith(GROUP):
        return []
    return [run for run in runs if run.record.get("group") == row_id.removeprefix(GROUP)]


def group_row(group: str, members: Sequence[KnownRun], *, folded: bool) -> RunRow:
    """The row above the members of a group."""
    states = [_COUNTED_AS.get(run.status.value, run.status.value) for run in members]
    counts = tuple((state, states.count(state)) for state in _GROUP_STATES if state in states)
    best = best_of(members)
    best_name = ""
    if best is not None:
        names = member_names([str(run.record["name"]) for run in members])
        best_name = names[[run.id for run in members].index(best.id)]
    return RunRow(
        run_id=GROUP + group,
        state="group",
        token=Token.FG,
        name=sanitize(group),
        group=GroupSummary(
            size=len(members),
            counts=counts,
            best="" if best is None else best_score(best),
            best_name=sanitize(best_name),
            folded=folded,
        ),
    )
