"""The one registry of what keys do: footer, help, palette and bindings are made from it."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.domain.status import ACTIVE, ENDED, Status
from backprop_tui.domain.values import dataclass

ANYWHERE, MOVE, RUNS, GROUP, LOG, METRICS = "Anywhere", "Move", "Selected or marked runs", "Group row", "Log", "Metrics"
DIALOGS = "Dialogs"
SECTIONS = (ANYWHERE, MOVE, RUNS, GROUP, LOG, METRICS, DIALOGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something a key does.

    `keys` are Textual's names, the first is the one that is shown as `shown`. `word` stands in the footer, `help` on
    the help page and in the palette. Without keys: the pane that is named by the section has them itself. `built` is
    False for what is registered and not there yet.
    """

    id: str
    keys: tuple[str, ...]
    shown: str
    word: str
    help: str
    section: str
    built: bool = True

    @property
    def title(self) -> str:
        """As the palette calls it: a verb and what it is done to."""
        return _TITLES.get(self.id) or self.help[:1].upper() + self.help[1:]


def _action(id: str, keys: str, shown: str, word: str, help: str, section: str, *, built: bool = True) -> Action:  # noqa: A002
    return Action(id=id, keys=tuple(keys.split()), shown=shown, word=word, help=help, section=section, built=built)


