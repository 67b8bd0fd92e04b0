"""The settings screen: a list of keys with their values, and the meaning of the key under the cursor beside it."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.screen import Screen
from textual.widgets import Input

from backprop_tui.config.keys import KEYS
from backprop_tui.config.kinds import WrongValue, as_text
from backprop_tui.config.sources import config_command
from backprop_tui.domain.errors import BackpropError, ConfigError
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import MACHINE_SETTINGS
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.tui.actions import SETTINGS_ACTIONS, bindings
from backprop_tui.tui.background_calls import READ_ONLY
from backprop_tui.tui.commands import CommandRunner
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, LineBuilder, Piece, Token, clip, heading, left, wrapped
from backprop_tui.tui.panes.footer import KeysFooter, footer_texts
from backprop_tui.tui.settings_reader import WatchedSettings
from backprop_tui.tui.textual_patches.dismiss_once import DismissOnce
from backprop_tui.tui.textual_patches.line_input import LineInput
from backprop_tui.tui.widgets.line_widget import LineWidget

if TYPE_CHECKING:
    from backprop_tui.config.load import Settings

DEFAULT = "default"
ENVIRONMENT = "environment "
_TITLES = {"": "Limits", "gpu": "GPU", "run": "Runs"}  # other sections: their name
_UNITS = {"minutes": "min", "seconds": "s", "gb": "GB", "mb": "MB", "c": "°C"}  # by the last word of the key
_INPUT_FOOTER = (("enter", "write"), ("esc", "keep the value"))
_NEXT_VALUE = ("tab", "next value")
_STEPS = {"tab": 1, "down": 1, "shift+tab": -1, "up": -1}  # through the values of a setting that has only some
_FIND_FOOTER = (("enter", "go to the setting"), ("esc", "all settings"))
_BACK = ("esc", "back")
_DASHBOARD = "dashboard."
_NOTHING = Piece("")
_KEY, _LIST = 34, 62  # cells of the key, and of the list where the meaning stands beside it
_FACT = 10  # cells of the name of a fact
_MESSAGE_ROWS = 4  # at most
_LOOK_SECONDS = 1.0  # how often the files are looked at for changes by others
_MEANING_ROWS = 4  # at least, below the list
_BESIDE_FROM = 100  # columns; on narrower screens the meaning is below the list


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class SettingRow:
    """`value` is written as `config set` takes it; `section` is the heading of its rows.

    `problem` says what is wrong where it is set, so that this value applies in place of that one; `stronger` that the
    project's file or a variable has it, so that what the user's file says does not apply.
    """

    key: str
    section: str
    value: str
    origin: str
    help: str
    problem: str = ""
    stronger: str = ""

    @property
    def unit(self) -> str:
        """The unit of a number, as `min`; empty for other values."""
        is_number = self.value.replace(".", "", 1).isdecimal()
        return _UNITS.get(self.key.rpartition("_")[2], "") if is_number else ""

    def matches(self, search: str) -> bool:
        """Whether each word of the search is in the key or in its meaning; case is ignored."""
        key = KEYS[self.key]
        text = " ".join((self.key, self.section, self.help, key.synonyms, *key.kind.choices)).lower()
        return all(word in text for word in search.lower().split())


def settings_rows(settings: Settings) -> list[SettingRow]:
    return [_row(settings, name) for name, key in KEYS.items() if not key.sample]  # only an editor can change a table


def _row(settings: Settings, name: str) -> SettingRow:
    key, value = KEYS[name], sanitize(as_text(settings[name]))
    # The name of the variable, or of the file without its directories.
    origin = sanitize(settings.origin(name)).removeprefix(ENVIRONMENT).rpartition("/")[2]
    problems = [sanitize(str(problem)) for problem in settings.problems if problem.key == name]
    shown = value or "(empty)"
    applies = f"the default {shown} applies" if origin == DEFAULT else f"{shown} of {origin} applies"
    applies += " (a running supervisor keeps its own)" if name in MACHINE_SETTINGS else ""
    return SettingRow(
        key=name,
        section=_TITLES.get(key.section, key.section.capitalize()),
        value=value,
        origin=origin,
        help=key.help,
        problem=f"{applies}: {'; '.join(problems)}" if problems else "",
        stronger=sanitize(settings.stronger_than_file(name)),
    )


def _removal(error: ConfigError, config_path: str) -> str:
    """How to remove a key of the user's file that does not exist, and so has no row; empty for other errors."""
    if error.key is not None or error.repair is None or not error.where.startswith(f"{config_path}:"):
        return ""
    return f"; `{config_command(config_path)} {error.repair}` removes it"


def default_text(key: str) -> str:
    return as_text(KEYS[key].default)


