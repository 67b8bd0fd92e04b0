"""Signals that end the dashboard leave the terminal as it was, also where nobody reads it any more."""

from __future__ import annotations

import os
import signal
import termios
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
PATIENCE_SECONDS = 3.0  # then it ends without the application, which may wait for a terminal that nobody reads
# What Textual's driver sets, undone: mouse, focus, paste, resize reports, keyboard protocol, wrap, screen, cursor.
_UNDO = (
    b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l\x1b[?1004l\x1b[?2004l\x1b[?2048l"
    b"\x1b[<u\x1b[?7h\x1b[?2026l\x1b[?1049l\x1b[?25h\x1b[0m"
)


@contextmanager
def ended_by_signals(
    leave: Callable[[int], None],
    *,
    attributes: Sequence[Any] | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Iterator[None]:
    """Within, a signal that would end the process calls `leave` with 128 + its number, from the main thread.

    What is not left then in time is ended by force: with the terminal restored as far as it takes anything, its
    settings to `attributes`, or where that is None, to what they are now.
    """
    attributes = attributes or _attributes()
    before = {number: signal.getsignal(number) for number in ENDING}

    def end(number: int, _frame: object) -> None:
        # No lock and no loop here: the signal may have come while either was held.
        code = 128 + number
        by_force = threading.Timer(patience_seconds, _end_by_force, (code, attributes))
        by_force.daemon = True
        by_force.start()
        leave(code)

    for number in ENDING:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _attributes() -> Sequence[Any] | None:
    """The terminal's settings; None where standard input is none."""
    try:
        return termios.tcgetattr(0)
    except termios.error:
        return None


def _end_by_force(code: int, attributes: Sequence[Any] | None) -> None:
    try:
        if attributes is not None:
            termios.tcsetattr(0, termios.TCSANOW, list(attributes))
        # Of its own, since what is set on ours would be set on the shell's.
        terminal = os.open("/dev/tty", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        os.write(terminal, _UNDO)
    except (OSError, termios.error):
        pass  # it is gone
    os._exit(code)
