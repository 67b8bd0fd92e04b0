"""What the log view costs: a log that grows by 100,000 lines a second, watched and scrolled in a real pseudo-terminal.

The view alone on its screen, 120 columns and 40 rows; `python -m benchmarks.log_view --view LOG` shows it to you.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from itertools import cycle
from typing import ClassVar

from rich.segment import Segment
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from backprop_tui import tui
from backprop_tui.tui import SWITCH_SECONDS
from backprop_tui.tui.log.file import LineCounts, LogFile
from backprop_tui.tui.textual_patches import terminal_io
from backprop_tui.tui.theme import DARK, THEMES, theme_colours
from backprop_tui.tui.widgets.line_widget import COLOURS
from backprop_tui.tui.widgets.log import LogView
from benchmarks.clock import MILLISECONDS
from benchmarks.figures import Figure, figure_of
from benchmarks.plan import Plan
from benchmarks.samples import in_turns
from benchmarks.watched import Watched

LINES_PER_SECOND = 100_000
SECONDS = 10.0
KEYS = 400
GOAL_PERCENT, GOAL_KEY_MILLISECONDS, GOAL_KILOBYTES = 8.0, 20.0, 20.0
_BATCHES_PER_SECOND = 50
_SCROLLED_BYTES = 300  # a scrolled screen sends more, a changed status row less
_LINE = b"[14:31:22] iter %09d: loss 2.2137, time 118.71ms, mfu 37.59%%\n"
_STARTED_BYTES = b"following"
_SELF = (sys.executable, "-m", "benchmarks.log_view")


class Bare(Screen[None]):
    """Nothing but the view, and two of the keys that the dashboard's screen has."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(COLOURS)
    BINDINGS: ClassVar[list[BindingType]] = [Binding("j", "move(1)"), Binding("k", "move(-1)")]

    def action_move(self, rows: int) -> None:
        """Scrolls."""
        self.query_one(LogView).move(rows)


class OneLog(App[None]):
    """The view in the dashboard's theme."""

    CSS_PATH = os.path.join(os.path.dirname(tui.__file__), "dashboard.tcss")
    CSS = "LogView { height: 1fr; }"

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = DARK

    def get_css_variables(self) -> dict[str, str]:
        """As the dashboard's."""
        variables = super().get_css_variables()
        return theme_colours(variables) | variables

    def get_default_screen(self) -> Bare:
        """A screen with our colours."""
        return Bare()

    def compose(self) -> ComposeResult:
        """One log."""
        yield LogView(self._path)

    def on_mount(self) -> None:
        """Its keys."""
        self.query_one(LogView).focus()


class Lines(Widget):
    """As many rows from memory: what Textual itself takes from a key to the paint."""

    top = 1000

    def move(self, rows: int) -> None:
        """Scrolls."""
        self.top += rows
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """A row of the same width."""
        return Strip([Segment((_LINE % (self.top + y)).decode().rstrip())])


class BareTextual(App[None]):
    """The least that scrolls."""

    CSS = "Lines { height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("j", "move(1)"), Binding("k", "move(-1)")]

    def compose(self) -> ComposeResult:
        """One widget."""
        yield Lines()

    def action_move(self, rows: int) -> None:
        """Scrolls."""
        self.query_one(Lines).move(rows)


class Writer(threading.Thread):
    """Appends lines at a steady rate until it is told to stop."""

    def __init__(self, path: str) -> None:
        super().__init__(daemon=True)
        self._path = path
        self._over = threading.Event()
        batch = LINES_PER_SECOND // _BATCHES_PER_SECOND
        self._batch = b"".join(_LINE % number for number in range(batch))
        self.lines = 0

    def run(self) -> None:
        """Batches at fixed moments, so that a late one is made up for."""
        began = time.monotonic()
        with open(self._path, "ab", buffering=0) as file:
            while not self._over.wait(max(0.0, began + self.lines / LINES_PER_SECOND - time.monotonic())):
                file.write(self._batch)
                self.lines += LINES_PER_SECOND // _BATCHES_PER_SECOND

    def stop(self) -> None:
        """Ends."""
        self._over.set()
        self.join()


def measure(_plan: Plan) -> list[Figure]:
    """Growing, scrolled while it grows, and at rest."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "log")
        with open(path, "wb") as file:
            file.write(_LINE % 0)
        watched, bare, writer = Watched((*_SELF, "--view", path)), Watched((*_SELF, "--bare")), Writer(path)
        try:
            watched.wait_for(_STARTED_BYTES)
            rest = watched.cost(SECONDS / 2)
            writer.start()
            watched.output(1.0)
            memory = watched.proportional_kilobytes()
            growing = watched.cost(SECONDS)
            watched.seconds_to_paint(b"k" * 30, _SCROLLED_BYTES)
            keys = in_turns(KEYS, {"view": _presses(watched), "bare": _presses(bare)})
            grown = watched.proportional_kilobytes() - memory
        finally:
            writer.stop()
            watched.close()
            bare.close()
        return [
            _one("log at rest, CPU", rest[0], "%"),
            _one("log growing by 100,000 lines/s, CPU", growing[0], "%", goal=GOAL_PERCENT),
            _one("the same, sent", growing[1], "kB/s", goal=GOAL_KILOBYTES),
            figure_of("key to paint in it", keys["view"], "ms"),
            _one("key to paint in it, p99", keys["view"].quantile(0.99), "ms", goal=GOAL_KEY_MILLISECONDS),
            figure_of("key to paint, bare Textual", keys["bare"], "ms"),
            _one("key to paint, bare Textual, p99", keys["bare"].quantile(0.99), "ms"),
            _one("memory gained by it", grown / 1024, "MiB", remark=f"by {os.path.getsize(path) / 1e6:.0f} MB of log"),
            _one("counting the lines of a log", _counting_seconds(path), "s/GB"),
        ]


def _presses(watched: Watched) -> Callable[[], float]:
    """Up and down in turns; milliseconds of each."""
    turns = cycle((b"k", b"j"))
    return lambda: watched.seconds_to_paint(next(turns), _SCROLLED_BYTES) * MILLISECONDS


def _counting_seconds(path: str) -> float:
    """Per GB."""
    file, counts = LogFile(path), LineCounts()
    file.poll()
    began = time.perf_counter()
    while counts.step(file):
        pass
    return (time.perf_counter() - began) / file.size * 1e9


def _one(name: str, value: float, unit: str, *, goal: float | None = None, remark: str = "") -> Figure:
    return Figure(name=name, value=value, unit=unit, low=value, high=value, goal=goal, remark=remark)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--view"]:
        terminal_io.apply(b"")
        sys.setswitchinterval(SWITCH_SECONDS)
        OneLog(sys.argv[2]).run()
    else:
        BareTextual().run()
