"""Searches a log one stretch at a time: the next matching line from a position, and the number of matches."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterator

from backprop_tui.tui.log.escapes import decode_line, parse_spans, plain_lines, plain_text
from backprop_tui.tui.log.file import LogFile

STRETCH_BYTES = 256 << 10
_LITERAL_PREFIX = r"[^\\.^$*+?{}\[\]()|]*"
_OPTIONAL_QUANTIFIERS = ("*", "?", "{")  # the character before them may be missing


def compile_pattern(expression: str) -> re.Pattern[str] | str:
    """The pattern, or the reason why it is invalid; case is ignored unless the expression has capitals."""
    flags = re.IGNORECASE if expression == expression.lower() else re.NOFLAG
    try:
        return re.compile(expression, flags)
    except (re.error, OverflowError, RecursionError) as error:
        return str(error)


def _literal_prefix(expression: str) -> str | None:
    """The characters that every match starts with, which allow to skip most of a file; None if there are none."""
    if "|" in expression or not expression.isascii():
        return None
    match = re.match(_LITERAL_PREFIX, expression)
    prefix = match[0] if match else ""
    if expression[len(prefix) : len(prefix) + 1] in _OPTIONAL_QUANTIFIERS:
        prefix = prefix[:-1]
    return prefix or None


class LineMatcher(ABC):
    """Finds the lines of a file that match, judged by the text that is shown of them."""

    @abstractmethod
    def matches(self, text: str) -> bool:
        """Whether the text of a line matches."""

    @abstractmethod
    def match_complete_lines(self, content: bytes, offset: int) -> list[int]:
        """The starts of the matching ones of many complete lines, which begin at `offset` of the file."""

    def starts_in(self, file: LogFile, stretch: int) -> list[int]:
        """The starts of the matching lines that start in a stretch of the file."""
        begin, end = stretch * STRETCH_BYTES, min((stretch + 1) * STRETCH_BYTES, file.size)
        content = file.read(max(0, begin - 1), end)
        first = 0
        if begin:
            first = content.find(b"\n") + 1
            if first == 0:
                return []
            begin -= 1
        complete_to = content.rfind(b"\n") + 1
        starts = self.match_complete_lines(content[first:complete_to], begin + first) if complete_to > first else []
        last = begin + max(first, complete_to)
        if last < end and self._matches_line(file, last):
            starts.append(last)
        return starts

    def _matches_line(self, file: LogFile, start: int) -> bool:
        content, _ = file.shown_bytes((start, file.line_end(start)))
        return self.matches(plain_text(parse_spans(decode_line(content, whole=True))))


class Matcher(LineMatcher):
    """The lines in which a regular expression is found."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self.pattern = pattern
        self._prefix = _literal_prefix(pattern.pattern)

    def matches(self, text: str) -> bool:
        return self.pattern.search(text) is not None

    def match_complete_lines(self, content: bytes, offset: int) -> list[int]:
        text = plain_lines(content)
        if not self._may_match(text):
            return []
        search = self.pattern.search
        matching = [index for index, line in enumerate(text.split("\n")[:-1]) if search(line)]
        if not matching:
            return []
        starts = array("Q", [0])
        for line in content.split(b"\n")[:-1]:
            starts.append(starts[-1] + len(line) + 1)
        return [offset + starts[index] for index in matching]

    def _may_match(self, text: str) -> bool:
        """Rules out quickly that any line matches."""
        if self._prefix is None:
            return True
        if not self.pattern.flags & re.IGNORECASE:
            return self._prefix in text
        return not text.isascii() or self._prefix in text.lower()


class MatcherPair(LineMatcher):
    """The lines that two matchers have in common: what is searched for while only some lines are shown."""

    def __init__(self, first: LineMatcher, second: LineMatcher) -> None:
        self._first, self._second = first, second

    def matches(self, text: str) -> bool:
        return self._first.matches(text) and self._second.matches(text)

    def match_complete_lines(self, content: bytes, offset: int) -> list[int]:
        starts = self._first.match_complete_lines(content, offset)
        return sorted({*starts}.intersection(self._second.match_complete_lines(content, offset))) if starts else []


