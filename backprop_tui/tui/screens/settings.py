"""The settings: every key with its value, where that comes from and what it means; written together by `config set`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import Input

from backprop_tui.config.keys import KEYS
from backprop_tui.config.kinds import WrongValue
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.tui.cells import clip
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.panes.footer import draw_footer
from backprop_tui.tui.panes.settings import (
    SettingRow,
    default_text,
    draw_settings,
    draw_settings_heading,
    settings_rows,
)
from backprop_tui.tui.requests import Desk
from backprop_tui.tui.screens.leave_once import LeaveOnce
from backprop_tui.tui.tokens import Line, Piece, Token
from backprop_tui.tui.widgets.line_input import LineInput
from backprop_tui.tui.widgets.painted import COLOURS, Painted

_KEYS = (("enter", "change"), ("del", "default"), ("ctrl+s", "write config.toml"), ("esc", "back"))
_KEYS_OF_ENTRY = (("enter", "change"), ("esc", "leave as it is"))
_DASHBOARD = "dashboard."


class Settings(LeaveOnce, Screen[None]):
    """A cursor on one key; its value is changed in a line at the bottom. Nothing is written before ctrl+s."""

    AUTO_FOCUS = ""  # the line has the keys only while it is open
    COMPONENT_CLASSES: ClassVar[set[str]] = set(COLOURS)
    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "back", "back"),
        ("q,comma", "back", "back"),
        ("ctrl+s", "write", "write"),
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
        self.changed: dict[str, str] = {}  # what is not written yet, by key
        self._warned = False
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
        lines, at = draw_settings(self.rows, self._place, width, self._glyphs, changed=self.changed)
        room = max(1, pane.size.height)
        self._top = max(0, min(self._top, at - 1), at - room + 1)
        pane.show(lines[self._top : self._top + room], cursor=at - self._top if lines else None)
        heading = draw_settings_heading(self._path, width, self._glyphs, changed=len(self.changed))
        self.query_one("#settings-heading", Painted).show([heading])
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
            self._entry.value = self.changed.get(self._row.key, self._row.value)
            self._entry.add_class("-open")
            self._entry.focus()
            self._said = Piece("")
            self._draw()

    def action_default(self) -> None:
        """Its default, once it is written."""
        if self._row is not None:
            self._change(self._row, default_text(self._row.key))

    def action_back(self) -> None:
        """Out of the line, else out of the settings; what is not written is not dropped unsaid."""
        if self._entry.has_class("-open"):
            self._close()
        elif self.changed and not self._warned:
            self._warned = True
            verb = "is" if len(self.changed) == 1 else "are"
            unwritten = f"{counted(len(self.changed), 'change')} {verb} not written"
            self._said = Piece(f"{unwritten}: ctrl+s writes, esc again drops", Token.WARN)
            self._draw()
        else:
            self.dismiss(None)

    def _close(self) -> None:
        self._entry.remove_class("-open")
        self.set_focus(None)
        self._draw()

    @on(Input.Submitted)
    def _submitted(self, message: Input.Submitted) -> None:
        if self._row is not None:
            self._change(self._row, message.value.strip())

    def _change(self, row: SettingRow, word: str) -> None:
        """Keeps it for ctrl+s, if it can be understood; what is as it was is no change."""
        try:
            KEYS[row.key].kind.read(word)
        except WrongValue as error:
            self._said = Piece(f"{self._glyphs.state('failed')} {row.key} = {sanitize(word)}: {error}", Token.BAD)
            self._draw()
            return
        self._warned = False
        self.changed.pop(row.key, None)
        if word != row.value:
            self.changed[row.key] = word
        self._said = Piece("")
        self._close()

    def action_write(self) -> None:
        """Ctrl+s."""
        if self.changed and not self._entry.has_class("-open"):
            self.run_worker(self._write(), group="settings", exclusive=True)

    async def _write(self) -> None:
        """One after the other; what is refused stays a change, with the reason."""
        written: list[str] = []
        for key, word in tuple(self.changed.items()):
            answer = await self._desk.ask("config", "set", "--", key, word)
            if not answer.done:
                await self._read(Piece(f"{self._glyphs.state('failed')} {answer.words}", Token.BAD))
                return
            del self.changed[key]
            written.append(key)
        await self._read(self._told(written))
        self._warned = False
        winning = [one for one in self.rows if one.key in written and one.origin.startswith("BACKPROP_")]
        if winning:
            self._said = Piece(f"written, and {winning[0].origin} still wins over it", Token.WARN)
            self._draw()

    def _told(self, written: Sequence[str]) -> Piece:
        later = any(key.startswith(_DASHBOARD) for key in written)
        then = "; the dashboard takes its own at its next start" if later else ""
        return Piece(f"{self._glyphs.state('done')} {', '.join(written)}: written{then}", Token.OK)
