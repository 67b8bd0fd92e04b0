"""The settings: every key with its value, where that comes from and what it means; changed by `config set`."""

from __future__ import annotations

from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import Input

from backprop_tui.tui.drawing.footer import draw_footer
from backprop_tui.tui.drawing.settings import draw_settings, draw_settings_heading
from backprop_tui.tui.requests import Desk
from backprop_tui.tui.view.settings import SettingRow, default_word, settings_rows
from backprop_tui.tui.view.tokens import Line, Piece, Token
from backprop_tui.tui.widgets.line_input import LineInput
from backprop_tui.tui.widgets.painted import COLOURS, Painted
from backprop_tui.tui.wording.cells import clip
from backprop_tui.tui.wording.glyphs import Glyphs

_KEYS = (("enter", "change"), ("del", "default"), ("esc", "back"))
_KEYS_OF_ENTRY = (("enter", "write"), ("esc", "leave as it is"))
_DASHBOARD = "dashboard."


class Settings(Screen[None]):
    """A cursor on one key; its value is changed in a line at the bottom."""

    AUTO_FOCUS = ""  # the line has the keys only while it is open
    COMPONENT_CLASSES: ClassVar[set[str]] = set(COLOURS)
    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "back", "back"),
        ("q,comma", "dismiss", "back"),
        ("j,down", "move(1)", "down"),
        ("k,up", "move(-1)", "up"),
        ("g,home", "move(-1000)", "top"),
        ("G,end", "move(1000)", "end"),
        ("ctrl+d,pagedown", "move(12)", "page down"),
        ("ctrl+u,pageup", "move(-12)", "page up"),
        ("enter", "change", "change"),
        ("delete", "default", "default"),
    ]

    def __init__(self, desk: Desk, *, glyphs: Glyphs) -> None:
        super().__init__()
        self._desk = desk
        self._glyphs = glyphs
        self.rows: list[SettingRow] = []
        self._place = 0
        self._top = 0
        self._path = ""
        self._said = Piece("reading the settings", Token.MUTED)

    def compose(self) -> ComposeResult:
        """Heading, list, what the key means or what came of it, the line to change it, keys."""
        yield Painted(glyphs=self._glyphs, id="settings-heading")
        yield Painted(glyphs=self._glyphs, id="settings")
        yield Painted(glyphs=self._glyphs, id="settings-said")
        yield LineInput(id="settings-value", compact=True)
        yield Painted(glyphs=self._glyphs, id="footer")

    def on_mount(self) -> None:
        """Asks for the settings."""
        self.run_worker(self._read(), group="settings")

    @on(events.Resize)
    def _resized(self) -> None:
        self.call_after_refresh(self._draw)

    @property
    def _entry(self) -> Input:
        return self.query_one("#settings-value", Input)

    @property
    def _row(self) -> SettingRow | None:
        return self.rows[self._place] if self.rows else None

    async def _read(self, said: Piece | None = None) -> None:
        if not self._path:
            self._path = (await self._desk.ask("config", "path")).words
        answer = await self._desk.ask("config", "show", "--json")
        try:
            self.rows = settings_rows(answer.lines) if answer.done else self.rows
        except (ValueError, TypeError) as error:
            self._said = Piece(f"{self._glyphs.state('failed')} {error}", Token.BAD)
        else:
            bad = Piece(f"{self._glyphs.state('failed')} {answer.words}", Token.BAD)
            self._said = (said or Piece("")) if answer.done else bad
        self._draw()

    def _draw(self) -> None:
        width = self.app.size.width
        pane = self.query_one("#settings", Painted)
        lines, at = draw_settings(self.rows, self._place, width, self._glyphs)
        room = max(1, pane.size.height)
        self._top = max(0, min(self._top, at - 1), at - room + 1)
        pane.show(lines[self._top : self._top + room], cursor=at - self._top if lines else None)
        self.query_one("#settings-heading", Painted).show([draw_settings_heading(self._path, width, self._glyphs)])
        self.query_one("#settings-said", Painted).show([self._below(width)])
        keys = _KEYS_OF_ENTRY if self._entry.has_class("-open") else _KEYS
        self.query_one("#footer", Painted).show([draw_footer(keys, width, all_keys=False)])

    def _below(self, width: int) -> Line:
        row, said = self._row, self._said
        if said.text:
            return (Piece(clip(f"  {said.text}", width, self._glyphs), said.token, bold=said.token is Token.BAD),)
        return (Piece(clip(f"  {row.help}", width, self._glyphs), Token.MUTED),) if row is not None else ()

    def action_move(self, rows: int) -> None:
        """The cursor goes so many keys on."""
        if self.rows and not self._entry.has_class("-open"):
            self._place = max(0, min(self._place + rows, len(self.rows) - 1))
            self._said = Piece("")
            self._draw()

    def action_change(self) -> None:
        """Opens the line with the value."""
        if self._row is not None:
            self._entry.value = self._row.value
            self._entry.add_class("-open")
            self._entry.focus()
            self._said = Piece("")
            self._draw()

    def action_default(self) -> None:
        """Writes the default."""
        if self._row is not None:
            self._set(self._row, default_word(self._row.key))

    def action_back(self) -> None:
        """Out of the line, else out of the settings."""
        if self._entry.has_class("-open"):
            self._close()
        else:
            self.dismiss(None)

    def _close(self) -> None:
        self._entry.remove_class("-open")
        self.set_focus(None)
        self._draw()

    @on(Input.Submitted)
    def _submitted(self, message: Input.Submitted) -> None:
        if self._row is not None:
            self._set(self._row, message.value.strip())

    def _set(self, row: SettingRow, word: str) -> None:
        self.run_worker(self._write(row, word), group="settings")

    async def _write(self, row: SettingRow, word: str) -> None:
        answer = await self._desk.ask("config", "set", "--", row.key, word)
        if not answer.done:
            self._said = Piece(f"{self._glyphs.state('failed')} {answer.words}", Token.BAD)
            self._draw()
            return
        self._close()
        await self._read(Piece(f"{self._glyphs.state('done')} {answer.words}", Token.OK))
        now = next((one for one in self.rows if one.key == row.key), row)
        if now.origin.startswith("BACKPROP_"):
            self._said = Piece(f"written, and {now.origin} still wins over it", Token.WARN)
        elif row.key.startswith(_DASHBOARD):
            self._said = Piece(f"{self._said.text}; the dashboard takes it at its next start", Token.OK)
        self._draw()
