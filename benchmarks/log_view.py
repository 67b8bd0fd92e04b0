"""What the log view costs: a log that grows by 100,000 lines a second, shown and scrolled in a pseudo-terminal.

The view is alone on a screen of 120 columns and 40 rows; `python -m benchmarks.log_view --view LOG` opens it.
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
from backprop_tui.tui.widgets.log import LogView
from benchmarks.measurement import Plan, Result, interleaved, sample_result
from benchmarks.terminal_app import TerminalApp
from benchmarks.timing import MILLISECONDS

LINES_PER_SECOND = 100_000
SECONDS = 10.0
KEYS = 400
GOAL_PERCENT, GOAL_KEY_MILLISECONDS, GOAL_KILOBYTES = 8.0, 20.0, 20.0
_BATCHES_PER_SECOND = 50
_SCROLLED_BYTES = 300  # a scrolled screen sends more, a changed status row sends less
_LINE = b"[14:31:22] iter %09d: loss 2.2137, time 118.71ms, mfu 37.59%%\n"
_STARTED_TEXT = b"following"
_SELF = (sys.executable, "-m", "benchmarks.log_view")


class LogScreen(Screen[None]):
    """Nothing but the view, and two of the dashboard's keys."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("j", "move(1)"), Binding("k", "move(-1)")]

    def action_move(self, rows: int) -> None:
        self.query_one(LogView).turn_wheel(rows)


class LogViewApp(App[None]):
    """The log view in the dashboard's theme."""

    CSS_PATH = os.path.join(os.path.dirname(tui.__file__), "dashboard.tcss")
    CSS = "LogView { height: 1fr; }"

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = DARK

    def get_css_variables(self) -> dict[str, str]:
        variables = super().get_css_variables()
        return theme_colours(variables) | variables

    def get_default_screen(self) -> LogScreen:
        return LogScreen()

    def compose(self) -> ComposeResult:
        yield LogView(self._path)

    def on_mount(self) -> None:
        self.query_one(LogView).focus()


class Lines(Widget):
    """As many rows from memory: shows what Textual itself takes from a key to the paint."""

    top = 1000

    def move(self, rows: int) -> None:
        self.top += rows
        self.refresh()

    def render_line(self, y: int) -> Strip:
        return Strip([Segment((_LINE % (self.top + y)).decode().rstrip())])


class BareTextualApp(App[None]):
    """A minimal Textual app that scrolls."""

    CSS = "Lines { height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("j", "move(1)"), Binding("k", "move(-1)")]

    def compose(self) -> ComposeResult:
        yield Lines()

    def action_move(self, rows: int) -> None:
        self.query_one(Lines).move(rows)


class Writer(threading.Thread):
    """Appends lines to a file at a steady rate."""

    def __init__(self, path: str) -> None:
        super().__init__(daemon=True)
        self._path = path
        self._stopped = threading.Event()
        batch = LINES_PER_SECOND // _BATCHES_PER_SECOND
        self._batch = b"".join(_LINE % number for number in range(batch))
        self.lines = 0

    def run(self) -> None:
        """Writes batches at fixed times, so that a late batch does not lower the rate."""
        start = time.monotonic()
        with open(self._path, "ab", buffering=0) as file:
            while not self._stopped.wait(max(0.0, start + self.lines / LINES_PER_SECOND - time.monotonic())):
                file.write(self._batch)
                self.lines += LINES_PER_SECOND // _BATCHES_PER_SECOND

    def stop(self) -> None:
        self._stopped.set()
        if self.is_alive():
            self.join()


def measure(_plan: Plan) -> list[Result]:
    """Measures the view at rest, while the log grows, and scrolled while it grows."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "log")
        with open(path, "wb") as file:
            file.write(_LINE % 0)
        view, bare = TerminalApp((*_SELF, "--view", path)), TerminalApp((*_SELF, "--bare"))
        writer = Writer(path)
        try:
            view.wait_for(_STARTED_TEXT)
            rest = view.cost(SECONDS / 2)
            writer.start()
            view.output(1.0)
            memory = view.proportional_kilobytes()
            growing = view.cost(SECONDS)
            view.seconds_to_paint(b"k" * 30, _SCROLLED_BYTES)
            keys = interleaved(KEYS, {"view": _key_press(view), "bare": _key_press(bare)})
            gained = view.proportional_kilobytes() - memory
        finally:
            writer.stop()
            view.close()
            bare.close()
        single, megabytes = Result.single, os.path.getsize(path) / 1e6
        return [
            single("log at rest, CPU", rest[0], "%"),
            single("log growing by 100,000 lines/s, CPU", growing[0], "%", goal=GOAL_PERCENT),
            single("the same, sent", growing[1], "kB/s", goal=GOAL_KILOBYTES),
            sample_result("key to paint in that log", keys["view"], "ms"),
            single("key to paint in that log, p99", keys["view"].quantile(0.99), "ms", goal=GOAL_KEY_MILLISECONDS),
            sample_result("key to paint, bare Textual", keys["bare"], "ms"),
            single("key to paint, bare Textual, p99", keys["bare"].quantile(0.99), "ms"),
            single("memory gained while it grew", gained / 1024, "MiB", remark=f"by {megabytes:.0f} MB of log"),
            single("counting the lines of a log", _counting_seconds_per_gigabyte(path), "s/GB"),
        ]


def _key_press(app: TerminalApp) -> Callable[[], float]:
    """Returns a function that presses up and down alternately, and returns the milliseconds to the paint."""
    keys = cycle((b"k", b"j"))
    return lambda: app.seconds_to_paint(next(keys), _SCROLLED_BYTES) * MILLISECONDS


def _counting_seconds_per_gigabyte(path: str) -> float:
    file, counts = LogFile(path), LineCounts()
    file.poll()
    start = time.perf_counter()
    while counts.step(file):
        pass
    return (time.perf_counter() - start) / file.size * 1e9


if __name__ == "__main__":
    if sys.argv[1:2] == ["--view"]:
        terminal_io.apply(b"")
        sys.setswitchinterval(SWITCH_SECONDS)
        LogViewApp(sys.argv[2]).run()
    else:
        BareTextualApp().run()
