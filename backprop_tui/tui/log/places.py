"""Places in scripts that a log names, as frames of a traceback or as `file.py:12`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence

from backprop_tui.domain.causes.tracebacks import is_library, parse_frame, split_log_lines
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.tui.log.page import TRACEBACK

_MENTION = re.compile(r"(?P<path>[\w./~+-]*\w\.\w+)(?::| line |\", line )(?P<line>\d+)\b")


@lazy_dataclass(frozen=True, slots=True)
class Place:
    """A line of a file, counted from 1."""

    path: str
    line: int

    def resolved(self, directory: str) -> Place | None:
        """The same with an absolute path; None if there is no such regular file."""
        path = os.path.join(directory, os.path.expanduser(self.path))
        return Place(os.path.abspath(path), self.line) if os.path.isfile(path) else None


def places_near(lines: Sequence[str], index: int) -> Iterator[Place]:
    """The places that a line is about, the most likely first.

    The line itself may name it, or the frame above it; otherwise the traceback that it is in, or else the next one:
    first its frames in the user's own code, the innermost first, then those of libraries.
    """
    texts = _without_ranks(lines)
    if texts:
        is_source = index > 0 and texts[index].startswith("    ") and parse_frame(texts[index]) is None
        frame = parse_frame(texts[index - is_source])
        if frame is not None:
            yield Place(frame[0], frame[1])
        yield from mentioned_places(texts[index])
    heads = [number for number, text in enumerate(texts) if TRACEBACK in text]
    head = max((number for number in heads if number <= index), default=min(heads, default=len(texts)))
    end = min((number for number in heads if number > head), default=len(texts))
    yield from _by_likelihood(texts[head:end])


def first_existing(places: Iterable[Place], directory: str) -> Place | None:
    """The first place whose file exists, with an absolute path."""
    return next(filter(None, (place.resolved(directory) for place in places)), None)


def _without_ranks(lines: Sequence[str]) -> list[str]:
    """The lines without what launchers print before them, such as `[rank0]: `."""
    return [split_log_lines(line.encode(), None)[0].text if line else "" for line in lines]


def mentioned_places(text: str) -> Iterator[Place]:
    for mention in _MENTION.finditer(text):
        yield Place(mention["path"], int(mention["line"]))


def cause_places(advice: str, lines: Sequence[str]) -> Iterator[Place]:
    """The place that the advice of a cause names, which may be shortened there; else the last traceback's."""
    named = [(os.path.basename(place.path), place.line) for place in mentioned_places(advice)]
    frames = [Place(*frame[:2]) for frame in map(parse_frame, _without_ranks(lines)) if frame is not None]
    yield from (place for place in reversed(frames) if (os.path.basename(place.path), place.line) in named)
    yield from mentioned_places(advice)
    heads = [number for number, line in enumerate(lines) if TRACEBACK in line]
    if heads:
        yield from places_near(lines, heads[-1])


def _by_likelihood(texts: Iterable[str]) -> Sequence[Place]:
    frames = [Place(*frame[:2]) for frame in map(parse_frame, texts) if frame is not None][::-1]
    return sorted(frames, key=lambda place: is_library(place.path))
