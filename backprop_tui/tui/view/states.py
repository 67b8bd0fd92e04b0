"""The state of a run as people see it: a word and a colour."""

from __future__ import annotations

from backprop_tui.domain.causes.ours import WISHED
from backprop_tui.domain.governor.reasons import Check
from backprop_tui.domain.status import Status
from backprop_tui.tui.snapshot import KnownRun
from backprop_tui.tui.view.tokens import Token

HELD, DONE, WAITING = "held", "done", "waiting"

TOKENS: dict[str, Token] = {
    "running": Token.OK,
    "starting": Token.OK,
    "paused": Token.WARN,
    "stopping": Token.WARN,
    "queued": Token.INFO,
    HELD: Token.INFO,
    WAITING: Token.INFO,
    DONE: Token.MUTED,
    "timeboxed": Token.VIOLET,
    "stopped": Token.MUTED,
    "failed": Token.BAD,
    "lost": Token.BAD,
}
PROBLEMS = frozenset({Status.FAILED, Status.LOST})


def word_of(run: KnownRun) -> str:
    """The word: as the public status, but for `done`, and `held` for what the governor holds back."""
    status = run.status
    if status is Status.COMPLETED:
        return DONE
    if status is Status.QUEUED and is_held(run):
        return HELD
    return status.value


def is_held(run: KnownRun) -> bool:
    """Whether more than another run's end keeps it from starting."""
    return any(reason.get("check") != Check.DEPENDENCY for reason in run.record["hold_reasons"])


def is_problem(run: KnownRun) -> bool:
    """Whether it ended in a way that somebody has to look at: failed, lost, or stopped by a guard."""
    if run.status is not Status.STOPPED:
        return run.status in PROBLEMS
    cause = run.record.get("cause") or {}
    return bool(cause) and cause.get("kind") not in WISHED