ACTIONS: tuple[Action, ...] = (
    _action("help", "question_mark", "?", "all keys", "this page", ANYWHERE),
    _action("palette", "ctrl+p colon", "ctrl+p :", "commands", "command palette", ANYWHERE),
    _action("next_pane", "tab", "tab", "pane", "next pane", ANYWHERE),
    _action("previous_pane", "shift+tab", "shift+tab", "pane", "previous pane", ANYWHERE),
    _action("tab_1", "1", "1", "log", "tab: log", ANYWHERE),
    _action("tab_2", "2", "2", "metrics", "tab: metrics", ANYWHERE),
    _action("tab_3", "3", "3", "resources", "tab: resources", ANYWHERE),
    _action("tab_4", "4", "4", "details", "tab: details", ANYWHERE),
    _action("tab_5", "5", "5", "events", "tab: events", ANYWHERE),
    _action("next_tab", "right_square_bracket", "]", "next tab", "next tab", ANYWHERE),
    _action("previous_tab", "left_square_bracket", "[", "previous tab", "previous tab", ANYWHERE),
    _action("zoom", "plus", "+", "zoom", "zoom the pane", ANYWHERE),
    _action("unzoom", "underscore", "_", "unzoom", "unzoom", ANYWHERE),
    _action("filter", "slash", "/", "filter", "filter the runs", ANYWHERE),
    _action("back", "escape", "esc", "back", "back, clear", ANYWHERE),
    _action("problem", "exclamation_mark", "!", "next problem", "next problem", ANYWHERE),
    _action("hold", "H", "H", "hold queue", "hold or release the queue", ANYWHERE),
    _action("digest", "D", "D", "digest", "while you were away", ANYWHERE),
    _action("settings", "comma", ",", "settings", "settings", ANYWHERE),
    _action("theme", "T", "T", "theme", "next theme", ANYWHERE),
    _action("redraw", "ctrl+l", "ctrl+l", "redraw", "draw the screen again", ANYWHERE),
    _action("suspend", "ctrl+z", "ctrl+z", "suspend", "suspend", ANYWHERE),
    _action("leave", "q", "q", "leave", "leave, runs go on", ANYWHERE),
    _action("down", "j down", "j", "down", "line down", MOVE),
    _action("up", "k up", "k", "up", "line up", MOVE),
    _action("top", "g home", "g", "top", "top", MOVE),
    _action("end", "G end", "G", "end", "end", MOVE),
    _action("half_down", "ctrl+d", "ctrl+d", "half a page", "half a page down", MOVE),
    _action("half_up", "ctrl+u", "ctrl+u", "half a page", "half a page up", MOVE),
    _action("page_down", "pagedown", "pgdn", "page", "page down", MOVE),
    _action("page_up", "pageup", "pgup", "page", "page up", MOVE),
    _action("fold", "h left", "h", "fold", "fold the group", MOVE),
    _action("unfold", "l right", "l", "unfold", "unfold the group", MOVE),
    _action("open", "enter", "enter", "open", "into the run, and back", MOVE),
    _action("new", "n", "n", "new", "new run", RUNS),
    _action("copy_as_new", "N", "N", "copy as new", "new run like this one", RUNS),
    _action("stop", "s", "s", "stop", "stop, saving first", RUNS),
    _action("kill", "S", "S", "kill", "kill now", RUNS),
    _action("pause", "p", "p", "pause", "pause, continue", RUNS),
    _action("resume", "r", "r", "resume", "resume or retry", RUNS),
    _action("time", "t", "t", "time", "more time", RUNS),
    _action("edit", "e", "e", "edit", "edit name, tags, limits", RUNS),
    _action("later", "J", "J", "later", "later in the queue", RUNS),
    _action("sooner", "K", "K", "sooner", "sooner in the queue", RUNS),
    _action("remove", "d", "d", "remove", "remove what has ended", RUNS),
    _action("mark", "space", "space", "mark", "mark", RUNS),
    _action("compare", "c", "c", "compare", "compare marked runs", RUNS),
    _action("copy", "y", "y", "copy", "copy id, path, command", RUNS),
    _action("pager", "o", "o", "pager", "log in $PAGER", RUNS),
    _action("view", "v", "v", "view", "view: sort, columns", RUNS),
    _action("older", "a", "a", "older", "show older runs, or not", RUNS),
    _action("retry_group", "R", "R", "retry failed", "retry its failed runs", GROUP),
    _action("best", "b", "b", "best", "go to its best run", GROUP),
    _action("follow", "f", "f", "follow", "follow", LOG),
    _action("wrap", "w", "w", "wrap", "wrap", LOG),
    _action("log_match", "", "n N", "next match", "next, previous match", LOG),
    _action("log_error", "", "!", "next error", "next error line", LOG),
    _action("log_ends", "", "0 $", "line ends", "line start, end", LOG),
    _action("metrics_choose", "m", "m", "metrics", "choose metrics", METRICS),
    _action("axis", "x", "x", "by time", "step, run time or clock", METRICS),
    _action("log_scale", "L", "L", "log scale", "logarithmic scale", METRICS),
    _action("smooth", "z", "z", "smooth", "smoothing", METRICS),
    _action("chart_in", "i", "i", "zoom in", "zoom in; wheel, drag too", METRICS),
    _action("chart_out", "u", "u", "zoom out", "zoom out", METRICS),
    _action("metrics_grid", "M", "M", "grid", "grid of all, and back", METRICS),
    _action("export", "E", "E", "export", "export CSV", METRICS),
    _action("dialog_next", "", "tab", "next field", "next field, rest of path", DIALOGS),
    _action("dialog_do", "", "enter", "do it", "do it", DIALOGS),
    _action("dialog_again", "", "ctrl+n", "queue, stay", "queue, then another", DIALOGS),
    _action("dialog_recent", "", "ctrl+r", "recent", "what was run before", DIALOGS),
    _action("dialog_leave", "", "esc", "cancel", "cancel; a draft is kept", DIALOGS),
)
_TITLES = {  # of those whose help is short for want of room
    "help": "Show all keys",
    "next_pane": "Go to the next pane",
    "previous_pane": "Go to the previous pane",
    "tab_1": "Show the log",
    "tab_2": "Show metrics",
    "tab_3": "Show resources",
    "tab_4": "Show details",
    "tab_5": "Show events",
    "next_tab": "Show the next tab",
    "previous_tab": "Show the previous tab",
    "unzoom": "Unzoom the pane",
    "back": "Go back, clear",
    "problem": "Go to the next problem",
    "digest": "Show what happened while you were away",
    "settings": "Change settings",
    "theme": "Use the next theme",
    "suspend": "Suspend the dashboard",
    "down": "Go a line down",
    "up": "Go a line up",
    "top": "Go to the top",
    "end": "Go to the end",
    "half_down": "Go half a page down",
    "half_up": "Go half a page up",
    "page_down": "Go a page down",
    "page_up": "Go a page up",
    "open": "Open the run, or go back",
    "new": "Start a new run",
    "copy_as_new": "Start a new run like this one",
    "stop": "Stop the run, saving first",
    "kill": "Kill the run now",
    "pause": "Pause or continue the run",
    "resume": "Resume or retry the run",
    "time": "Give the run more time",
    "later": "Move the run later in the queue",
    "sooner": "Move the run sooner in the queue",
    "mark": "Mark the run",
    "pager": "Open the log in $PAGER",
    "view": "Change order and columns",
    "retry_group": "Retry what failed of the group",
    "best": "Go to the best run of the group",
    "follow": "Follow the log",
    "wrap": "Wrap the log",
    "axis": "Change the x axis: step, run time or clock",
    "log_scale": "Switch the logarithmic scale",
    "smooth": "Change the smoothing",
    "chart_in": "Zoom into the chart",
    "chart_out": "Zoom out of the chart",
    "metrics_grid": "Show a grid of all metrics, or one",
    "export": "Export metrics as CSV",
}
BY_ID = {action.id: action for action in ACTIONS}

