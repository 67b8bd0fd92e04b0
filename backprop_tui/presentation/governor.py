"""The governor in one line: a word for its state, and clauses with the reasons or with the room that is left."""

from __future__ import annotations

from backprop_tui.domain.formatting import counted
from backprop_tui.domain.governor.governor_state import GovernorMode, GovernorState
from backprop_tui.domain.governor.reasons import Check
from backprop_tui.domain.governor.tokens import ROUNDING
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize

OPEN, WAITING, CONSERVATIVE, HELD, STARTING = "open", "waiting", "conservative", "held", "starting"
_STATES = {GovernorMode.OPEN: OPEN, GovernorMode.HOLDING: WAITING, GovernorMode.CONSERVATIVE: CONSERVATIVE}
_TITLES = {OPEN: "queue open", HELD: "queue held"}


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GovernorLine:
    """`state` is one of the constants of this module; the most blocking reason comes first."""

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
    state = _STATES[governor.state]
    if state != OPEN:
        return GovernorLine(state=state, clauses=tuple(sanitize(reason.message) for reason in governor.reasons))
    if not governor.waiting and not governor.active:
        return GovernorLine(state=state, clauses=("nothing is waiting",))
    room = room_clauses(governor.active, governor.max_parallel, governor.start_tokens)
    return GovernorLine(state=state, clauses=room)


def held_line(active: int) -> GovernorLine:
    still_running = f", {active} still running" if active else ""
    return GovernorLine(state=HELD, clauses=(f"nothing new starts{still_running}", "H releases"))


def status_clauses(governor: GovernorState) -> list[str]:
    """The state with the room that is left, then every reason that holds runs."""
    is_held = any(reason.check is Check.QUEUE_HELD for reason in governor.reasons)
    title = GovernorLine(state=HELD if is_held else _STATES[governor.state], clauses=()).title
    room = ", ".join(room_clauses(governor.active, governor.max_parallel, governor.start_tokens))
    return [f"{title}: {room}", *(reason.message for reason in governor.reasons)]


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
