"""The governor line: a word for its state, why, and how many starts are left."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.domain.governor.governor_state import GovernorMode, governor_line
from backprop_tui.domain.status import UNFINISHED
from backprop_tui.domain.values import dataclass
from backprop_tui.tui.neutral import neutral
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.view.tokens import Token

_TOKENS = {
    GovernorMode.OPEN.value: Token.OK,
    GovernorMode.HOLDING.value: Token.INFO,
    GovernorMode.CONSERVATIVE.value: Token.WARN,
    "held by you": Token.WARN,
    "no supervisor": Token.WARN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Starts:
    """Start tokens: how many are free of how many."""

    free: float
    burst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GovernorLineView:
    """`starts` None: starts are not spaced, or nobody counts them."""

    word: str
    clauses: Sequence[str]
    token: Token
    starts: Starts | None = None


def governor_line_view(snapshot: Snapshot) -> GovernorLineView:
    """The line. A machine without work needs no supervisor: then nothing waits, and it is open or held."""
    governor = snapshot.governor
    if governor is None and not _has_work_here(snapshot):
        return _idle(snapshot)
    if governor is None and snapshot.supervisor_pid is not None:
        return GovernorLineView(word="open", clauses=("the supervisor begins",), token=Token.OK)
    line = governor_line(governor)
    starts = None
    if governor is not None and governor.start_tokens is not None:
        starts = Starts(free=governor.start_tokens, burst=governor.start_burst)
    return GovernorLineView(
        word=line.word,
        clauses=tuple(map(neutral, line.clauses)),
        token=_TOKENS.get(line.word, Token.INFO),
        starts=starts,
    )


def _idle(snapshot: Snapshot) -> GovernorLineView:
    if snapshot.queue_held:
        return GovernorLineView(
            word="held by you", clauses=("nothing new starts", "H releases"), token=_TOKENS["held by you"]
        )
    return GovernorLineView(word="open", clauses=("nothing waits",), token=Token.OK)


def _has_work_here(snapshot: Snapshot) -> bool:
    return any(one.status in UNFINISHED and one.record["host"] == snapshot.host for one in snapshot.runs)