_COMMON = ("mark", "compare", "filter", "zoom", "copy", "pager", "hold", "view", "palette", "leave")
_NOTHING_SELECTED = ("new", "hold", "settings", "palette", "leave")
_ACTIVE = ("new", "stop", "pause", "time", "edit", *_COMMON)
_PAUSED = ("pause", "stop", "new", "time", "edit", *_COMMON)
_QUEUED = ("later", "sooner", "edit", "stop", "hold", "mark", "filter", "new", "zoom", "palette", "leave")
_ENDED = ("resume", "copy_as_new", "problem", "pager", "copy", "remove", "mark", "compare", "new", "filter", "leave")
_GROUP_OVER = ("fold", "unfold", "best", "retry_group", "compare", "resume", "remove", "filter", "new", "leave")
_GROUP_ROW = ("fold", "unfold", "stop", "pause", "mark", "retry_group", "best", "filter", "new", "leave")


def footer_keys(status: Status | None, *, group: bool = False) -> Sequence[tuple[str, str]]:
    """Key and word of what applies to the selected row, most likely first; what is not there yet is left out."""
    ids = _ids(status, group=group)
    words = {"pause": "continue"} if status is Status.PAUSED else {}
    return [(BY_ID[one].shown.split(" ")[0], words.get(one, BY_ID[one].word)) for one in ids if BY_ID[one].built]


def beginning_keys() -> Sequence[tuple[str, str]]:
    """As `footer_keys`, where there is no run yet; the keys of runs that there are none of mean something else."""
    return [("n", "new"), ("e", "example"), ("d", "demo"), (",", "settings"), ("ctrl+p", "commands"), ("q", "leave")]


def _ids(status: Status | None, *, group: bool) -> Sequence[str]:
    if group:
        return _GROUP_OVER if status in ENDED else _GROUP_ROW
    if status is None:
        return _NOTHING_SELECTED
    if status is Status.QUEUED:
        return _QUEUED
    if status is Status.PAUSED:
        return _PAUSED
    return _ACTIVE if status in ACTIVE else _ENDED if status in ENDED else _NOTHING_SELECTED


def by_shown(key: str) -> Action | None:
    """The action of a key as the footer shows it."""
    return next((one for one in ACTIONS if key in one.shown.split(" ")), None)
