"""What the log view costs: a log that grows by 100,000 lines a second, watched and scrolled in a real pseudo-terminal.

`python -m benchmarks.log_view [SECONDS]`; the view alone on its screen, 120 columns and 40 rows.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import sys
import tempfile
import termios
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

from backprop_tui.tui import textual_crop
from backprop_tui.tui.log.counts import LineCounts
from backprop_tui.tui.log.file import LogFile
from backprop_tui.tui.theme import DARK, THEMES, of_any_theme
from backprop_tui.tui.widgets.log import LogView
from backprop_tui.tui.widgets.painted import COLOURS
from benchmarks.clock import MILLISECONDS, cpu_seconds
from benchmarks.figures import Figure, figure_of, table
from benchmarks.samples import in_turns

LINES_PER_SECOND = 100_000
COLUMNS, ROWS = 120, 40
SECONDS = 10.0
KEYS = 200
GOAL_PERCENT, GOAL_KEY_MILLISECONDS, GOAL_KILOBYTES = 8.0, 20.0, 20.0
_BATCHES_PER_SECOND = 50
_SCROLLED_BYTES = 300  # a scrolled screen sends more, a changed status row less
_LINE = b"[14:31:22] iter %09d: loss 2.2137, time 118.71ms, mfu 37.59%%\n"
_STARTED_BYTES = b"following"


class Bare(Screen[None]):
    """Nothing but the view, and two of the keys that the dashboard's screen has."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(COLOURS)
    BINDINGS: ClassVar[list[BindingType]] = [Binding("j", "move(1)"), Binding("k", "move(-1)")]

    def action_move(self, rows: int) -> None:
        """Scrolls."""
        self.query_one(LogView).move(rows)


class OneLog(App[None]):
    """The view in the dashboard's theme."""

    CSS_PATH = os.path.join(os.path.dirname(textual_crop.__file__), "dashboard.tcss")
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
        return of_any_theme(variables) | variables

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


class Watched:
    """The application in a pseudo-terminal of its own."""

    def __init__(self, *arguments: str) -> None:
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", LANG="C.UTF-8")
            os.execv(sys.executable, [sys.executable, "-m", "benchmarks.log_view", *arguments])
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))

    def output(self, seconds: float) -> bytes:
        """What it sends within that time."""
        until, found = time.monotonic() + seconds, b""
        while (left := until - time.monotonic()) > 0:
            if select.select([self._terminal], [], [], left)[0]:
                found += os.read(self._terminal, 1 << 16)
        return found

    def wait_for(self, words: bytes) -> None:
        """Until it has sent them."""
        found = b""
        while words not in found:
            found += os.read(self._terminal, 1 << 16)

    def press(self, key: bytes) -> float:
        """Seconds until the screen has scrolled."""
        self.output(0.02)
        began, received = time.perf_counter(), 0
        os.write(self._terminal, key)
        while received < _SCROLLED_BYTES and time.perf_counter() - began < 1.0:
            if select.select([self._terminal], [], [], 1.0)[0]:
                received += len(os.read(self._terminal, 1 << 16))
        return time.perf_counter() - began

    def proportional_kilobytes(self) -> int:
        """PSS."""
        with open(f"/proc/{self.pid}/smaps_rollup", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))

    def close(self) -> None:
        """Ends it."""
        os.kill(self.pid, 15)
        os.close(self._terminal)
        os.waitpid(self.pid, 0)


def measure(seconds: float) -> list[Figure]:
    """Growing, scrolled while it grows, and at rest."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "log")
        with open(path, "wb") as file:
            file.write(_LINE % 0)
        watched, bare, writer = Watched("--view", path), Watched("--bare"), Writer(path)
        try:
            watched.wait_for(_STARTED_BYTES)
            rest = _cost(watched, seconds / 2)
            writer.start()
            watched.output(1.0)
            memory = watched.proportional_kilobytes()
            growing = _cost(watched, seconds)
            watched.press(b"k" * 30)
            keys = in_turns(KEYS, {"view": _presses(watched), "bare": _presses(bare)})
            grown = watched.proportional_kilobytes() - memory
        finally:
            writer.stop()
            watched.close()
            bare.close()
        return [
            _one("at rest, CPU", rest[0], "%"),
            _one("growing, CPU", growing[0], "%", goal=GOAL_PERCENT),
            _one("growing, sent", growing[1], "kB/s", goal=GOAL_KILOBYTES),
            figure_of("key to paint while growing", keys["view"], "ms"),
            _one("key to paint, p99", keys["view"].quantile(0.99), "ms", goal=GOAL_KEY_MILLISECONDS),
            figure_of("key to paint, bare Textual", keys["bare"], "ms"),
            _one("key to paint, bare Textual, p99", keys["bare"].quantile(0.99), "ms"),
            _one("memory gained", grown / 1024, "MiB", remark=f"by {os.path.getsize(path) / 1e6:.0f} MB of log"),
            _one("lines counted", _counting_seconds(path), "s/GB"),
        ]


def _presses(watched: Watched) -> Callable[[], float]:
    """Up and down in turns; milliseconds of each."""
    turns = cycle((b"k", b"j"))
    return lambda: watched.press(next(turns)) * MILLISECONDS


def _cost(watched: Watched, seconds: float) -> tuple[float, float]:
    """CPU in percent of one core, and kB/s sent."""
    began, used = time.monotonic(), cpu_seconds(watched.pid)
    sent = len(watched.output(seconds))
    took = time.monotonic() - began
    return (cpu_seconds(watched.pid) - used) / took * 100, sent / took / 1000


def _counting_seconds(path: str) -> float:
    """Per GB."""
    file, counts = LogFile(path), LineCounts()
    file.look()
    began = time.perf_counter()
    while counts.step(file):
        pass
    return (time.perf_counter() - began) / file.size * 1e9


def _one(name: str, value: float, unit: str, *, goal: float | None = None, remark: str = "") -> Figure:
    return Figure(name=name, value=value, unit=unit, low=value, high=value, goal=goal, remark=remark)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--view"]:
        textual_crop.apply()
        OneLog(sys.argv[2]).run()
    elif sys.argv[1:2] == ["--bare"]:
        BareTextual().run()
    else:
        print(table(measure(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS)))
