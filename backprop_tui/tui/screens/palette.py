"""What the command palette offers beside the actions with keys: orders, filters, runs, status and doctor."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.command import Hit, Hits, Provider
from textual.screen import Screen

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import Status
from backprop_tui.presentation.states import status_word
from backprop_tui.tui.actions import TEXT_ACTIONS, bindings
from backprop_tui.tui.clipboard import copy_text
from backprop_tui.tui.commands import CommandRunner
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, Piece, Token, heading
from backprop_tui.tui.panes.run_order import NEWEST, SORTS, RunSort
from backprop_tui.tui.screens.questions import SORT_TITLES
from backprop_tui.tui.textual_patches.dismiss_once import DismissOnce
from backprop_tui.tui.widgets.line_widget import ScrollView

if TYPE_CHECKING:
    from backprop_tui.tui.screens.main import MainScreen
    from backprop_tui.tui.screens.panes_screen import PanesScreen


class TextScreen(DismissOnce, Screen[None]):
    """Scrolls when the text is longer than the screen."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(TEXT_ACTIONS)

    def __init__(self, title: str, lines: Sequence[Line], *, glyphs: Glyphs, token: Token = Token.ACCENT) -> None:
        super().__init__()
        self._title = Piece(title, token, bold=True)
        self._lines = lines
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        yield ScrollView(glyphs=self._glyphs, id="page")

    def on_resize(self, event: events.Resize) -> None:
        width = event.size.width
        back = [Piece("esc", Token.ACCENT, bold=True), Piece(" back", Token.MUTED)]
        top = heading([(2, [self._title]), (max(8, width - 11), back)], width, self._glyphs, focused=True)
        self.query_one(ScrollView).show_content([top, *self._lines])

    def action_scroll(self, rows: int) -> None:
        self.query_one(ScrollView).move(rows)


PaletteCommand = tuple[str, str, Callable[[], object]]  # title, help, callback

_FAILED_FILTER = "state:failed"
_MAX_RUNS = 200


def palette_commands(screen: MainScreen, commands: CommandRunner) -> Iterator[PaletteCommand]:
    snapshot = screen.snapshot
    for key in (*SORTS, NEWEST):
        yield f"Sort by {SORT_TITLES.get(key, key)}", "order of the runs", partial(screen.sort, RunSort.by(key))
    yield "Default order", "active, waiting, ended; groups together", partial(screen.sort, None)
    failed = sum(run.status is Status.FAILED for run in snapshot.runs)
    yield "Show only failed", f"{counted(failed, 'run')} failed", partial(screen.set_filter, _FAILED_FILTER)
    yield "Copy status as JSON", "as backprop-tui status --json", lambda: screen.work(_copy_status(screen, commands))
    yield "Doctor", "check the machine, suggest fixes", lambda: screen.work(show_doctor(screen, commands))
    for run in snapshot.runs[:_MAX_RUNS]:
        name = sanitize(str(run.record["name"]))
        yield f"Go to run {name}", f"{status_word(run.status)}  {run.id}", partial(screen.go_to, run.id)


class LineCommands(Provider):
    """Goes to a line of the selected run's log, whose number is typed."""

    async def search(self, query: str) -> Hits:
        number = query.strip().removeprefix(":")
        go_to_line = getattr(self.screen, "go_to_line", None)
        if go_to_line is not None and number.isascii() and number.isdecimal():
            yield Hit(1.0, f"Go to line {int(number):,}", partial(go_to_line, int(number)), help="of the log")


async def _copy_status(screen: MainScreen, commands: CommandRunner) -> None:
    try:
        status = await commands.status()
    except BackpropError as error:
        screen.tell(sanitize(str(error)), bad=True)
    else:
        copy_text(screen.app, json.dumps(status, indent=2), "the status as JSON")


async def show_doctor(screen: PanesScreen, commands: CommandRunner) -> None:
    screen.tell("Checking the machine")
    try:
        report = await commands.doctor()
    except BackpropError as error:
        screen.tell(sanitize(str(error)), bad=True)
    else:
        lines = [(Piece(f" {sanitize(line)}"),) for line in report]
        screen.app.push_screen(TextScreen("Doctor", [(), *lines], glyphs=screen.glyphs))