class MatchCounts:
    """Counts the matching lines incrementally; the last stretch is counted again when the file grew."""

    def __init__(self, matcher: LineMatcher) -> None:
        self._matcher = matcher
        self._through = array("Q", [0])  # matching lines before the end of each stretch, after a leading 0
        self._counted_to = 0  # bytes
        self._reached_end = False

    @property
    def count(self) -> int:
        return self._through[-1]

    def share(self, file: LogFile) -> float | None:
        """The share of the file that is counted; None once all of it is."""
        return None if self._counted_to >= file.size else self._counted_to / file.size

    def step(self, file: LogFile) -> bool:
        """Counts a stretch; returns whether more is left."""
        if self._counted_to >= file.size:
            return False
        # The last line may have been incomplete when it was counted.
        is_resumable = self._counted_to % STRETCH_BYTES == 0 and not self._reached_end
        position = self._counted_to if is_resumable else file.line_start(self._counted_to)
        stretch = position // STRETCH_BYTES
        del self._through[stretch + 1 :]
        self._through.append(self._through[-1] + len(self._matcher.starts_in(file, stretch)))
        self._counted_to = min(file.size, (stretch + 1) * STRETCH_BYTES)
        self._reached_end = self._counted_to == file.size
        return self._counted_to < file.size

    def ordinal(self, start: int, file: LogFile) -> int | None:
        """The number among all matching lines, from 1, of the one that starts there; None if not counted yet."""
        stretch = start // STRETCH_BYTES
        if stretch + 1 >= len(self._through):
            return None
        starts = self._matcher.starts_in(file, stretch)
        return self._through[stretch] + starts.index(start) + 1 if start in starts else None


class MatchSearch:
    """Searches the next matching line from a position to the end of the file, then from its other end."""

    def __init__(
        self,
        matcher: LineMatcher,
        position: int,
        *,
        forward: bool,
        floor: int = 0,
        wrap: bool = True,
        missed: str = "no match",
    ) -> None:
        """Finds lines that start after `position`, or before it, but not before `floor`; `missed` says: no such."""
        self.missed = missed
        self._matcher = matcher
        self._position = position
        self._forward = forward
        self._floor = floor
        self._wrap = wrap
        self._steps: Iterator[tuple[int | None, bool]] | None = None
        self.start: int | None = None  # of the matching line
        self.wrapped = False

    def step(self, file: LogFile) -> bool:
        """Searches a stretch; returns whether to continue. When it is over, `start` is the match or None."""
        if self._steps is None:
            self._steps = self._search(file)
        step = next(self._steps, None)
        if step is None:
            return False
        self.start, self.wrapped = step
        return self.start is None

    def _search(self, file: LogFile) -> Iterator[tuple[int | None, bool]]:
        last = max(0, file.size - 1) // STRETCH_BYTES
        here = min(max(0, self._position), file.size) // STRETCH_BYTES
        ahead = range(here, last + 1) if self._forward else range(here, self._floor // STRETCH_BYTES - 1, -1)
        behind = range(here + 1) if self._forward else range(last, here - 1, -1)
        for stretch in ahead:
            yield self._nearest_match(file, stretch, ahead=True), False
        for stretch in behind if self._wrap else ():
            yield self._nearest_match(file, stretch, ahead=False), True

    def _nearest_match(self, file: LogFile, stretch: int, *, ahead: bool) -> int | None:
        starts = [start for start in self._matcher.starts_in(file, stretch) if start >= self._floor]
        if ahead:
            starts = [s for s in starts if (s > self._position if self._forward else s < self._position)]
        if not starts:
            return None
        return starts[0] if self._forward else starts[-1]
