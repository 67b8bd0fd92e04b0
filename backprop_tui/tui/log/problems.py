"""Where the errors and warnings of a log are: found by a few bytes that such a line contains, kept as a coarse map."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backprop_tui.tui.log.escapes import decode_line, parse_spans, plain_text
from backprop_tui.tui.log.file import LogFile, last_state
from backprop_tui.tui.log.page import LineKind, Problem, classify_line
from backprop_tui.tui.log.search import STRETCH_BYTES, LineMatcher

UNIT_BYTES = 64 << 10  # looked at in one step; of a fast growing log also the most between two polls
FIRST_BYTES = 16 << 20  # of the end of a log; what is before is not looked at
MAX_CELLS = 4096
_FIRST_STRIDE_BYTES = 64
# In lower case. Every line that `classify_line` calls an error or a warning contains one of them.
_CLUES = re.compile(
    rb"error|warn|traceback|exception|interrupt|exit|fault|critical|fatal|memory|nccl|killed|terminated|aborted"
    rb"|no space|nan\b|inf(?:inity)?\b|command not found|can't open file|no module named"
)
_PROBLEMS = {LineKind.ERROR: Problem.ERROR, LineKind.WARNING: Problem.WARNING}


def problem_lines(content: bytes) -> Iterator[tuple[int, Problem]]:
    """The offsets of the errors and warnings in complete lines."""
    lowered = content.lower()
    position = 0
    while (clue := _CLUES.search(lowered, position)) is not None:
        start = lowered.rfind(b"\n", 0, clue.start()) + 1
        end = lowered.find(b"\n", clue.end())
        position = len(lowered) if end < 0 else end
        text = plain_text(parse_spans(decode_line(last_state(content[start:position]), whole=True)))
        problem = _PROBLEMS.get(classify_line(text))
        if problem is not None:
            yield start, problem


class ProblemMap:
    """The worst problem of each part of a file, in at most `MAX_CELLS` parts, determined incrementally."""

    def __init__(self) -> None:
        self._cells = bytearray()
        self._stride = _FIRST_STRIDE_BYTES
        self._begin: int | None = None  # bytes; None: nothing was looked at
        self._end = 0
        self._size = 0  # of the file at the last poll
        self._steps_allowed = 0
        self._stuck_at = -1  # the size of the file when its last line was found unfinished

    @property
    def has_work(self) -> bool:
        return self._steps_allowed > 0 and self._end < self._size

    def allow(self, file: LogFile) -> None:
        """Permits to look at what is new, called after each poll: the end of the file at first, later one unit."""
        self._size = file.size
        if self._begin is None:
            if file.size:
                self._begin = self._end = max(0, file.size - FIRST_BYTES)
                self._steps_allowed = 2 * FIRST_BYTES // UNIT_BYTES + 1
        elif file.size != self._stuck_at:
            self._steps_allowed = max(self._steps_allowed, 1)

    def step(self, file: LogFile) -> None:
        content = file.read(self._end, self._end + UNIT_BYTES)
        complete = content.rfind(b"\n") + 1
        if not complete and len(content) < UNIT_BYTES:
            self._steps_allowed, self._stuck_at = 0, file.size
            return
        first = content.find(b"\n") + 1 if self._end == self._begin and self._begin else 0
        for offset, problem in problem_lines(content[first:complete]):
            self._note(self._end + first + offset, problem)
        self._end += complete or len(content)  # nothing is looked for in a line that is longer than a unit
        self._steps_allowed = self._steps_allowed - 1 if self._end < self._size else 0

    def _note(self, position: int, problem: Problem) -> None:
        while position >= MAX_CELLS * self._stride:
            self._cells.extend(b"\0" * (len(self._cells) % 2))
            self._cells = bytearray(map(max, self._cells[::2], self._cells[1::2]))
            self._stride *= 2
        cell = position // self._stride
        self._cells.extend(bytes(cell + 1 - len(self._cells)))
        self._cells[cell] = max(self._cells[cell], problem)

    def edge(self, size: int, rows: int) -> tuple[Problem, ...]:
        """The worst problem of each of so many equal parts of the file."""
        return tuple(self._worst(*self.part(row, size, rows)) for row in range(rows))

    def part(self, row: int, size: int, rows: int) -> tuple[int, int]:
        """The bytes that a row of the edge stands for; the parts of two rows share no cell if they are larger."""
        stride = self._stride
        begin, end = (size * number // rows // stride * stride for number in (row, row + 1))
        return begin, max(end, begin + stride) if row + 1 < rows else size

    def _worst(self, begin: int, end: int) -> Problem:
        if self._begin is None or not self._begin <= (begin + end) // 2 < max(self._end, 1):
            return Problem.UNKNOWN
        return Problem(max(self._cells[begin // self._stride : -(-end // self._stride)], default=Problem.NONE))

    def rules_out(self, begin: int, end: int, worst: Problem) -> bool:
        """Whether it is known that no line that starts there is as bad as that."""
        if self._begin is None or begin <= self._begin or end > self._end:
            return False
        return max(self._cells[begin // self._stride : -(-end // self._stride)], default=0) < worst


class ProblemMatcher(LineMatcher):
    """The lines that are at least as bad as `least`; the map spares it the parts without any."""

    def __init__(self, least: Problem, known: ProblemMap) -> None:
        self._least = least
        self._known = known

    def matches(self, text: str) -> bool:
        return _PROBLEMS.get(classify_line(text), Problem.NONE) >= self._least

    def starts_in(self, file: LogFile, stretch: int) -> list[int]:
        if self._known.rules_out(stretch * STRETCH_BYTES, (stretch + 1) * STRETCH_BYTES, self._least):
            return []
        return super().starts_in(file, stretch)

    def match_complete_lines(self, content: bytes, offset: int) -> list[int]:
        return [offset + start for start, problem in problem_lines(content) if problem >= self._least]
