"""Restore the terminal when a signal ends the dashboard, even when nobody reads the terminal any more."""

from __future__ import annotations

import os
import signal
import termios
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
PATIENCE_SECONDS = 3.0  # then the process exits without the application, which may hang on a terminal nobody reads
# Undoes what Textual's driver sets: mouse, focus, paste, resize reports, keyboard protocol, wrap, screen, cursor.
_RESET_SEQUENCE = (
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
    """Call `leave` from the main thread with 128 + the number of a signal that would end the process.

    When the application has not ended after `patience_seconds`, restore the terminal as far as it accepts output, its
    settings to `attributes` (None: to what they are now), and exit.
    """
    attributes = attributes or _terminal_attributes()
    before = {number: signal.getsignal(number) for number in ENDING}

    def end(number: int, _frame: object) -> None:
        # Takes no lock and does not touch the loop: the signal may have come while either was held.
        code = 128 + number
        timer = threading.Timer(patience_seconds, _exit_by_force, (code, attributes))
        timer.daemon = True
        timer.start()
        leave(code)

    for number in ENDING:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _terminal_attributes() -> Sequence[Any] | None:
    """Return the terminal's settings; None when standard input is no terminal."""
    try:
        return termios.tcgetattr(0)
    except termios.error:
        return None


def _exit_by_force(code: int, attributes: Sequence[Any] | None) -> None:
    try:
        if attributes is not None:
            termios.tcsetattr(0, termios.TCSANOW, list(attributes))
        # A descriptor of its own: O_NONBLOCK on ours would apply to the shell too.
        terminal = os.open("/dev/tty", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        os.write(terminal, _RESET_SEQUENCE)
    except (OSError, termios.error):
        pass  # the terminal is gone
    os._exit(code)
