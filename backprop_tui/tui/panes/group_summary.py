"""What the row of a group in the runs list says: its members by state, and the best of them."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ACTIVE
from backprop_tui.presentation.compare import member_names
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.objective import best_of, rank_records

_STATES = ("running", "paused", "queued", "completed", "timeboxed", "stopped", "failed")
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


def group_summary(members: Sequence[KnownRun], *, folded: bool, total: int) -> GroupSummary:
    states = [_COUNTED_AS.get(run.status.value, run.status.value) for run in members]
    ranking = rank_records(run.record for run in members)
    best = best_of(ranking)
    names = member_names([run.label for run in members])
    place = 0 if best is None else [run.id for run in members].index(best.run_id)
    so_far = " so far" if members[place].status in ACTIVE else ""
    return GroupSummary(
        size=len(members),
        total=max(total, len(members)),
        counts=tuple((state, states.count(state)) for state in _STATES if state in states),
        best="" if best is None else f"{best.metric} {best.value}",
        best_words="" if best is None else best.words + so_far,
        best_name="" if best is None or ranking.tied > 1 else sanitize(names[place]),
        folded=folded,
    )
