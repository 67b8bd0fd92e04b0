"""Keeps the events of one process where several print side by side: `[rank1] step 10`, `[1,0]<stdout>:`, ray's pids.

Processes are known by their prefix alone. The curve is that of the lowest rank; of processes without a rank, that of
the first one. Checkpoints of all processes count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from backprop_tui.readers.events import CheckpointSaved, ReaderEvent
from backprop_tui.readers.lazy_regex import lazy_compile

MAX_PREFIX_CHARS = 120
MAX_SILENCE = 64  # after so many events of other processes the leading one is taken to be gone

_LABEL = lazy_compile(
    r"\[(?:local[ _]?|global[ _]?)?(?:rank|default|gpu|proc(?:ess)?|worker)[ :=_]{0,3}(?P<rank>\d{1,6})\]"
    r"|\[\d{1,4},(?P<mpi>\d{1,6})\]<\w{3,6}>"
    r"|\b(?:rank|gpu|worker|process)[ :=]?(?P<word>\d{1,6})(?=\]|:| ?\||\)| - )"
    r"|^\s*rank[ =](?P<first>\d{1,6})(?=[\s,])"
    r"|\((?:[\w.-]{1,60} )?pid=(?P<pid>\d{1,10})\b[^()]{0,60}\)",
    re.IGNORECASE,
)
_MARKS = ("rank", "gpu", "proc", "work", "default", "pid=", "]<")  # one of them is in every label
_MESSAGE = lazy_compile(r"loss|step|epoch|iter|%\|", re.IGNORECASE)


class RankFilter:
    """Decides which events count. The first event of a rank above 0 waits, since rank 0 may only be slower."""

    def __init__(self) -> None:
        self._lead: int | None = None
        self._silence = 0  # events of other processes since the last one of the leading process
        self._held: dict[int, tuple[ReaderEvent, ...]] = {}  # by rank

    def select(self, line: str, events: tuple[ReaderEvent, ...]) -> Iterator[ReaderEvent]:
        """Yields the events of a line that count, after earlier ones that waited for them."""
        label = _label(line) if events else None
        if label is None:
            yield from events
            return
        number, is_rank = label
        if self._lead is None and is_rank and number > 0 and number not in self._held:
            self._held[number] = events
            return
        if self._leads(number, is_rank=is_rank):
            yield from self._held.pop(number, ())
            self._held.clear()
            yield from events
        else:
            yield from (event for event in events if isinstance(event, CheckpointSaved))

    def finish(self) -> Iterator[ReaderEvent]:
        """Yields what is still held back at the end of the log."""
        if self._held:
            yield from self._held[min(self._held)]

    def memory(self) -> int | None:
        return self._lead

    def remember(self, memory: Any) -> None:  # noqa: ANN401 - any JSON value
        self._lead = None if memory is None else int(memory)

    def _leads(self, number: int, *, is_rank: bool) -> bool:
        is_lower = is_rank and self._lead is not None and number < self._lead
        if self._lead is None or is_lower or self._silence >= MAX_SILENCE:
            self._lead = number
        self._silence = 0 if number == self._lead else self._silence + 1
        return number == self._lead


def _label(line: str) -> tuple[int, bool] | None:
    """The number of the process that printed the line, and whether it is a rank; None if no prefix names one."""
    start = line[:MAX_PREFIX_CHARS].lower()
    if not any(mark in start for mark in _MARKS):  # most lines: searching takes ten times as long
        return None
    label = _LABEL.search(line, 0, MAX_PREFIX_CHARS)
    if label is None or _MESSAGE.search(line, 0, label.start()) is not None:
        return None
    return int(label[label.lastgroup or 0]), label["pid"] is None
