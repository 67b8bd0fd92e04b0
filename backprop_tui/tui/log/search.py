"""Lines that match, found a stretch of the file at a time: the next one from a place, and how many there are."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator

from backprop_tui.tui.log.escapes import decoded, plain_lines, spans_of, text_of
from backprop_tui.tui.log.file import LogFile

STRETCH_BYTES = 256 << 10
_LETTERS = re.compile(r"[^\\.^$*+?{}\[\]()|]*")
_MAY_BE_NONE = ("*", "?", "{")  # of the letter before


def compiled(expression: str) -> re.Pattern[str] | str:
    """The pattern, or why there is none; small letters alone mean capitals as well."""
    flags = re.IGNORECASE if expression == expression.lower() else re.NOFLAG
    try:
        return re.compile(expression, flags)
    except (re.error, OverflowError, RecursionError) as error:
        return str(error)


def _required(expression: str) -> str | None:
    """The letters that every match begins with, by which most of a file is passed over; None where there are none."""
    if "|" in expression or not expression.isascii():
        return None
    found = _LETTERS.match(expression)
    letters = found[0] if found else ""
    if expression[len(letters) : len(letters) + 1] in _MAY_BE_NONE:
        letters = letters[:-1]
    return letters or None


class Matcher:
    """Which lines match."""

    def __init__(self, pattern: re.Pattern[str], *, one_by_one: bool = True) -> None:
        """`one_by_one` False: no match spans lines or looks at others, so that many are searched at once."""
        self.pattern = pattern
        self._literal = None if pattern.flags & re.VERBOSE else _required(pattern.pattern)
        self._at_once = None if one_by_one else re.compile(pattern.pattern, pattern.flags | re.MULTILINE)

    def starts_in(self, file: LogFile, stretch: int) -> list[int]:
        """Where the matching lines begin that begin in a stretch of the file."""
        begin, end = stretch * STRETCH_BYTES, min((stretch + 1) * STRETCH_BYTES, file.size)
        content = file.read(max(0, begin - 1), end)
        first = 0
        if begin:
            first = content.find(b"\n") + 1
            if first == 0:
                return []
            begin -= 1
        whole_to = content.rfind(b"\n") + 1
        found = self._of_whole_lines(content[first:whole_to], begin + first) if whole_to > first else []
        last = begin + max(first, whole_to)
        if last < end and self._matches_line(file, last):
            found.append(last)
        return found

    def _matches_line(self, file: LogFile, start: int) -> bool:
        end = file.line_end(start)
        content, _ = file.shown_bytes((start, end))
        return self.pattern.search(text_of(spans_of(decoded(content, whole=True)))) is not None

    def _of_whole_lines(self, content: bytes, offset: int) -> list[int]:
        text = plain_lines(content)
        if not self._may_match(text):
            return []
        search = self.pattern.search
        matching = [place for place, line in enumerate(text.split("\n")[:-1]) if search(line)]
        if not matching:
            return []
        starts = array("Q", [0])
        for line in content.split(b"\n")[:-1]:
            starts.append(starts[-1] + len(line) + 1)
        return [offset + starts[place] for place in matching]

    def _may_match(self, text: str) -> bool:
        if self._literal is not None:
            if not self.pattern.flags & re.IGNORECASE:
                return self._literal in text
            return not text.isascii() or self._literal in text.lower()
        return self._at_once is None or self._at_once.search(text) is not None


class MatchCounts:
    """How many lines match, a stretch at a time; the last stretch again when the file grew."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        self._through = array("Q", [0])  # matching lines before the end of each stretch, with a 0 in front
        self._size = 0  # of the file, up to which it is counted
        self._at_end = False

    @property
    def count(self) -> int:
        """So far."""
        return self._through[-1]

    def share(self, file: LogFile) -> float | None:
        """How much is counted; None when all is."""
        return None if self._size >= file.size else self._size / file.size

    def step(self, file: LogFile) -> bool:
        """Counts a stretch; whether more is left."""
        if self._size >= file.size:
            return False
        # What ended the file may have been half a line.
        again = self._size if self._size % STRETCH_BYTES == 0 and not self._at_end else file.line_start(self._size)
        stretch = again // STRETCH_BYTES
        del self._through[stretch + 1 :]
        self._through.append(self._through[-1] + len(self._matcher.starts_in(file, stretch)))
        self._size = min(file.size, (stretch + 1) * STRETCH_BYTES)
        self._at_end = self._size == file.size
        return self._size < file.size

    def ordinal(self, start: int, file: LogFile) -> int | None:
        """Which of all matching lines begins there, from 1; None where it is not counted so far."""
        stretch = start // STRETCH_BYTES
        if stretch + 1 >= len(self._through):
            return None
        starts = self._matcher.starts_in(file, stretch)
        return self._through[stretch] + starts.index(start) + 1 if start in starts else None


class Seek:
    """The next matching line from a place, then from the other end of the file on."""

    def __init__(self, matcher: Matcher, place: int, *, forward: bool, floor: int = 0, around: bool = True) -> None:
        """Lines that begin after `place`, or before it; no further back than `floor`."""
        self._matcher = matcher
        self._place = place
        self._forward = forward
        self._floor = floor
        self._around = around
        self._steps: Iterator[tuple[int | None, bool]] | None = None
        self.found: int | None = None
        self.went_around = False

    def step(self, file: LogFile) -> bool:
        """Looks at a stretch; whether it goes on. Then `found` is where the line begins, or None."""
        if self._steps is None:
            self._steps = self._search(file)
        step = next(self._steps, None)
        if step is None:
            return False
        self.found, self.went_around = step
        return self.found is None

    def _search(self, file: LogFile) -> Iterator[tuple[int | None, bool]]:
        last = max(0, file.size - 1) // STRETCH_BYTES
        here = min(max(0, self._place), file.size) // STRETCH_BYTES
        ahead = range(here, last + 1) if self._forward else range(here, self._floor // STRETCH_BYTES - 1, -1)
        behind = range(here + 1) if self._forward else range(last, here - 1, -1)
        for stretch in ahead:
            yield self._best(file, stretch, ahead=True), False
        for stretch in behind if self._around else ():
            yield self._best(file, stretch, ahead=False), True

    def _best(self, file: LogFile, stretch: int, *, ahead: bool) -> int | None:
        starts = [one for one in self._matcher.starts_in(file, stretch) if one >= self._floor]
        if ahead:
            starts = [one for one in starts if (one > self._place if self._forward else one < self._place)]
        if not starts:
            return None
        return starts[0] if self._forward else starts[-1]
