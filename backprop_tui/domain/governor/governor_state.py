"""The governor as people see it: open, holding or conservative, why, and in which words."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from backprop_tui.domain.formatting import counted
from backprop_tui.domain.governor.admission import Hold, conservative_because, one_at_a_time
from backprop_tui.domain.governor.reasons import Check, HoldReason, most_blocking_first
from backprop_tui.domain.governor.snapshot import Snapshot
from backprop_tui.domain.governor.tokens import ROUNDING, is_limited
from backprop_tui.domain.values import dataclass


class GovernorMode(StrEnum):
    """Whether runs start, in the words of the public interface."""

    OPEN = "open"
    HOLDING = "holding"
    CONSERVATIVE = "conservative"  # blind to something: one run at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class GovernorState:
    """The governor after a pass over the queue.

    `reasons` are those of all held runs, each check once for each GPU. `start_tokens` is None where starts are not
    limited; `max_parallel` 0 is no limit. `waiting` counts the queue, `active` what was admitted and has not ended.
    """

    state: GovernorMode
    reasons: tuple[HoldReason, ...]
    start_tokens: float | None
    start_burst: int
    active: int
    max_parallel: int
    waiting: int
    queue_held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GovernorLine:
    """A word for the state and clauses for what stands behind it, the most blocking first."""

    word: str
    clauses: tuple[str, ...]


def governor_state(snapshot: Snapshot, holds: Iterable[Hold], *, waiting: int) -> GovernorState:
    """The governor after a pass.

    Args:
        snapshot: The machine with all that this pass started.
        holds: What was decided of the runs that were not started, in the order of the queue.
        waiting: How many runs are queued now.
    """
    because = conservative_because(snapshot)
    blind = [] if because is None else [one_at_a_time(because, len(snapshot.active))]
    reasons = _distinct([*blind, *(reason for hold in holds for reason in hold.reasons)])
    holding = GovernorMode.HOLDING if reasons or snapshot.queue_held else GovernorMode.OPEN
    limits = snapshot.limits
    return GovernorState(
        state=GovernorMode.CONSERVATIVE if blind else holding,
        reasons=reasons,
        start_tokens=snapshot.bucket.tokens if is_limited(limits) else None,
        start_burst=limits.start_burst,
        active=len(snapshot.active),
        max_parallel=limits.max_parallel,
        waiting=waiting,
        queue_held=snapshot.queue_held,
    )


def governor_line(governor: GovernorState | None) -> GovernorLine:
    """The governor in one line; None is a machine without a living supervisor."""
    if governor is None:
        return GovernorLine(word="no supervisor", clauses=("nothing starts; taking over",))
    if governor.queue_held:
        go_on = f", {governor.active} go on" if governor.active else ""
        return GovernorLine(word="held by you", clauses=(f"nothing new starts{go_on}", "H releases"))
    if governor.state is GovernorMode.OPEN:
        return GovernorLine(word=governor.state.value, clauses=_room(governor))
    return GovernorLine(word=governor.state.value, clauses=tuple(reason.message for reason in governor.reasons))


def _distinct(reasons: Iterable[HoldReason]) -> tuple[HoldReason, ...]:
    """Each check once for each GPU, as the first run in the queue meets it; to wait for a run is no hold of ours."""
    first: dict[tuple[Check, int | None], HoldReason] = {}
    for reason in reasons:
        if reason.check is not Check.DEPENDENCY:
            first.setdefault((reason.check, reason.gpu), reason)
    return most_blocking_first(first.values())


def _room(governor: GovernorState) -> tuple[str, ...]:
    """What an open governor still has to give."""
    if not governor.waiting and not governor.active:
        return ("nothing waits",)
    of = f" of {governor.max_parallel}" if governor.max_parallel > 0 else ""
    parallel = f"{governor.active}{of} in parallel"
    if governor.start_tokens is None:
        return (parallel,)
    return f"{counted(int(governor.start_tokens + ROUNDING), 'start')} free", parallel
