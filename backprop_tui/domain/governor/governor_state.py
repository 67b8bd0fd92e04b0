"""The state of the governor: open, holding or conservative, with the reasons."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from backprop_tui.domain.governor.admission import Hold, conservative_hold, conservative_reason
from backprop_tui.domain.governor.reasons import Check, HoldReason, most_blocking_first
from backprop_tui.domain.governor.snapshot import MachineSnapshot
from backprop_tui.domain.governor.tokens import is_limited
from backprop_tui.domain.lazy_dataclass import lazy_dataclass


class GovernorMode(StrEnum):
    """Whether runs start, with the values of the public interface."""

    OPEN = "open"
    HOLDING = "holding"
    CONSERVATIVE = "conservative"  # readings are missing: one run at a time


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GovernorState:
    """The governor after a pass over the queue.

    `reasons` are those of the first held run: others have limits of their own. `start_tokens` is None if starts are not
    limited; `max_parallel` 0 means no limit. `waiting` counts queued runs, `active` those admitted and not ended.
    """

    state: GovernorMode
    reasons: tuple[HoldReason, ...]
    start_tokens: float | None
    start_burst: int
    active: int
    max_parallel: int
    waiting: int
    queue_held: bool = False


def governor_state(snapshot: MachineSnapshot, holds: Iterable[Hold], *, waiting: int) -> GovernorState:
    """Returns the state of the governor after a pass, with the runs that it started already in the snapshot.

    `holds` are the decisions about the other runs, in the order of the queue. `waiting` counts the queued runs.
    """
    reason = conservative_reason(snapshot)
    blind = [] if reason is None else [conservative_hold(reason, len(snapshot.active))]
    reasons = _distinct_reasons([*blind, *_first_in_line(holds)])
    holding = GovernorMode.HOLDING if reasons or snapshot.queue_held else GovernorMode.OPEN
    limits = snapshot.limits
    return GovernorState(
        state=GovernorMode.CONSERVATIVE if blind else holding,
        reasons=reasons,
        start_tokens=snapshot.bucket.tokens if is_limited(limits) else None,
        start_burst=limits.start_burst,
        active=len(snapshot.active),
        max_parallel=snapshot.max_parallel,
        waiting=waiting,
        queue_held=snapshot.queue_held,
    )


def _first_in_line(holds: Iterable[Hold]) -> list[HoldReason]:
    """Why the first run in the queue waits; a run with a reason that is about it alone comes after the others.

    Dependencies, and what the machine can never satisfy, are about one run and hold no other one.
    """
    later: list[HoldReason] = []
    for hold in holds:
        reasons = [reason for reason in hold.reasons if reason.check is not Check.DEPENDENCY and not reason.permanent]
        if reasons and len(reasons) == len(hold.reasons):
            return reasons
        later = later or reasons
    return later


def _distinct_reasons(reasons: Iterable[HoldReason]) -> tuple[HoldReason, ...]:
    """Each check once per GPU."""
    first: dict[tuple[Check, int | None], HoldReason] = {}
    for reason in reasons:
        first.setdefault((reason.check, reason.gpu), reason)
    return most_blocking_first(first.values())
