"""The settings screen: key, value, origin and meaning; changes are written together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import Input

from backprop_tui.config.keys import KEYS
from backprop_tui.config.kinds import NONE, Value, WrongValue
from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.tui.actions import SETTINGS_ACTIONS, bindings
from backprop_tui.tui.commands import CommandRunner
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, LineBuilder, Piece, Token, clip, heading, left, width_of
from backprop_tui.tui.panes.footer import draw_footer, footer_texts
from backprop_tui.tui.textual_patches.dismiss_once import DismissOnce
from backprop_tui.tui.textual_patches.line_input import LineInput
from backprop_tui.tui.widgets.line_widget import LineWidget

if TYPE_CHECKING:
    from backprop_tui.config.load import Settings

DEFAULT = "default"
ENVIRONMENT = "environment "
_TITLES = {"": "Limits", "gpu": "GPU", "run": "Runs"}  # other sections: their name
_FOOTER = footer_texts(SETTINGS_ACTIONS[:4])
_INPUT_FOOTER = (("enter", "change"), ("esc", "keep the value"))
_DASHBOARD = "dashboard."
_NOTHING = Piece("")
_KEY, _VALUE, _ORIGIN = 33, 16, 20
_HELP_FROM, _ORIGIN_FROM = 100, 66  # columns; on narrower screens the help is shown below the list only


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class SettingRow:
    """`value` is written as `config set` takes it; `section` is the heading of its rows."""

    key: str
    section: str
    value: str
    origin: str
    help: str


def settings_rows(settings: Settings) -> list[SettingRow]:
    return [
        SettingRow(
            key=name,
            section=_TITLES.get(key.section, key.section.capitalize()),
            value=sanitize(value_text(settings[name])),
            # The name of the variable, or of the file without its directories.
            origin=sanitize(settings.origin(name)).removeprefix(ENVIRONMENT).rpartition("/")[2],
            help=key.help,
        )
        for name, key in KEYS.items()
    ]


def value_text(value: Value) -> str:
    match value:
        case None:
            return NONE
        case bool():
            return "true" if value else "false"
        case tuple():
            return ",".join(value)
        case float():
            return f"{value:.15g}"
        case _:
            return str(value)


def default_text(key: str) -> str:
    return value_text(KEYS[key].default)


def draw_settings_heading(path: str, width: int, glyphs: Glyphs, *, changed: int) -> Line:
    """The title, the path of the file, and how many changes are not saved."""
    title = [Piece("Settings", Token.ACCENT, bold=True), Piece(f" {path}".rstrip(), Token.MUTED)]
    count = [Piece(f"{changed} changed", Token.WARN, bold=True)]
    parts = [(2, title), *([(width - width_of(count) - 2, count)] if changed else [])]
    return heading(parts, width, glyphs, focused=True)


def draw_settings(
    rows: Sequence[SettingRow], cursor: int, width: int, glyphs: Glyphs, *, changed: Mapping[str, str]
) -> tuple[list[Line], int]:
    """The lines, and the one with the cursor; `changed` has the values that are not saved yet."""
    lines: list[Line] = []
    at, section = 0, ""
    for index, row in enumerate(rows):
        if row.section != section:
            section = row.section
            lines += [*([()] if lines else []), (Piece(f"  {section}", bold=True),)]
        if index == cursor:
            at = len(lines)
        lines.append(_draw_row(row, changed.get(row.key), width, glyphs, cursor=index == cursor))
    return lines, at


def _draw_row(row: SettingRow, change: str | None, width: int, glyphs: Glyphs, *, cursor: bool) -> Line:
    is_set = row.origin != DEFAULT
    token = Token.FG if change is None else Token.WARN
    arrow = "→" if glyphs.unicode else "->"
    shown = row.value if change is None else f"{row.value} {arrow} {change}"
    origin = row.origin if change is None else "changed"
    key = min(_KEY, max(12, width // 2 - 2))
    builder = LineBuilder().put(f"{glyphs.cursor} " if cursor else "  ", Token.ACCENT)
    builder.put(left(row.key, key - 1, glyphs)).put(" ")
    value = _VALUE if width >= _ORIGIN_FROM else max(4, width - builder.column - 1)
    builder.put(left(shown, value - 1, glyphs), token, bold=is_set or change is not None).put(" ")
    if width >= _ORIGIN_FROM:
        room = _ORIGIN if width >= _HELP_FROM else width - builder.column - 1
        muted = Token.FG if is_set else Token.MUTED
        builder.put(left(origin, room - 1, glyphs), muted if change is None else Token.WARN).put(" ")
    if width >= _HELP_FROM:
        builder.put(left(row.help, width - builder.column - 1, glyphs), Token.MUTED)
    return builder.line()


class SettingsScreen(DismissOnce, Screen[None]):
    """The cursor is on one key, whose value is edited in an input at the bottom. Nothing is written before ctrl+s."""

    CSS_PATH = "../dialogs.tcss"
    AUTO_FOCUS = ""  # the input has the focus only while it is open
    BINDINGS: ClassVar[list[BindingType]] = bindings(SETTINGS_ACTIONS)

    def __init__(self, commands: CommandRunner, *, glyphs: Glyphs) -> None:
        super().__init__()
        self._commands = commands
        self._glyphs = glyphs
        self.rows: list[SettingRow] = []
        self.changed: dict[str, str] = {}  # values not written yet, by key
        self._warned = False
        self._index = 0
        self._top = 0
        self._message = Piece("reading the settings", Token.MUTED)

    def compose(self) -> ComposeResult:
        yield LineWidget(glyphs=self._glyphs, id="settings-heading")
        yield LineWidget(glyphs=self._glyphs, id="settings")
        yield LineWidget(glyphs=self._glyphs, id="settings-message")
        yield LineInput(id="settings-value", compact=True)
        yield LineWidget(glyphs=self._glyphs, id="footer")

    def on_mount(self) -> None:
        self.run_worker(self._read(), group="settings")

    @on(events.Resize)
    def _resized(self) -> None:
        self.call_after_refresh(self._draw)

    @property
    def _input(self) -> Input:
        return self.query_one("#settings-value", Input)

    @property
    def _is_input_open(self) -> bool:
        return self._input.has_class("-open")

    @property
    def _row(self) -> SettingRow | None:
        return self.rows[self._index] if self.rows else None

    async def _read(self, message: Piece = _NOTHING) -> None:
        try:
            self.rows = settings_rows(await self._commands.settings())
        except BackpropError as error:
            message = self._failure(sanitize(str(error)))
        self._message = message
        self._draw()

    def _failure(self, text: str) -> Piece:
        return Piece(f"{self._glyphs.state('failed')} {text}", Token.BAD)

    def _draw(self) -> None:
        width = self.app.size.width
        pane = self.query_one("#settings", LineWidget)
        lines, cursor = draw_settings(self.rows, self._index, width, self._glyphs, changed=self.changed)
        height = max(1, pane.size.height)
        self._top = max(0, min(self._top, cursor - 1), cursor - height + 1)
        pane.show(lines[self._top : self._top + height], cursor=cursor - self._top if lines else None)
        heading = draw_settings_heading(self._commands.config_path, width, self._glyphs, changed=len(self.changed))
        self.query_one("#settings-heading", LineWidget).show([heading])
        self.query_one("#settings-message", LineWidget).show([self._message_line(width)])
        keys = _INPUT_FOOTER if self._is_input_open else _FOOTER
        self.query_one("#footer", LineWidget).show([draw_footer(keys, width, all_keys=False)])

    def _message_line(self, width: int) -> Line:
        """Returns the message; without one the meaning of the key under the cursor."""
        row, message = self._row, self._message
        if message.text:
            text = clip(f"  {message.text}", width, self._glyphs)
            return (Piece(text, message.token, bold=message.token is Token.BAD),)
        return (Piece(clip(f"  {row.help}", width, self._glyphs), Token.MUTED),) if row is not None else ()

    def action_move(self, rows: int) -> None:
        if self.rows and not self._is_input_open:
            self._index = max(0, min(self._index + rows, len(self.rows) - 1))
            self._message = _NOTHING
            self._draw()

    def action_change(self) -> None:
        if self._row is not None:
            self._input.value = self.changed.get(self._row.key, self._row.value)
            self._input.add_class("-open")
            self._input.focus()
            self._message = _NOTHING
            self._draw()

    def action_default(self) -> None:
        if self._row is not None:
            self._change(self._row, default_text(self._row.key))

    def action_back(self) -> None:
        """Closes the input, or the settings; unwritten changes are dropped only at the second attempt."""
        if self._is_input_open:
            self._close_input()
        elif self.changed and not self._warned:
            self._warned = True
            verb = "is" if len(self.changed) == 1 else "are"
            unwritten = f"{counted(len(self.changed), 'change')} {verb} not written"
            self._message = Piece(f"{unwritten}: ctrl+s writes, esc again drops", Token.WARN)
            self._draw()
        else:
            self.dismiss(None)

    def _close_input(self) -> None:
        self._input.remove_class("-open")
        self.set_focus(None)
        self._draw()

    @on(Input.Submitted)
    def _submitted(self, message: Input.Submitted) -> None:
        if self._row is not None:
            self._change(self._row, message.value.strip())

    def _change(self, row: SettingRow, value: str) -> None:
        """Keeps a valid value for ctrl+s; the value in force is no change."""
        try:
            KEYS[row.key].kind.read(value)
        except WrongValue as error:
            self._message = self._failure(f"{row.key} = {sanitize(value)}: {error}")
            self._draw()
            return
        self._warned = False
        self.changed.pop(row.key, None)
        if value != row.value:
            self.changed[row.key] = value
        self._message = _NOTHING
        self._close_input()

    def action_write(self) -> None:
        if self.changed and not self._is_input_open:
            self.run_worker(self._write(), group="settings", exclusive=True)

    async def _write(self) -> None:
        """Writes one key after the other; a refused one stays a change, and the reason is shown."""
        written: list[str] = []
        for key, value in tuple(self.changed.items()):
            result = await self._commands.set_config(key, value)
            if not result.done:
                await self._read(self._failure(result.message))
                return
            del self.changed[key]
            written.append(key)
        await self._read(self._written_message(written))
        self._warned = False
        overridden = [row for row in self.rows if row.key in written and row.origin.startswith("BACKPROP_")]
        if overridden:
            self._message = Piece(f"written, but {overridden[0].origin} still wins", Token.WARN)
            self._draw()

    def _written_message(self, written: Sequence[str]) -> Piece:
        at_next_start = any(key.startswith(_DASHBOARD) for key in written)
        hint = "; the dashboard reads its own settings when it starts" if at_next_start else ""
        hint += "; queued runs keep theirs" if any(KEYS[key].is_settled_when_queued for key in written) else ""
        return Piece(f"{self._glyphs.state('done')} {', '.join(written)}: written{hint}", Token.OK)
