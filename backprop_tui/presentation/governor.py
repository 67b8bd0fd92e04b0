"""The governor in one line: a word for its state, and clauses with the reasons or with the room that is left."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.domain.formatting import counted
from backprop_tui.domain.governor.governor_state import GovernorMode, GovernorState
from backprop_tui.domain.governor.tokens import ROUNDING
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize

OPEN, WAITING, CONSERVATIVE, HELD, STARTING = "open", "waiting", "conservative", "held", "starting"
_STATES = {
    GovernorMode.OPEN.value: OPEN,
    GovernorMode.HOLDING.value: WAITING,
    GovernorMode.CONSERVATIVE.value: CONSERVATIVE,
}
_TITLES = {OPEN: "queue open", HELD: "queue held"}


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GovernorLine:
    """`state` is one of the constants of this module; the clauses stand with the most blocking reason first."""

    state: str
    clauses: tuple[str, ...]

    @property
    def title(self) -> str:
        return _TITLES.get(self.state, self.state)


def governor_line(governor: GovernorState | None) -> GovernorLine:
    """The governor for the dashboard; None is a machine without a living supervisor."""
    if governor is None:
        return GovernorLine(state=STARTING, clauses=("the background process",))
    if governor.queue_held:
        return held_line(governor.active)
    state = state_of(governor.state)
    if state != OPEN:
        return GovernorLine(state=state, clauses=tuple(sanitize(reason.message) for reason in governor.reasons))
    if not governor.waiting and not governor.active:
        return GovernorLine(state=state, clauses=("nothing is waiting",))
    return GovernorLine(
        state=state,
        clauses=room_clauses(governor.active, governor.max_parallel, governor.start_tokens),
    )


def held_line(active: int) -> GovernorLine:
    still_running = f", {active} still running" if active else ""
    return GovernorLine(state=HELD, clauses=(f"nothing new starts{still_running}", "H releases"))


def state_of(mode: str) -> str:
    return _STATES.get(mode, mode)


def state_title(mode: str, checks: Sequence[str]) -> str:
    """The state for a mode and the checks that hold runs, as people read it."""
    state = HELD if "queue_held" in checks else state_of(mode)
    return GovernorLine(state=state, clauses=()).title


def room_clauses(active: int, max_parallel: int, start_tokens: float | None) -> tuple[str, ...]:
    """What may still start: `1 of 2 slots used`, `3 starts left`."""
    if max_parallel <= 0:
        slots = f"{active} running"
    elif active > max_parallel:  # runs may bring a higher limit of their own
        slots = f"{active} running (limit for new runs: {max_parallel})"
    else:
        slots = f"{active} of {max_parallel} slots used"
    if start_tokens is None:
        return (slots,)
    return slots, f"{counted(int(start_tokens + ROUNDING), 'start')} left"
