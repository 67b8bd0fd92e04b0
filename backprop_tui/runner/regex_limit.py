"""Limits the CPU time of a user's regular expressions, so that none can hang a guardian.

`re` checks for signals while it searches, so a timer's signal handler can end a search by raising an exception.
"""

from __future__ import annotations

import re
import signal
import time
from types import FrameType

from backprop_tui.readers.user_patterns import RegexTimeout

ALLOWED_SECONDS = 0.25  # of CPU time, for so many lines:
LINES = 1000


class RegexLimit:
    """Runs searches with a time limit per pattern. Only for the main thread, because only that one handles signals."""

    def __init__(self, allowed_seconds: float = ALLOWED_SECONDS) -> None:
        self._allowed_seconds = allowed_seconds
        self._spent: dict[re.Pattern[str], tuple[float, int]] = {}  # seconds and lines
        self._is_armed = False
        signal.signal(signal.SIGVTALRM, self._on_timer)

    def search(self, pattern: re.Pattern[str], line: str) -> re.Match[str] | None:
        """Does what the pattern's own `search` does.

        Raises:
            TookTooLong: the pattern has used up its time for the last thousand lines.
        """
        spent, lines = self._spent.get(pattern, (0.0, 0))
        if lines >= LINES:
            spent, lines = 0.0, 0
        started = time.thread_time()
        match = self._search_within(max(0.001, self._allowed_seconds - spent), pattern, line)
        spent += time.thread_time() - started
        if spent > self._allowed_seconds:
            raise RegexTimeout
        self._spent[pattern] = spent, lines + 1
        return match

    def _search_within(self, seconds: float, pattern: re.Pattern[str], line: str) -> re.Match[str] | None:
        self._is_armed = True
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
        try:
            return pattern.search(line)
        finally:
            self._is_armed = False
            signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)

    def _on_timer(self, _number: int, _frame: FrameType | None) -> None:
        if self._is_armed:
            raise RegexTimeout
