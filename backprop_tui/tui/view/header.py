"""The header: who, where, how many runs are in which state, and what is wrong with the dashboard itself."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.domain.status import ENDED, Status
from backprop_tui.domain.times import from_iso
from backprop_tui.domain.values import dataclass
from backprop_tui.tui.neutral import neutral
from backprop_tui.tui.snapshot import KnownRun, Snapshot
from backprop_tui.tui.view.states import DONE, PROBLEMS, TOKENS, WAITING
from backprop_tui.tui.view.tokens import Token
from backprop_tui.tui.wording import durations

SIMULATED = "simulated"
RECENT_SECONDS = 86400.0  # ends are counted for a day


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many runs are in a state."""

    word: str
    count: int
    token: Token


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderView:
    """`problem` stands in the place of the host where the store cannot be read."""

    host: str
    counts: Sequence[Count]
    clock: str
    simulation: bool = False
    problem: str | None = None


def header_view(snapshot: Snapshot) -> HeaderView:
    """The counts; a state that no run is in is left out."""
    now = snapshot.moment.wall
    statuses = [one.status for one in snapshot.runs if one.status not in ENDED or _is_recent(one, now)]
    active = sum(status in (Status.RUNNING, Status.STARTING, Status.STOPPING) for status in statuses)
    numbers = (
        ("running", active),
        ("paused", statuses.count(Status.PAUSED)),
        (WAITING, statuses.count(Status.QUEUED)),
        ("failed", sum(status in PROBLEMS for status in statuses)),
        (DONE, statuses.count(Status.COMPLETED)),
    )
    sample = snapshot.sample
    return HeaderView(
        host=neutral(snapshot.host),
        counts=tuple(Count(word=word, count=count, token=TOKENS[word]) for word, count in numbers if count),
        clock=durations.clock(now),
        simulation=snapshot.is_demo or (sample is not None and sample.readings.probe == SIMULATED),
        problem=snapshot.problem,
    )


def _is_recent(run: KnownRun, now: float) -> bool:
    ended = from_iso(run.record.get("ended_at"))
    return ended is not None and now - ended < RECENT_SECONDS