def draw_settings_heading(path: str, width: int, glyphs: Glyphs, *, search: str) -> Line:
    title = [Piece("Settings", Token.ACCENT, bold=True), Piece(f" {path}".rstrip(), Token.MUTED)]
    title += [Piece(f"  /{search}", Token.ACCENT)] if search else []
    return heading([(2, title)], width, glyphs, focused=True)


def draw_settings(rows: Sequence[SettingRow], cursor: int, width: int, glyphs: Glyphs) -> tuple[list[Line], int]:
    """Returns the lines of the list, and the index of the one with the cursor."""
    lines: list[Line] = []
    at, section = 0, ""
    for index, row in enumerate(rows):
        if row.section != section:
            section = row.section
            lines += [*([()] if lines else []), (Piece(f"  {section}", bold=True),)]
        if index == cursor:
            at = len(lines)
        lines.append(_draw_row(row, width, glyphs, cursor=index == cursor))
    return lines, at


def _draw_row(row: SettingRow, width: int, glyphs: Glyphs, *, cursor: bool) -> Line:
    is_set = row.origin != DEFAULT
    builder = LineBuilder().put(f"{glyphs.cursor} " if cursor else "  ", Token.ACCENT)
    builder.put(left(row.key, min(_KEY, max(12, width // 2)), glyphs)).put(" ")
    unit = f" {row.unit}" if row.unit else ""
    sign = f"  {glyphs.state('failed')}" if row.problem else ""
    room = width - builder.column - cell_len(unit + sign) - 1
    builder.put(clip(row.value, max(1, room), glyphs), bold=is_set)
    line = builder.put(unit, Token.MUTED).put(sign, Token.BAD, bold=True).line()
    return tuple(piece._replace(click=f"screen.choose({row.key!r})") for piece in line)


def draw_meaning(row: SettingRow, width: int, glyphs: Glyphs) -> list[Line]:
    """Returns what the setting does, its values if there are only some, its default, and where its value comes from."""
    sentence = row.help[:1].upper() + row.help[1:]
    room = max(1, width - _FACT)
    choices = wrap(", ".join(KEYS[row.key].kind.choices), room, break_on_hyphens=False)
    facts = [("" if index else "values", line) for index, line in enumerate(choices)]
    facts += [("default", default_text(row.key))]
    facts += [("set in", row.origin)] if row.origin != DEFAULT else []
    facts += [("variable", KEYS[row.key].variable)]
    lines: list[Line] = [(Piece(clip(line, width, glyphs)),) for line in wrap(sentence, max(12, width))]
    for name, value in facts:
        lines.append((Piece(f"{name:<{_FACT}}", Token.MUTED), Piece(clip(value, room, glyphs), Token.MUTED)))
    return lines


class SettingsList(LineWidget):
    WHEEL_ROWS = 3

    def piece_at(self, event: events.Click) -> Piece:
        """A click on the blanks at the end of a row is about its setting, too."""
        return next(iter(self._lines[event.y]), _NOTHING) if event.y < len(self._lines) else _NOTHING

    def turn_wheel(self, rows: int) -> None:
        self.call_later(self.run_action, f"screen.move({rows})")


class SettingsScreen(DismissOnce, Screen[None]):
    """The cursor is on one key, whose value is edited in an input at the bottom; enter writes it to the file."""

    CSS_PATH = "../dialogs.tcss"
    AUTO_FOCUS = ""  # an input has the focus only while it is open
    BINDINGS: ClassVar[list[BindingType]] = bindings(SETTINGS_ACTIONS)

    def __init__(
        self, commands: CommandRunner, *, glyphs: Glyphs, key: str | None = None, is_read_only: bool = False
    ) -> None:
        """`key` is the one that the cursor is on at first."""
        super().__init__()
        self._is_read_only = is_read_only
        self._commands = commands
        self._glyphs = glyphs
        self._files = WatchedSettings(commands.config_path)
        self.rows: list[SettingRow] = []
        self._key = key
        self._top = 0
        self._list_rows = 0
        self._meaning_rows = -1  # below the list; 0: beside it
        self._message = Piece("reading the settings", Token.MUTED)
        self._problem = ""  # the first one in the files, while there is no message and the row has none

    def compose(self) -> ComposeResult:
        yield LineWidget(glyphs=self._glyphs, id="settings-heading")
        with Container(id="settings-and-meaning"):
            yield SettingsList(glyphs=self._glyphs, id="settings")
            yield LineWidget(glyphs=self._glyphs, id="settings-meaning")
        yield LineWidget(glyphs=self._glyphs, id="settings-message")
        yield LineInput(id="settings-value", compact=True)
        yield LineInput(placeholder="a part of a setting or of its meaning", id="find", compact=True)
        yield KeysFooter(glyphs=self._glyphs, id="footer")

    def on_mount(self) -> None:
        self._files.changed()  # from now on
        self.run_worker(self._read(), group="settings")
        self.set_interval(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Reads the settings again when a file has changed, and keeps what is being typed and said."""
        if self._files.changed():
            self.run_worker(self._read_again(), group="settings")

    async def _read_again(self) -> None:
        before = self._message
        await self._read(before)

    @on(events.Resize)
    def _resized(self) -> None:
        self.call_after_refresh(self._draw)

    def _input(self, name: str) -> Input:
        return self.query_one(f"#{name}", Input)

    def _open(self, name: str, value: str) -> None:
        entry = self._input(name)
        entry.value = value
        entry.add_class("-open")
        entry.focus()
        self._message = _NOTHING
        self._draw()

    def _close(self, name: str) -> None:
        self._input(name).remove_class("-open")
        self.set_focus(None)
        self._draw()

    @property
    def _listed(self) -> list[SettingRow]:
        """The rows that match the search."""
        search = self._input("find").value
        return [row for row in self.rows if row.matches(search)]

    @property
    def _index(self) -> int:
        keys = [row.key for row in self._listed]
        return keys.index(self._key) if self._key in keys else 0

    @property
    def _row(self) -> SettingRow | None:
        listed = self._listed
        return listed[self._index] if listed else None

    @property
    def _choices(self) -> Sequence[str]:
        return () if self._row is None else KEYS[self._row.key].kind.choices

    async def _read(self, message: Piece = _NOTHING) -> None:
        try:
            settings = await self._commands.settings()
        except BackpropError as error:
            message = self._failure(sanitize(str(error)))
        else:
            self.rows = settings_rows(settings)
            first, more = next(iter(settings.problems), None), len(settings.problems) - 1
            others = f" (+{more} more: {config_command(self._commands.config_path)} check)" if more > 0 else ""
            removal = _removal(first, self._commands.config_path) if first else ""
            self._problem = sanitize(f"{first}{removal}{others}") if first else ""
        self._message = message
        self._draw()

    def _failure(self, text: str) -> Piece:
        return Piece(f"{self._glyphs.state('failed')} {text}", Token.BAD)

    def _success(self, text: str) -> Piece:
        return Piece(f"{self._glyphs.state('completed')} {text}", Token.OK)

    def _draw(self) -> None:
        width = self.app.size.width
        beside = width >= _BESIDE_FROM
        self._draw_meaning(width, beside=beside)
        pane = self.query_one("#settings", LineWidget)
        pane.styles.width = _LIST if beside else "1fr"
        lines, cursor = draw_settings(self._listed, self._index, _LIST if beside else width, self._glyphs)
        height = self._list_rows = max(1, pane.size.height)
        self._top = max(0, min(self._top, cursor - 1), cursor - height + 1)
        pane.show(lines[self._top : self._top + height], cursor=cursor - self._top if lines else None)
        search = self._input("find").value
        top = draw_settings_heading(self._commands.config_path, width, self._glyphs, search=search)
        self.query_one("#settings-heading", LineWidget).show([top])
        message = self.query_one("#settings-message", LineWidget)
        lines = self._message_lines(width)
        message.styles.height = len(lines)
        message.show(lines)
        self.query_one(KeysFooter).show_keys(self._keys(), width)
        self.call_after_refresh(self._draw_again)

    def _draw_again(self) -> None:
        """If the list has another height now, which the cursor may be outside of."""
        if self.is_attached and self.query_one("#settings", LineWidget).size.height != self._list_rows:
            self._draw()

    def _draw_meaning(self, width: int, *, beside: bool) -> None:
        """Below the list the meaning gets as many rows as it has lines, up to a third of the screen."""
        panes, meaning = self.query_one("#settings-and-meaning"), self.query_one("#settings-meaning", LineWidget)
        room = width - _LIST - 3 if beside else width - 4
        text = [] if self._row is None else draw_meaning(self._row, room, self._glyphs)
        meaning.show([(Piece("  "), *line) for line in ([(), *text] if beside else text)])
        rows = 0 if beside else max(_MEANING_ROWS, min(len(text), self.app.size.height // 3))
        if rows != self._meaning_rows:
            self._meaning_rows = rows
            panes.set_class(beside, "-beside")
            meaning.styles.height = "1fr" if beside else rows + 1  # with the rule above

    def _keys(self) -> Sequence[tuple[str, str]]:
        """The keys of the footer with what they do now."""
        if self._is_open("find"):
            return _FIND_FOOTER
        if self._is_open("settings-value"):
            return (*_INPUT_FOOTER[:1], *([_NEXT_VALUE] if self._choices else []), *_INPUT_FOOTER[1:])
        offered = [action for action in SETTINGS_ACTIONS[:4] if not (action.changes and self._is_read_only)]
        return (*footer_texts(offered), _FIND_FOOTER[1] if self._input("find").value else _BACK)

    def _is_open(self, name: str) -> bool:
        return self._input(name).has_class("-open")

    def _message_lines(self, width: int) -> list[Line]:
        problem = (self._row and self._row.problem) or self._problem
        message = self._message if self._message.text or not problem else self._failure(problem)
        if not message.text and self.rows and not self._listed:
            message = Piece("no setting matches; esc shows all", Token.WARN)
        rows = wrapped(message.text, width - 4)
        if len(rows) > _MESSAGE_ROWS:
            rows = [*rows[: _MESSAGE_ROWS - 1], f"{rows[_MESSAGE_ROWS - 1]} {self._glyphs.clipped}"]
        bold = message.token is Token.BAD
        return [(Piece(clip(f"  {row}", width, self._glyphs), message.token, bold=bold),) for row in rows]

    def action_move(self, rows: int) -> None:
        listed = self._listed
        if listed and not self._is_open("settings-value"):
            self._key = listed[max(0, min(self._index + rows, len(listed) - 1))].key
            self._message = _NOTHING
            self._draw()

    def action_choose(self, key: str) -> None:
        """Go to a setting, without the value that was being typed; change the one that the cursor is on."""
        is_typing = self._is_open("settings-value")
        if self._row is not None and key == self._row.key:
            if not is_typing:
                self.action_change()
            return
        if is_typing:
            self._close("settings-value")
        self._key, self._message = key, _NOTHING
        self._draw()

    def action_find(self) -> None:
        self._open("find", "")

    def action_change(self) -> None:
        if self._may_change() and self._row is not None:
            self._open("settings-value", self._row.value)

    def action_default(self) -> None:
        if self._may_change() and self._row is not None:
            self._change(self._row, default_text(self._row.key))

    def action_undo(self) -> None:
        """Takes back the last change of this dashboard, as on the main screen."""
        if self._may_change():
            self.run_worker(self._undo(), group="settings", exclusive=True)

    async def _undo(self) -> None:
        result = await self._commands.undo()
        await self._read(self._success(result.message) if result.done else self._failure(result.message))

    def _may_change(self) -> bool:
        """Says why not in a read-only dashboard."""
        if self._is_read_only:
            self._message = self._failure(READ_ONLY)
            self._draw()
        return not self._is_read_only

    def action_back(self) -> None:
        """Closes an input, shows all settings again, or closes the screen."""
        if self._is_open("settings-value"):
            self._message = _NOTHING
            self._close("settings-value")
        elif self._is_open("find") or self._input("find").value:
            self._input("find").value = ""
            self._close("find")
        else:
            self.dismiss(None)

    @on(events.Key)
    def _step_through_values(self, event: events.Key) -> None:
        """Offers the next value of a setting that has only some, or the one that begins with what was typed."""
        step = _STEPS.get(event.key)
        if step is None or not self._is_open("settings-value"):
            return
        event.stop()
        event.prevent_default()
        entry, choices = self._input("settings-value"), self._choices
        if entry.value in choices:
            entry.value = choices[(choices.index(entry.value) + step) % len(choices)]
        elif choices:
            entry.value = next((choice for choice in choices if choice.startswith(entry.value)), choices[0])
        entry.cursor_position = len(entry.value)

    @on(Input.Changed, "#find")
    def _typed(self) -> None:
        self._draw()

    @on(Input.Submitted, "#find")
    def _search_submitted(self) -> None:
        self._close("find")

    @on(Input.Submitted, "#settings-value")
    def _submitted(self, message: Input.Submitted) -> None:
        if self._row is not None:
            self._change(self._row, message.value.strip())

    def _change(self, row: SettingRow, value: str) -> None:
        """Writes a valid value; a wrong one stays in the input with the reason."""
        try:
            KEYS[row.key].kind.read(value)
        except WrongValue as error:
            self._message = self._failure(f"{row.key} = {sanitize(value)}: {error}")
            self._draw()
            return
        self._key = row.key
        self._close("settings-value")
        if value != row.value or row.problem:
            self.run_worker(self._write(row, value), group="settings", exclusive=True)

    async def _write(self, row: SettingRow, value: str) -> None:
        result = await self._commands.set_config(row.key, value)
        await self._read(self._written(row, value) if result.done else self._failure(result.message))
        now = next((now for now in self.rows if now.key == row.key), row)
        still = now.stronger or now.problem
        if result.done and still:
            written = f"{row.key} = {value} is written to {self._commands.config_path}"
            self._message = Piece(f"{written}, but {still}", Token.WARN)
            self._draw()

    def _written(self, row: SettingRow, value: str) -> Piece:
        hint = "; the dashboard reads its own settings when it starts" if row.key.startswith(_DASHBOARD) else ""
        hint += "; queued runs keep theirs" if KEYS[row.key].is_settled_when_queued else ""
        before = "" if row.problem else f", was {row.value}"
        return self._success(f"{row.key} = {value}{before}{hint}")
