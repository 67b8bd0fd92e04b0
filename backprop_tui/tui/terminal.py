"""Asks the terminal for its background before the first paint, and restores it when a signal ends the dashboard.

The question is sent first and answered while Textual is loaded, so asking costs no time. A terminal that does not
answer costs at most `LIMIT_SECONDS` after the question. Keys typed meanwhile are kept for the application; later
answers are removed from its input by `textual_patches.terminal_io`. Answers that are still missing when the dashboard
is left would be read by the shell, so `TerminalProbe.close` waits for them.
"""

from __future__ import annotations

import os
import re
import select
import signal
import termios
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from backprop_tui.domain.lazy_dataclass import lazy_dataclass

LIMIT_SECONDS = 0.15  # little more than loading Textual takes, so a silent terminal costs little
# An answer may come until so long after the question, and closing waits for it; without SSH at most LEAVE_SECONDS.
ANSWER_SECONDS = 2.5
LEAVE_SECONDS = 0.3
BASIC_TERMINALS = frozenset({"linux", "dumb", "vt100", "vt220"})  # by TERM: sixteen colors, few glyphs, no answers
# On the alternate screen, so that it leaves no trace: a horizontal line and the cursor position after it (CPR); then
# the background (OSC 11); last the device attributes (DA1), which almost every terminal answers.
QUESTION = b"\x1b[?1049h\x1b[1;1H\xe2\x94\x80\x1b[6n\r \r\x1b[?1049l\x1b]11;?\x1b\\\x1b[c"

_POSITION = re.compile(rb"\x1b\[(\d+);(\d+)R")
_BACKGROUND = re.compile(rb"\x1b\]11;([^\x07\x1b]*)(?:\x07|\x1b\\)")
_IDENTITY = re.compile(rb"\x1b\[\?[\d;]*c")
# Textual asks for this mode last, after our question.
_LAST_ANSWER = re.compile(rb"\x1b\[\?2048;\d\$y")
_COLOUR = re.compile(rb"rgba?:([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})")
ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
PATIENCE_SECONDS = 3.0  # then the process exits without the application, which may hang on a terminal nobody reads
# Undoes what Textual's driver sets: mouse, focus, paste, resize reports, keyboard protocol, wrap, screen, cursor.
_RESET_SEQUENCE = (
    b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l\x1b[?1004l\x1b[?2004l\x1b[?2048l"
    b"\x1b[<u\x1b[?7h\x1b[?2026l\x1b[?1049l\x1b[?25h\x1b[0m"
)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """Answers of the terminal, None for each that is missing. `typed` are the keys that came in between."""

    is_light: bool | None = None
    line_columns: int | None = None  # of a horizontal line: 1; 2 with East Asian widths, 3 without UTF-8
    typed: bytes = b""


UNKNOWN_TERMINAL = Terminal()


class TerminalProbe:
    """Asks the terminal; between `ask` and `close` it neither echoes nor waits for the end of a line."""

    def __init__(self, input_fd: int = 0, output_fd: int = 1) -> None:
        self._input, self._output = input_fd, output_fd
        self._asked_at = 0.0
        self._is_answered = True
        self.attributes: list[Any] | None = None  # to restore; None when nothing was changed

    def ask(self) -> None:
        """Sends the question, if input and output are a terminal and the program runs in its foreground."""
        try:
            is_terminal = os.isatty(self._input) and os.isatty(self._output)
            if not is_terminal or os.tcgetpgrp(self._input) != os.getpgrp():
                return
            if os.environ.get("TERM", "dumb") in BASIC_TERMINALS:
                return
            attributes = termios.tcgetattr(self._input)
            quiet = termios.tcgetattr(self._input)
            quiet[0] &= ~termios.ICRNL  # as Textual sets it: enter is a carriage return
            quiet[3] &= ~(termios.ECHO | termios.ICANON)
            termios.tcsetattr(self._input, termios.TCSANOW, quiet)
            self.attributes = attributes
            os.write(self._output, QUESTION)
        except (OSError, termios.error):
            self.close()
            return
        self._is_answered = False
        self._asked_at = time.monotonic()

    def answer(self, *, wait: bool = True) -> Terminal:
        """Reads the answers; with `wait`, waits for missing ones until `LIMIT_SECONDS` after the question."""
        if self.attributes is None:
            return UNKNOWN_TERMINAL
        received = self._read_until(_IDENTITY, self._asked_at + LIMIT_SECONDS if wait else 0.0)
        if _IDENTITY.search(received):
            self.note_answer()
            self.close()
        return parse_answers(received)

    def note_answer(self) -> None:
        """Records that the last answer has come; the application may be the one that reads it."""
        self._is_answered = True

    def close(self) -> None:
        """Restores the terminal, after the missing answers have come; may be called again."""
        if self.attributes is not None:
            if not self._is_answered:
                self._discard_answers()
            try:
                termios.tcsetattr(self._input, termios.TCSANOW, self.attributes)
            except termios.error:  # the terminal is gone
                pass
            self.attributes = None

    def _discard_answers(self) -> None:
        """Reads what arrives in time to be an answer; what is typed later is for the shell."""
        self._is_answered = True
        now, deadline = time.monotonic(), self._asked_at + ANSWER_SECONDS
        if now >= deadline:
            return
        if "SSH_CONNECTION" not in os.environ:
            deadline = min(deadline, now + LEAVE_SECONDS)
        with suppress(OSError):  # the terminal is gone
            self._read_until(_LAST_ANSWER, deadline)

    def _read_until(self, end: re.Pattern[bytes], deadline: float) -> bytes:
        received = b""
        while not end.search(received):
            if not select.select([self._input], [], [], max(0.0, deadline - time.monotonic()))[0]:
                break
            chunk = os.read(self._input, 1 << 12)
            if not chunk:
                break
            received += chunk
        return received


def parse_answers(received: bytes) -> Terminal:
    position = _POSITION.search(received)
    background = _BACKGROUND.search(received)
    typed = received
    for answer in (_POSITION, _BACKGROUND, _IDENTITY):
        typed = answer.sub(b"", typed, count=1)
    return Terminal(
        is_light=None if background is None else _is_light(background[1]),
        line_columns=None if position is None else int(position[2]) - 1,
        typed=typed,
    )


def _is_light(colour: bytes) -> bool | None:
    """Whether a color in X11's notation is light; the weights are those of ITU-R BT.601."""
    match = _COLOUR.match(colour)
    if match is None:
        return None
    red, green, blue = (int(digits, 16) / float(16 ** len(digits) - 1) for digits in match.groups())
    return bool(0.299 * red + 0.587 * green + 0.114 * blue > 0.5)


@contextmanager
def ended_by_signals(
    leave: Callable[[int], None],
    *,
    attributes: Sequence[Any] | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Iterator[None]:
    """Calls `leave` from the main thread with 128 + the number of a signal that would end the process.

    When the application has not ended after `patience_seconds`, restores the terminal as far as it accepts output, its
    settings to `attributes` (None: to what they are now), and exits.
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
    """Returns the terminal's settings; None when standard input is no terminal."""
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
