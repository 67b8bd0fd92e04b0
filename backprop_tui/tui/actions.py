"""The list of all actions and their keys: source of bindings, footers, the help page and the palette."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from textual.binding import BindingType

from backprop_tui.domain.status import ACTIVE, ENDED, Status
from backprop_tui.tui.action import Action, Scope
from backprop_tui.tui.action import action_fields as _action
from backprop_tui.tui.action import action_group as _group

# Sections of the help page.
ANYWHERE, MOVE, RUNS, GROUP, LOG, METRICS = "Anywhere", "Move", "Selected or marked runs", "Group row", "Log", "Metrics"
DIALOGS = "Dialogs"


_PALETTE = "app.command_palette"
_NEXT: dict[str, Any] = {"shown": "]", "method": "turn_tab(1)"}
_PREVIOUS: dict[str, Any] = {"shown": "[", "method": "turn_tab(-1)"}
_RULE_UP: dict[str, Any] = {"shown": "{", "method": "move_rule(-1)", "title": "Make the list of runs smaller"}
_RULE_DOWN: dict[str, Any] = {"shown": "}", "method": "move_rule(1)", "title": "Make the list of runs larger"}
_ANYWHERE = _group(
    ANYWHERE,
    _action("help", "question_mark", "all keys", "this page", "Show all keys", shown="?", synonyms="shortcuts"),
    _action("palette", "ctrl+p colon", "commands", "command palette", "", shown="ctrl+p :", method=_PALETTE),
    _action("next_pane", "tab", "pane", "next pane", "Go to the next pane", method="other_pane"),
    _action("previous_pane", "shift+tab", "pane", "previous pane", "Go to the previous pane", method="other_pane"),
    _action("tab_1", "1", "log", "tab: log", "Show the log", method="tab(0)"),
    _action("tab_2", "2", "metrics", "tab: metrics", "Show metrics", method="tab(1)"),
    _action("tab_3", "3", "resources", "tab: resources", "Show resources", method="tab(2)"),
    _action("tab_4", "4", "details", "tab: details", "Show details", method="tab(3)", synonyms="why waiting reason"),
    _action("tab_5", "5", "events", "tab: events", "Show events", method="tab(4)"),
    _action("next_tab", "right_square_bracket", "next tab", "next tab", "Show the next tab", **_NEXT),
    _action(
        "previous_tab", "left_square_bracket", "previous tab", "previous tab", "Show the previous tab", **_PREVIOUS
    ),
    _action("zoom", "plus", "zoom", "zoom the pane", shown="+"),
    _action(
        "unzoom",
        "underscore",
        "unzoom",
        "unzoom; reset the rule",
        "Unzoom, or let the panes share the screen by themselves",
        shown="_",
    ),
    _action("rule_up", "left_curly_bracket", "smaller list", "smaller list of runs", **_RULE_UP),
    _action("rule_down", "right_curly_bracket", "larger list", "larger list of runs", **_RULE_DOWN),
    _action(
        "filter",
        "slash",
        "filter",
        "filter: lr=1e-3 since:7d",
        "Filter the runs",
        shown="/",
        synonyms="search find grep",
    ),
    _action("back", "escape", "back", "back, clear", "Go back, clear", shown="esc"),
    _action(
        "problem",
        "exclamation_mark",
        "next problem",
        "next problem",
        "Go to the next problem",
        shown="!",
        synonyms="error failure failed",
    ),
    _action("hold", "H", "hold queue", "hold or release the queue", synonyms="pause queue held"),
    _action(
        "digest",
        "D",
        "what happened",
        "what happened",
        "Show what happened while you were away, or in the last day",
        synonyms="digest away summary",
    ),
    _action(
        "settings", "comma", "settings", "settings", "Change settings", shown=",", synonyms="config preferences options"
    ),
    _action("theme", "T", "theme", "next theme", "Use the next theme", synonyms="colors dark light"),
    _action("redraw", "ctrl+l", "redraw", "redraw the screen"),
    _action("suspend", "", "suspend", "suspend", "Suspend the dashboard", shown="ctrl+z", method="app.suspend_process"),
    _action("leave", "q", "leave", "leave, runs continue", synonyms="quit exit close log out logout stop all"),
)
_MOVE = _group(
    MOVE,
    _action("down", "j down", "down", "line down", "Go a line down", method="move(1)"),
    _action("up", "k up", "up", "line up", "Go a line up", method="move(-1)"),
    _action("top", "g home", "top", "top", "Go to the top"),
    _action("end", "G end", "end", "end", "Go to the end"),
    _action("half_down", "ctrl+d", "half page down", "half a page down", "Go half a page down", method="page(0.5)"),
    _action("half_up", "ctrl+u", "half page up", "half a page up", "Go half a page up", method="page(-0.5)"),
    _action("page_down", "pagedown", "page", "page down", "Go a page down", shown="pgdn", method="page(0.9)"),
    _action("page_up", "pageup", "page", "page up", "Go a page up", shown="pgup", method="page(-0.9)"),
    _action("fold", "h left", "fold", "fold the group", method="fold(True)"),
    _action("unfold", "l right", "unfold", "unfold the group", method="fold(False)"),
    _action("open", "enter", "open", "into the run, and back", "Open the run, or go back"),
)
_ENDED_ALREADY = dict.fromkeys(ENDED, "has ended. r resumes it") | {Status.COMPLETED: "has ended. r runs it again"}
_NOT_ENDED = {
    Status.QUEUED: "is waiting. s takes it out of the queue",
    **dict.fromkeys(ACTIVE, "has not ended. s stops it"),
    Status.STOPPING: "is being stopped and has not ended yet",
}
_RESUME: dict[str, Any] = {
    "refusals": _NOT_ENDED | {Status.QUEUED: "is waiting to start already", Status.PAUSED: "is paused. p continues it"}
}
_STOP: dict[str, Any] = {"refusals": _ENDED_ALREADY | {Status.STOPPING: "is being stopped already. S kills it now"}}
_KILL: dict[str, Any] = {"refusals": _ENDED_ALREADY}
_PAUSE: dict[str, Any] = {
    "refusals": _ENDED_ALREADY
    | {Status.QUEUED: "is waiting. H holds the queue", Status.STOPPING: "is being stopped and cannot be paused"}
}
_TIME: dict[str, Any] = {"refusals": _ENDED_ALREADY | {Status.STOPPING: "is being stopped. r resumes it after its end"}}
_IN_QUEUE: dict[str, Any] = {"refusals": dict.fromkeys(set(Status) - {Status.QUEUED}, "is not in the queue")}
_LATER: dict[str, Any] = _IN_QUEUE | {"method": "move_in_queue(1)"}
_SOONER: dict[str, Any] = _IN_QUEUE | {"method": "move_in_queue(-1)"}
_RETRY: dict[str, Any] = {"refusals": dict.fromkeys(set(Status) - {Status.FAILED, Status.LOST}, "did not fail")}
_REMOVE: dict[str, Any] = {"refusals": _NOT_ENDED, "with_runs": True}
_RUNS = _group(
    RUNS,
    _action("new", "n", "new", "new run", "Start a new run", synonyms="start submit launch queue add"),
    _action(
        "copy_as_new",
        "N",
        "rerun",
        "rerun with a change",
        "Rerun with a change: a new run like this one",
        synonyms="clone duplicate rerun copy repeat",
    ),
    _action(
        "stop",
        "s",
        "stop",
        "stop, saving first",
        "Stop the run, saving first",
        **_STOP,
        synonyms="cancel end terminate",
    ),
    _action("kill", "S", "kill", "kill now", "Kill the run now", **_KILL, synonyms="cancel terminate"),
    _action(
        "pause",
        "p",
        "pause",
        "pause, continue",
        "Pause or continue the run",
        **_PAUSE,
        synonyms="continue suspend freeze",
    ),
    _action(
        "resume",
        "r",
        "resume",
        "resume or retry",
        "Resume or retry the run",
        **_RESUME,
        synonyms="rerun restart again continue",
    ),
    _action(
        "time",
        "t",
        "time",
        "more time",
        "Give the run more time",
        **_TIME,
        synonyms="extend timebox limit minutes longer duration timeout",
    ),
    _action(
        "edit",
        "e",
        "edit",
        "edit",
        "Edit name, tags, limits",
        with_runs=True,
        synonyms="rename tag note priority change",
    ),
    _action(
        "later",
        "J",
        "later",
        "later in the queue",
        "Move the run later in the queue",
        **_LATER,
        synonyms="priority down reorder queue",
    ),
    _action(
        "sooner",
        "K",
        "earlier",
        "earlier in the queue",
        "Move the run earlier in the queue",
        **_SOONER,
        synonyms="priority up reorder queue",
    ),
    _action("remove", "d", "remove", "remove ended runs", **_REMOVE, synonyms="delete erase"),
    _action("mark", "space", "mark", "mark", "Mark the run"),
    _action("mark_all", "asterisk", "mark all", "mark all shown, or none", shown="*"),
    _action("undo", "U", "undo", "undo the last change", "Undo the last remove, edit, setting, pin, move or hold"),
    _action("compare", "c", "compare", "compare; group: curves", synonyms="diff"),
    _action("copy", "y", "copy", "copy id, path, command", synonyms="clipboard yank"),
    _action("pager", "o", "pager", "log in $PAGER", "Open the log in $PAGER", synonyms="less"),
    _action(
        "editor",
        "O",
        "editor",
        "failing line in $EDITOR",
        "Open the failing line in $EDITOR",
        synonyms="open file traceback",
    ),
    _action("view", "v", "columns", "sort and columns", "Change order and columns", synonyms="sort order columns"),
    _action("sort_right", "greater_than_sign", "sort", "sort by the next column", shown=">", method="sort_by(1)"),
    _action("sort_left", "less_than_sign", "sort", "sort by the previous one", shown="<", method="sort_by(-1)"),
    _action("reverse", "equals_sign", "reverse", "reverse the order", shown="="),
    _action("next_state", "F", "by state", "show only the next state", synonyms="waiting running failed completed"),
    _action("older", "a", "older", "show or hide older runs"),
)
_EMPTY = _group(
    "",  # shown on the main screen itself
    _action("example", "e", "example", title="Run the example", with_runs=False),
    _action("demo", "d", "demo", title="Show the demo", with_runs=False),
)
_GROUP = _group(
    GROUP,
    _action(
        "retry_group",
        "R",
        "retry failed",
        "retry its failed runs",
        "Retry the failed runs of the group",
        **_RETRY,
        synonyms="rerun restart",
    ),
    _action("best", "b", "best", "go to its best run", "Go to the best run of the group", synonyms="top winner"),
    _action("pin", "P", "pin baseline", "pin, unpin the baseline", "Pin the baseline of the group, or unpin it"),
)
_LOG = _group(
    LOG,
    _action("follow", "f", "follow", "follow", "Follow the log"),
    _action("wrap", "w", "wrap", "wrap", "Wrap the log"),
)
_CHARTS = _group(
    METRICS,
    _action("next_metric", "m", "metrics", "choose metrics"),
    _action("axis", "x", "by time", "step, run time or clock", "Change the x axis: step, run time or clock"),
    _action("plan", "X", "planned end", "x to planned end, or fit", "Extend the x axis to the planned end, or fit it"),
    _action("log_scale", "L", "log scale", "logarithmic scale", "Switch the logarithmic scale", synonyms="logarithmic"),
    _action("smooth", "z", "smooth", "smoothing", "Change the smoothing", synonyms="average ema"),
    _action("zoom_in", "i", "zoom in", "zoom in; wheel, drag too", "Zoom into the chart"),
    _action("zoom_out", "u", "zoom out", "zoom out", "Zoom out of the chart"),
    _action("metrics_grid", "M", "grid", "grid of all, and back", "Show a grid of all metrics, or one"),
    _action("export", "E", "export", "export CSV", "Export metrics as CSV", synonyms="save write"),
)
MAIN_ACTIONS = (*_ANYWHERE, *_MOVE, *_RUNS, *_EMPTY, *_GROUP, *_LOG, *_CHARTS)

LOG_ACTIONS = _group(
    LOG,
    _action("mark", "space", "mark", "mark the line"),
    _action("mark_down", "J shift+down", "mark down", "mark lines down, up", shown="J K", method="extend_marks(1)"),
    _action("mark_up", "K shift+up", "mark up", shown="K", method="extend_marks(-1)"),
    _action("copy_lines", "y", "copy", "copy line or marked lines"),
    _action("filter_lines", "ampersand", "only lines with", "show only matching lines", shown="&"),
    _action("follow", "f", "follow"),
    _action("wrap", "w", "wrap"),
    _action("next_match", "n", "next match", "next, previous match", shown="n N", method="match(True)"),
    _action("previous_match", "N", "previous match", method="match(False)"),
    _action("search", "slash", "search", shown="/"),
    _action("line_number", "", "line", "go to that line", shown=": 812", method=_PALETTE),
    _action("next_error", "exclamation_mark", "next error", "next error line", shown="!"),
    _action("end_search", "escape", "clear", "end search, filter, marks", shown="esc"),
    _action("log_left", "h left", "left", method="scroll_sideways(-1)"),
    _action("log_right", "l right", "right", method="scroll_sideways(1)"),
    _action("line_start", "0", "line start", "line start, end", shown="0 $"),
    _action("line_end", "dollar_sign", "line end", shown="$"),
    scope=Scope.LOG,
)
_CHART_CURSOR = (
    _action("cursor_left", "h left", "cursor", shown="h l", method="cursor(-1)"),
    _action("cursor_right", "l right", "cursor right", method="cursor(1)"),
    _action("cursor_far_left", "shift+left", "cursor far left", method="cursor(-10)"),
    _action("cursor_far_right", "shift+right", "cursor far right", method="cursor(10)"),
)
METRICS_ACTIONS = _group(
    METRICS,
    *_CHART_CURSOR,
    _action("chart_leave_zoom", "escape", "zoom out", shown="esc", method="leave_zoom"),
    scope=Scope.METRICS,
)
GROUP_ACTIONS = _group(
    GROUP,
    _action("fold_row", "h left", "fold", shown="h", method="sideways(-1)"),
    _action("unfold_row", "l right", "unfold", "table: unfold a row", "", shown="l", method="sideways(1)"),
    _action("open_row", "enter", "open run", "table: open the best run", ""),
    _action("far_left", "shift+left", "cursor far left", method="sideways(-10)"),
    _action("far_right", "shift+right", "cursor far right", method="sideways(10)"),
    scope=Scope.GROUP,
)
_SCROLL = (
    _action("scroll_down", "j down", "down", method="scroll(1)"),
    _action("scroll_up", "k up", "up", method="scroll(-1)"),
    _action("scroll_page_down", "ctrl+d pagedown", "page down", method="scroll(12)"),
    _action("scroll_page_up", "ctrl+u pageup", "page up", method="scroll(-12)"),
    _action("scroll_to_top", "g home", "top", method="scroll(-1000000)"),
    _action("scroll_to_end", "G end", "end", method="scroll(1000000)"),
)
COMPARE_ACTIONS = _group(
    "",
    _action("columns_right", "right_square_bracket", "more runs", shown="]", method="columns(1)"),
    _action("best", "b", "best"),
    _action("metric", "m", "metric"),
    _action("axis", "x", "axis"),
    _action("log_scale", "L", "log"),
    _action("smooth", "z", "smooth"),
    _action("zoom_in", "i", "zoom in"),
    _action("zoom_out", "u", "out"),
    _action("all_options", "a", "all options"),
    _action("copy_ids", "y", "copy"),
    _action("export", "E", "export CSV"),
    _action("columns_left", "left_square_bracket", "runs before", shown="[", method="columns(-1)"),
    _action("leave_zoom", "escape", "back", shown="esc"),
    _action("close", "q c", "back", method="dismiss"),
    *_SCROLL,
    *_CHART_CURSOR,
    scope=Scope.COMPARE,
)
SETTINGS_ACTIONS = _group(
    "",
    _action("change", "enter", "change"),
    _action("find", "slash", "find a setting", shown="/"),
    _action("default", "delete", "default", shown="del"),
    _action("undo", "U", "undo"),
    _action("back", "escape q comma", "back", shown="esc"),
    _action("down", "j down", "down", method="move(1)"),
    _action("up", "k up", "up", method="move(-1)"),
    _action("top", "g home", "top", method="move(-1000)"),
    _action("end", "G end", "end", method="move(1000)"),
    _action("page_down", "ctrl+d pagedown", "page down", method="move(12)"),
    _action("page_up", "ctrl+u pageup", "page up", method="move(-12)"),
    scope=Scope.SETTINGS,
)
HELP_ACTIONS = _group(
    "",
    _action("find", "slash", "find a key or word", shown="/"),
    *_SCROLL,
    _action("back", "escape", "back", shown="esc"),
    _action("close", "q question_mark", "back", method="dismiss"),
    scope=Scope.HELP,
)
DIGEST_ACTIONS = _group(
    "",
    _action("show", "enter exclamation_mark", "open the first failure", method="answer('show')"),
    _action("retry", "R", "retry", method="answer('retry')"),
    _action("close", "escape q D", "close", shown="esc", method="answer('close')"),
    *_SCROLL,
    _action("scroll_page", "space", "page down", method="scroll(12)"),
    scope=Scope.DIGEST,
)
TEXT_ACTIONS = _group(
    "", _action("close", "escape q", "back", shown="esc", method="dismiss"), *_SCROLL, scope=Scope.TEXT
)
MENU_ACTIONS = _group(
    DIALOGS,
    _action("choose", "enter", "choose", "do the marked, or its key"),
    _action("cancel", "escape q", "cancel", "leave a dialog", shown="esc"),
    _action("next_answer", "j down", "next", method="move(1)"),
    _action("previous_answer", "k up", "previous", method="move(-1)"),
    _action("first_answer", "g home", "first", method="move(-1000)"),
    _action("last_answer", "G end", "last", method="move(1000)"),
    scope=Scope.MENU,
)
FORM_ACTIONS = _group(
    DIALOGS,
    _action("close", "escape", "close", "cancel; a draft is kept", shown="esc"),
    _action("next_field", "down", "next field"),
    _action("previous_field", "up shift+tab", "previous field"),
    scope=Scope.FORM,
)
COLUMN_ACTIONS = _group(
    DIALOGS,
    _action("toggle_column", "space", "show", "columns: show or hide"),
    _action("sort", "enter", "sort", "columns: sort, reverse"),
    _action("reset", "delete", "reset all", "columns, order: default", shown="del"),
    _action("close", "escape q v", "close", shown="esc"),
    _action("next_column", "j down", "next", method="move(1)"),
    _action("previous_column", "k up", "previous", method="move(-1)"),
    _action("column_page_down", "ctrl+d pagedown", "page down", method="move(10)"),
    _action("column_page_up", "ctrl+u pageup", "page up", method="move(-10)"),
    _action("first_column", "g home", "first", method="move(-1000)"),
    _action("last_column", "G end", "last", method="move(1000)"),
    scope=Scope.COLUMNS,
)
NEW_RUN_ACTIONS = _group(
    DIALOGS,
    _action("complete", "tab", "next field", "next field, rest of path"),
    _action("queue_and_stay", "ctrl+n", "queue and keep open", "queue, then another"),
    _action("more", "ctrl+o", "more fields", "more fields, or fewer"),
    _action("undo", "ctrl+z", "undo", "undo a change of the form"),
    _action("recent", "ctrl+r", "history", "recent commands"),
    _action("editor", "ctrl+e", "editor", "the command in $EDITOR", priority=True),
    _action("clear", "ctrl+l", "clear", "clear the form"),
    _action("remove_argument", "", "remove", "remove argument, or undo", shown="ctrl+d"),
    _action("switch_sweep", "ctrl+s", "sweep", "a,b,c: sweep or one value"),
    scope=Scope.NEW_RUN,
)
_FORM_ENTER = _group(
    DIALOGS, _action("submit", "", "submit", "submit; row with +: add", shown="enter"), scope=Scope.FORM
)

ACTIONS = (
    *MAIN_ACTIONS,
    *LOG_ACTIONS,
    *METRICS_ACTIONS,
    *GROUP_ACTIONS,
    *COMPARE_ACTIONS,
    *SETTINGS_ACTIONS,
    *HELP_ACTIONS,
    *DIGEST_ACTIONS,
    *TEXT_ACTIONS,
    *MENU_ACTIONS,
    *COLUMN_ACTIONS,
    *NEW_RUN_ACTIONS,
    *_FORM_ENTER,
    *FORM_ACTIONS,
)
BY_ID = {action.id: action for action in MAIN_ACTIONS}
CHANGING_COMMANDS = frozenset(action.command for action in MAIN_ACTIONS if action.changes)


def bindings(actions: Iterable[Action]) -> list[BindingType]:
    return [action.binding for action in actions if action.keys]
