"""Bounds the CPU time that a regular expression of the user's may take: a guardian must not hang on one.

`re` looks for signals while it searches, so a timer's handler can end a search by raising.
"""

from __future__ import annotations

import re
import signal
import time
from types import FrameType

from backprop_tui.readers.user_patterns import TookTooLong

ALLOWED_SECONDS = 0.25
LINES = 1000  # for which that is allowed


class RegexLimit:
    """To be used in the main thread alone, which is the one that handles signals."""

    def __init__(self, allowed_seconds: float = ALLOWED_SECONDS) -> None:
        self._allowed_seconds = allowed_seconds
        self._spent: dict[re.Pattern[str], tuple[float, int]] = {}  # seconds and lines
        self._is_armed = False
        signal.signal(signal.SIGVTALRM, self._ring)

    def search(self, pattern: re.Pattern[str], line: str) -> re.Match[str] | None:
        """As the pattern's own.

        Raises:
            TookTooLong: it took more than it may of the last thousand lines.
        """
        spent, lines = self._spent.get(pattern, (0.0, 0))
        if lines >= LINES:
            spent, lines = 0.0, 0
        began = time.thread_time()
        found = self._within(max(0.001, self._allowed_seconds - spent), pattern, line)
        spent += time.thread_time() - began
        if spent > self._allowed_seconds:
            raise TookTooLong
        self._spent[pattern] = spent, lines + 1
        return found

    def _within(self, seconds: float, pattern: re.Pattern[str], line: str) -> re.Match[str] | None:
        self._is_armed = True
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
        try:
            return pattern.search(line)
        finally:
            self._is_armed = False
            signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        if self._is_armed:
            raise TookTooLong
