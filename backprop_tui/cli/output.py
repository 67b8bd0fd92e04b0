"""The only place that writes to stdout, and what stdout can show: its width, characters and colors."""

from __future__ import annotations

import json
import os
import re
import select
import sys
import time
from collections.abc import Iterable

from backprop_tui.domain.errors import BackpropError, StorageFailed
from backprop_tui.domain.sanitize import OutputFilter, sanitize_lines

USUAL_WIDTH = 80
_CLEAR_SCREEN = "\x1b[H\x1b[2J"
# A style inside of a text is written between noncharacters, and becomes a sequence after the text was made harmless.
_STYLE = "\ufdd0([0-9;]{1,8})\ufdd1"


def line(text: str = "") -> None:
    """Writes text for people, without anything that a terminal would obey, but with the colors of `painted`."""
    parts = re.split(_STYLE, text) if "\ufdd0" in text and shows_colour() else [text]
    harmless = (
        f"\x1b[{part}m" if index % 2 else sanitize_lines(part, keep_bytes=not is_terminal())
        for index, part in enumerate(parts)
    )
    _write("".join(harmless) + "\n")


def painted(text: str, style: str) -> str:
    """The text in a style of a terminal, such as "31", for `line`."""
    return f"\ufdd0{style}\ufdd1{text}\ufdd00\ufdd1" if shows_colour() else text


def data(text: str) -> None:
    """Writes text that programs read: files and pipes get it as it is, a terminal only what it can show."""
    _write((sanitize_lines(text) if is_terminal() else text) + "\n")


def json_value(value: object) -> None:
    _write(json.dumps(value, indent=2, allow_nan=False) + "\n")


def json_line(value: object) -> None:
    """Writes one JSON value on one line, and flushes, because somebody follows."""
    _write(json.dumps(value, separators=(",", ":"), allow_nan=False) + "\n")
    flush()


def flush() -> None:
    """Raises: BrokenPipeError, StorageFailed."""
    _write("", at_once=True)


def _write(text: str, *, at_once: bool = False) -> None:
    try:
        sys.stdout.write(text)
        if at_once:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StorageFailed(f"standard output: {error.strerror}", "write it elsewhere, or free some space") from error


def json_error(error: BackpropError, **values: object) -> None:
    """Writes `{"error": {...}}` on one line, with other values beside it; nothing if stdout does not take it."""
    fields = {"kind": error.kind, "message": error.message, "hint": error.hint, "exit_code": error.exit_code}
    try:
        json_line({"error": fields} | values)
    except (OSError, StorageFailed):
        pass  # stdout may be what failed; the exit code says it as well


class ScriptOutput:
    """What scripts printed, on its way to stdout: byte for byte, or as a terminal can show it."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._filter = OutputFilter() if is_terminal() else None
        self.ends_line = True  # whether what was written last did

    def __len__(self) -> int:
        """How many bytes wait for a slow reader."""
        return len(self._pending)

    def add(self, content: bytes, *, final: bool = False) -> None:
        """Takes what comes next; `final`: nothing follows that belongs to it."""
        self._pending += content if self._filter is None else self._filter.pass_on(content, final=final)

    def write(self) -> None:
        """Writes as much as the reader takes without blocking; may raise BrokenPipeError."""
        with memoryview(self._pending) as view:
            written = write_available(view)
        if written:
            self.ends_line = self._pending[written - 1] == ord("\n")
        del self._pending[:written]


def write_available(content: memoryview) -> int:
    """Writes as much as the reader takes without blocking and returns how many bytes; may raise BrokenPipeError."""
    descriptor = sys.stdout.fileno()
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    written = 0
    # A pipe that is ready takes at least PIPE_BUF bytes; a terminal held by Ctrl-S is not ready. See pipe(7).
    while written < len(content) and poll.poll(0):
        written += os.write(descriptor, content[written : written + select.PIPE_BUF])
    return written


def wait(seconds: float, *, for_reader: bool, others: Iterable[int] = ()) -> list[int]:
    """Waits until another descriptor or, with `for_reader`, the reader is ready; returns the other ones that are.

    Raises BrokenPipeError if the reader is gone, also if there is nothing to write.
    """
    descriptor = sys.stdout.fileno()
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT if for_reader else 0)
    for other in others:
        poll.register(other, select.POLLIN)
    ready = dict(poll.poll(seconds * 1000))
    if ready.pop(descriptor, 0) & (select.POLLERR | select.POLLHUP | select.POLLNVAL):
        raise BrokenPipeError
    return list(ready)


def is_terminal() -> bool:
    return sys.stdout.isatty()


def prepare() -> None:
    """Keeps a command from failing over a path that this locale cannot encode, or a closed stream."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open until the program ends
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="surrogateescape" if shows_unicode() else "replace")


def next_screen(seconds: float) -> None:
    """Waits, then clears a terminal for what is shown next; elsewhere it is separated by an empty line."""
    flush()
    time.sleep(seconds)
    sys.stdout.write(_CLEAR_SCREEN if is_terminal() else "\n")


def leave(*, discard: bool) -> None:
    """Flushes or discards the rest before the exit: Python would try again, fail, and change the exit code."""
    try:
        if not discard:
            sys.stdout.flush()
            return
    except OSError:
        pass
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def width() -> int | None:
    """Columns of the terminal on stdout; None if it is a pipe or a file, for which nothing is cut."""
    if not is_terminal():
        return None
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    size = terminal_size()
    return size[0] if size is not None and size[0] else USUAL_WIDTH


def terminal_size() -> tuple[int, int] | None:
    """Columns and lines of the terminal on stdout; None if there is none."""
    if not is_terminal():
        return None
    try:
        size = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        return None
    return size.columns, size.lines


def shows_unicode() -> bool:
    return (sys.stdout.encoding or "").replace("-", "").lower() == "utf8"


def shows_colour() -> bool:
    """Whether stdout is a terminal with colors, and NO_COLOR is not set. See no-color.org."""
    return is_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in (None, "", "dumb")
