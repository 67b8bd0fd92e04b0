"""What the command palette offers beside the actions with keys: orders, filters, runs, status and doctor."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.presentation.run_fields import FIXED, all_columns, field_of
from backprop_tui.presentation.states import PROBLEM_STATUSES
from backprop_tui.tui.actions import TEXT_ACTIONS, bindings
from backprop_tui.tui.commands import CommandRunner
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, Piece, Token, heading
from backprop_tui.tui.panes.run_order import RunSort
from backprop_tui.tui.textual_patches.dismiss_once import DismissOnce
from backprop_tui.tui.widgets.line_widget import ScrollView

if TYPE_CHECKING:
    from backprop_tui.tui.screens.main import MainScreen


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

_MAX_RUNS = 200


def palette_commands(screen: MainScreen, commands: CommandRunner) -> Iterator[PaletteCommand]:
    snapshot = screen.snapshot
    for key in dict.fromkeys((*FIXED, *all_columns(snapshot.runs))):
        field = field_of(key)
        if field is not None:
            sort = RunSort.by(key, snapshot.runs)
            yield f"Sort by {field.words}", "order of the runs", partial(screen.sort, sort)
    yield "Default order", "active, waiting, ended; groups together", partial(screen.sort, None)
    failed = sum(run.status in PROBLEM_STATUSES for run in snapshot.runs)
    yield "Show only failed", f"{counted(failed, 'run')} failed", partial(screen.filter_state, "failed")
    yield "Copy status as JSON", "as backprop-tui status --json", lambda: screen.work(_copy_status(screen, commands))
    yield "Doctor", "check the machine, suggest fixes", lambda: screen.work(_doctor(screen, commands))
    for run in snapshot.runs[:_MAX_RUNS]:
        name = sanitize(run.label)
        yield f"Go to run {name}", f"{run.status.value}  {run.id}", partial(screen.go_to, run.id)


async def _copy_status(screen: MainScreen, commands: CommandRunner) -> None:
    try:
        status = await commands.status()
    except BackpropError as error:
        screen.tell(sanitize(str(error)), bad=True)
    else:
        screen.app.copy_to_clipboard(json.dumps(status, indent=2))
        screen.tell("Copied the status as JSON")


async def _doctor(screen: MainScreen, commands: CommandRunner) -> None:
    screen.tell("Checking the machine")
    try:
        report = await commands.doctor()
    except BackpropError as error:
        screen.tell(sanitize(str(error)), bad=True)
    else:
        lines = [(Piece(f" {sanitize(line)}"),) for line in report]
        screen.app.push_screen(TextScreen("Doctor", [(), *lines], glyphs=screen.glyphs))
