"""The problem line: the newest end that nobody has looked at yet."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from backprop_tui.domain.times import from_iso
from backprop_tui.domain.values import dataclass
from backprop_tui.tui.neutral import neutral
from backprop_tui.tui.snapshot import KnownRun, Snapshot
from backprop_tui.tui.view.causes import cause_words
from backprop_tui.tui.view.states import is_problem
from backprop_tui.tui.wording import durations

RECENT_SECONDS = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemView:
    """`more` counts the other unseen ones."""

    run_id: str
    name: str
    word: str
    ago: str
    cause: str
    more: int = 0


def unseen_problems(snapshot: Snapshot, seen: AbstractSet[str]) -> list[KnownRun]:
    """The runs of the last day that ended badly and were not looked at, newest first."""
    return [one for one in snapshot.runs if is_problem(one) and one.id not in seen and _is_recent(one, snapshot)]


def problem_view(snapshot: Snapshot, seen: AbstractSet[str]) -> ProblemView | None:
    """None where there is nothing to tell."""
    unseen = unseen_problems(snapshot, seen)
    if not unseen:
        return None
    newest = unseen[0]
    ended = from_iso(newest.record.get("ended_at"))
    return ProblemView(
        run_id=newest.id,
        name=neutral(str(newest.record["name"])),
        word=newest.status.value,
        ago=durations.ago(None if ended is None else snapshot.moment.wall - ended),
        cause=cause_words(newest.record),
        more=len(unseen) - 1,
    )


def _is_recent(run: KnownRun, snapshot: Snapshot) -> bool:
    ended = from_iso(run.record.get("ended_at"))
    return ended is not None and snapshot.moment.wall - ended < RECENT_SECONDS
