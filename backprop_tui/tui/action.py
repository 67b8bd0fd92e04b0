"""An action of the dashboard: its keys, its texts, and when it applies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any

from textual.binding import Binding

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.status import Status


class Scope(StrEnum):
    """The screen or widget that has the bindings and the method of an action."""

    MAIN = "main"
    LOG = "log"
    METRICS = "metrics"
    GROUP = "group"
    COMPARE = "compare"
    SETTINGS = "settings"
    HELP = "help"
    DIGEST = "digest"
    TEXT = "text"
    MENU = "menu"
    COLUMNS = "columns"
    FORM = "form"
    NEW_RUN = "new_run"


# The actions that change something; those of the main screen may start with a dialog that does.
_CHANGING = {
    Scope.MAIN: (
        *("new", "copy_as_new", "example", "stop", "kill", "pause", "resume", "time", "edit"),
        *("later", "sooner", "remove", "retry_group", "pin", "hold", "undo", "remedy"),
    ),
    Scope.SETTINGS: ("change", "default", "undo"),
}


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    id: str  # unique within the scope; also the id of the binding
    scope: Scope = Scope.MAIN  # who carries it out
    keys: tuple[str, ...]  # Textual's names; empty for an action that is only listed on the help page
    shown: str  # the keys as people read them; the first word is shown in the footer
    short: str  # text in the footer
    help: str = ""  # text on the help page; empty: not listed there
    title: str = ""  # text in the command palette; empty: not offered there
    synonyms: str = ""  # other words that people search for
    section: str = ""  # of the help page
    method: str | None = None  # Textual's action string; None: the id
    refusals: Mapping[Status, str] = field(default_factory=dict)  # why not, behind the name of a run in this status
    priority: bool = False  # before the widget that has the focus
    with_runs: bool | None = None  # applies only while there are runs (True), or only while there are none (False)

    @property
    def command(self) -> str:
        return self.method or self.id

    @property
    def changes(self) -> bool:
        """Whether it changes runs, the queue or settings, or belongs to a dialog that does."""
        return self.id in _CHANGING.get(self.scope, ()) or self.scope in (Scope.FORM, Scope.NEW_RUN)

    @property
    def keys_in_footer(self) -> str:
        return self.shown if self.scope is Scope.METRICS else self.shown.partition(" ")[0]

    @property
    def binding(self) -> Binding:
        tooltip = self.help or self.short
        return Binding(
            ",".join(self.keys),
            self.command,
            self.short,
            show=False,
            id=self.id,
            tooltip=tooltip,
            priority=self.priority,
        )


def action_fields(
    id: str,  # noqa: A002 - the field's name
    keys: str,
    short: str,
    help: str = "",  # noqa: A002 - the field's name
    title: str | None = None,
    *,
    shown: str = "",
    **fields: Any,  # noqa: ANN401 - the other fields of Action
) -> dict[str, Any]:
    """Returns the fields of an action; the first key is shown by default. `action_group` adds section and scope."""
    title = help[:1].upper() + help[1:] if title is None else title
    return fields | {
        "id": id,
        "keys": tuple(keys.split()),
        "shown": shown or keys.partition(" ")[0],
        "short": short,
        "help": help,
        "title": title,
    }


def action_group(section: str, *actions: dict[str, Any], scope: Scope = Scope.MAIN) -> tuple[Action, ...]:
    return tuple(Action(section=section, scope=scope, **fields) for fields in actions)
