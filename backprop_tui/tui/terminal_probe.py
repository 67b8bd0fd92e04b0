"""What the terminal says of itself before the first paint: its background, and how many columns it gives a line.

It is asked first thing and answers while Textual is loaded, so that asking costs no time. A terminal that does not
answer costs `LIMIT_SECONDS` from the question on at most. Keys that are typed meanwhile are kept for the application;
answers that come later are taken out of its input by `terminal_input`.
"""

from __future__ import annotations

import os
import re
import select
import termios
import time
from typing import Any

from backprop_tui.domain.values import dataclass

LIMIT_SECONDS = 0.15  # little more than it takes to load Textual, so that silence costs little
POOR_TERMINALS = frozenset({"linux", "dumb", "vt100", "vt220"})  # of TERM: sixteen colours, few glyphs, no answers
# On the alternate screen, so that nothing is left of it: a horizontal line and where the cursor stands then (CPR);
# then the background (OSC 11), and who it is (DA1), which about every terminal answers: after that nothing comes.
QUESTION = b"\x1b[?1049h\x1b[1;1H\xe2\x94\x80\x1b[6n\r \r\x1b[?1049l\x1b]11;?\x1b\\\x1b[c"

_POSITION = re.compile(rb"\x1b\[(\d+);(\d+)R")
_BACKGROUND = re.compile(rb"\x1b\]11;([^\x07\x1b]*)(?:\x07|\x1b\\)")
_IDENTITY = re.compile(rb"\x1b\[\?[\d;]*c")
_COLOUR = re.compile(rb"rgba?:([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """What it told; None where it told nothing. `typed` are the keys that came between."""

    is_light: bool | None = None
    line_columns: int | None = None  # of a horizontal line: 1; 2 with East Asian widths, 3 without UTF-8
    typed: bytes = b""


NOTHING_KNOWN = Terminal()


class TerminalProbe:
    """Between `ask` and `close` the terminal neither echoes nor waits for the end of a line."""

    def __init__(self, input_fd: int = 0, output_fd: int = 1) -> None:
        self._input, self._output = input_fd, output_fd
        self._asked_at = 0.0
        self.attributes: list[Any] | None = None  # to be restored; None where there is nothing to restore

    def ask(self) -> None:
        """Where input and output are the terminal that the program is in the foreground of; else nothing is done."""
        try:
            if not (os.isatty(self._input) and os.isatty(self._output)):
                return
            if os.tcgetpgrp(self._input) != os.getpgrp():
                return
            if os.environ.get("TERM", "dumb") in POOR_TERMINALS:
                return
            attributes = termios.tcgetattr(self._input)
            quiet = termios.tcgetattr(self._input)
            quiet[0] &= ~termios.ICRNL  # as the application will have it: enter is enter
            quiet[3] &= ~(termios.ECHO | termios.ICANON)
            termios.tcsetattr(self._input, termios.TCSANOW, quiet)
            self.attributes = attributes
            os.write(self._output, QUESTION)
        except (OSError, termios.error):
            self.close()
            return
        self._asked_at = time.monotonic()

    def answer(self, *, wait: bool = True) -> Terminal:
        """What it told so far; where that is not all and `wait`, until `LIMIT_SECONDS` after the question."""
        if self.attributes is None:
            return NOTHING_KNOWN
        received = b""
        until = self._asked_at + LIMIT_SECONDS if wait else 0.0
        while not _IDENTITY.search(received):
            if not select.select([self._input], [], [], max(0.0, until - time.monotonic()))[0]:
                break
            chunk = os.read(self._input, 1 << 12)
            if not chunk:
                break
            received += chunk
        else:
            self.close()
        return understood(received)

    def close(self) -> None:
        """The terminal behaves as before; once more is harmless."""
        if self.attributes is not None:
            try:
                termios.tcsetattr(self._input, termios.TCSANOW, self.attributes)
            except termios.error:  # it is gone
                pass
            self.attributes = None


def understood(received: bytes) -> Terminal:
    """What bytes from the terminal say, whatever else is among them."""
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
    """Of X11's notation of colours; the weights are those of ITU-R BT.601."""
    found = _COLOUR.match(colour)
    if found is None:
        return None
    red, green, blue = (int(digits, 16) / float(16 ** len(digits) - 1) for digits in found.groups())
    return bool(0.299 * red + 0.587 * green + 0.114 * blue > 0.5)
