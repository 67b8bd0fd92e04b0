"""What the command palette offers beside the actions with keys: orders, filters, runs, status and doctor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from backprop_tui.domain.formatting import counted
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import Status
from backprop_tui.tui.panes.run_order import NEWEST, SORTS, RunSort
from backprop_tui.tui.screens.questions import SORT_TITLES
from backprop_tui.tui.screens.run_actions import Commands
from backprop_tui.tui.screens.text_screen import TextScreen
from backprop_tui.tui.tokens import Line, Piece, Token

if TYPE_CHECKING:
    from backprop_tui.tui.screens.main import MainScreen

PaletteCommand = tuple[str, str, Callable[[], object]]  # title, help, callback

_FAILED_FILTER = "state:failed"
_MAX_RUNS = 200


def palette_commands(screen: MainScreen, commands: Commands) -> Iterator[PaletteCommand]:
    """Yield the commands that have no key."""
    snapshot = screen.snapshot
    for key in (*SORTS, NEWEST):
        yield f"Sort by {SORT_TITLES.get(key, key)}", "order of the runs", partial(screen.sort, RunSort.by(key))
    yield "Default order", "active, waiting, ended; groups together", partial(screen.sort, None)
    failed = sum(run.status is Status.FAILED for run in snapshot.runs)
    yield "Show only failed", f"{counted(failed, 'run')} failed", partial(screen.set_filter, _FAILED_FILTER)
    yield "Copy status as JSON", "as backprop-tui status --json", lambda: screen.work(_copy_status(screen, commands))
    yield "Doctor", "check the machine, suggest fixes", lambda: screen.work(_doctor(screen, commands))
    for run in snapshot.runs[:_MAX_RUNS]:
        name = sanitize(str(run.record["name"]))
        yield f"Go to run {name}", f"{run.status.value}  {run.id}", partial(screen.go_to, run.id)


async def _copy_status(screen: MainScreen, commands: Commands) -> None:
    result = await commands.output_of("status", "--json")
    if result.done:
        screen.app.copy_to_clipboard("\n".join(result.lines))
    screen.tell("Copied the status as JSON" if result.done else result.message, bad=not result.done)


async def _doctor(screen: MainScreen, commands: Commands) -> None:
    screen.tell("Checking the machine")
    result = await commands.output_of("doctor")
    lines: list[Line] = [(Piece(f" {line}"),) for line in result.lines or (result.message,)]
    token = Token.ACCENT if result.done else Token.WARN
    screen.app.push_screen(TextScreen("Doctor", [(), *lines], glyphs=screen.glyphs, token=token))
