"""Which actions the footer of the main screen shows, for the row under the cursor and the pane with the focus."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from backprop_tui.domain.status import ACTIVE, ENDED, Status
from backprop_tui.tui.action import Action
from backprop_tui.tui.actions import BY_ID, LOG_ACTIONS

REMEDY_FOOTER = (
    replace(BY_ID["open"], id="remedy", short="remedy"),
    *(BY_ID[id_] for id_ in ("later", "sooner", "edit", "stop", "hold", "back", "palette", "leave")),
)
FILTER_FOOTER = (replace(BY_ID["open"], short="show runs"), replace(BY_ID["back"], short="cancel"))
_IN_LOG = {action.id: action for action in LOG_ACTIONS}
_SEARCH_IDS = ("next_match", "previous_match")
_LOG_IDS = ("search", "filter_lines", "next_error", "mark", "copy_lines", "follow", "wrap", "line_number")

# In a footer what fits is shown, from the first on, and the last in any case: 7 or 8 keys in 80 columns.
_LAST = ("palette", "copy_as_new", "kill", "leave")
_COMMON = ("filter", "mark", "compare", "zoom", "copy", "pager", "hold", "view", *_LAST)
_NOTHING_SELECTED = ("new", "hold", "settings", "palette", "leave")
_EMPTY_STORE = ("new", "example", "demo", "settings", "palette", "leave")
_ACTIVE = ("new", "stop", "pause", "time", "edit", *_COMMON)
_PAUSED = ("pause", "stop", "new", "time", "edit", *_COMMON)
_QUEUED = ("later", "sooner", "edit", "stop", "filter", "new", "hold", "mark", "zoom", *_LAST)
_ENDED = ("resume", "copy_as_new", "new", "filter", "pager", "copy", "remove", "problem", "mark", "compare", "leave")
_ENDED_GROUP = ("fold", "unfold", "best", "filter", "retry_group", "compare", "resume", "remove", "new", "leave")
_ACTIVE_GROUP = ("fold", "unfold", "stop", "pause", "filter", "mark", "retry_group", "best", "new", "leave")


def log_footer(*, searching: bool, escapable: bool) -> Sequence[Action]:
    """Returns what applies while the log has the focus; `escapable`: a search, a filter or marks can be ended."""
    ids = (*(_SEARCH_IDS if searching else ()), *(("end_search",) if escapable else ()), *_LOG_IDS)
    return [*(_IN_LOG[action_id] for action_id in ids), BY_ID["editor"], BY_ID["pager"], BY_ID["zoom"], BY_ID["back"]]


def footer_actions(
    status: Status | None,
    *,
    group: AbstractSet[Status] = frozenset(),
    marked: Sequence[Status] = (),
    empty: bool = False,
) -> Sequence[Action]:
    """Returns what applies to the selected row or to the marked runs, most likely first.

    Args:
        status: Status of the selected run; None: no run is selected.
        group: Statuses of the members if the row is that of a group.
        marked: Statuses of the marked runs, to which the actions apply instead.
        empty: Whether the store has no run at all.
    """
    ids = _footer_ids(status, group=bool(group), empty=empty)
    if len(marked) > 1:
        ids = list(dict.fromkeys(("compare", *ids)))
    actions = [BY_ID[action_id] for action_id in ids]
    statuses: AbstractSet[Status | None] = {*marked} or group or {status}
    if not empty:
        actions = [action for action in actions if any(other not in action.refusals for other in statuses)]
    if group == {Status.COMPLETED}:
        actions = [action for action in actions if action.id != "resume"]  # it would start all of them again
    if group and not marked:
        return [replace(action, short="curves") if action.id == "compare" else action for action in actions]
    if status is Status.PAUSED:
        return [replace(action, short="continue") if action.id == "pause" else action for action in actions]
    return actions


def footer_now(actions: Iterable[Action], *, held: bool, problem: str) -> list[Action]:
    """The actions of a footer, named by what they do now; that which goes to a problem only if there is one."""
    useful = [action for action in actions if action.id != "problem" or problem]
    return [replace(action, short="release") if action.id == "hold" and held else action for action in useful]


def _footer_ids(status: Status | None, *, group: bool, empty: bool) -> Sequence[str]:
    if empty:
        return _EMPTY_STORE
    if group:
        return _ENDED_GROUP if status in ENDED else _ACTIVE_GROUP
    if status is None:
        return _NOTHING_SELECTED
    if status is Status.QUEUED:
        return _QUEUED
    if status is Status.PAUSED:
        return _PAUSED
    return _ACTIVE if status in ACTIVE else _ENDED
