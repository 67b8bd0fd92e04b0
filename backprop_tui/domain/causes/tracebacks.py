"""The tracebacks at the end of a log, each with the chain of exceptions that led to it, the root first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field

from backprop_tui.domain.causes.log_lines import LogLine
from backprop_tui.domain.values import dataclass

_HEAD = "Traceback (most recent call last)"
_FRAME = r'\s+File "(?P<path>[^"]+)", line (?P<line>\d+)'
_EXCEPTION = r"(?P<type>(?:\w+\.)*[A-Za-z_]\w*)(?:: (?P<said>.*)|:?\s*)$"
_MEANT = "The above exception was the direct cause of the following exception"
_LINKS = (
    _MEANT,
    "During handling of the above exception, another exception occurred",
)
_MESSAGE_LINES = 40  # of a message that are kept
_LONGEST = 8_000
_GROUP = r"^\s*(?:\|\s|\+\s|\+-\+-[-+ 0-9]*$)"  # exception groups are drawn as a tree


@dataclass(slots=True)
class Failure:
    """One exception as it was printed; `place` is the last frame in code that is not a library's."""

    line: LogLine
    type_name: str
    message: list[str]
    frames: list[tuple[str, int, str]]  # path, line, its code
    is_meant: bool = False  # raised `from` the one before it: somebody's words for that

    @property
    def name(self) -> str:
        """The exception's name without its module."""
        return self.type_name.rpartition(".")[2]

    @property
    def text(self) -> str:
        """The message, the exception's name before it."""
        return "\n".join((self.line.text, *self.message))[:_LONGEST]

    @property
    def place(self) -> tuple[str, int] | None:
        """Where the person's own code was; None where no frame is of it."""
        own = [frame for frame in self.frames if not _is_library(frame[0])]
        return (own[-1][0], own[-1][1]) if own else None

    @property
    def code(self) -> str:
        """The line of code that raised it, as far as it was printed."""
        return self.frames[-1][2] if self.frames else ""


def _is_library(path: str) -> bool:
    return path.startswith("<") or re.search(r"/(?:site|dist)-packages/|/lib/python3[^/]*/", path) is not None


@dataclass(slots=True)
class Chain:
    """Exceptions of which each led to the next; `last_index` is the place of its last line among the log's."""

    failures: list[Failure] = field(default_factory=list)
    last_index: int = 0

    @property
    def root(self) -> Failure:
        """What began it."""
        return self.failures[0]


def chains_of(lines: Sequence[LogLine]) -> list[Chain]:
    """Every chain, in the order in which they ended; what several ranks said is read apart."""
    by_source: dict[str, list[tuple[int, LogLine]]] = {}
    for index, line in enumerate(lines):
        by_source.setdefault(line.source, []).append((index, line))
    chains = [chain for told in by_source.values() for chain in _chains_of_one(told)]
    return sorted(chains, key=lambda chain: chain.last_index)


def _chains_of_one(told: Sequence[tuple[int, LogLine]]) -> Iterator[Chain]:
    reading = _Reading()
    for index, line in told:
        reading.take(index, line)
    yield from reading.finished()


class _Reading:
    """Reads the lines of one process; knows whether it stands in frames, or in the message of an exception."""

    def __init__(self) -> None:
        self._chains: list[Chain] = []
        self._frames: list[tuple[str, int, str]] | None = None  # None outside a traceback
        self._linked = False  # the next exception belongs to the chain before
        self._is_meant = False
        self._is_original = False  # it is what the exception before it reports: the root
        self._speaking: Failure | None = None  # whose message may go on
        self._pending: Failure | None = None  # perhaps an exception, perhaps another process's line between frames
        self._pending_index = 0

    def finished(self) -> Iterable[Chain]:
        self._settle(None)
        return self._chains

    def take(self, index: int, line: LogLine) -> None:
        text = re.sub(_GROUP, "", line.text) if line.text.lstrip()[:1] in ("|", "+") else line.text
        self._settle(text)
        if _HEAD in text:
            self._begin(text)
        elif any(link in text for link in _LINKS):
            self._linked, self._speaking, self._frames = True, None, None
            self._is_meant = _MEANT in text
        elif self._frames is not None:
            self._in_frames(index, line, text)
        elif re.match(_FRAME, text):
            self._frames = []  # a syntax error of the script itself has no head
            self._in_frames(index, line, text)
        elif self._speaking is not None:
            self._go_on(index, text)

    def _begin(self, text: str) -> None:
        self._is_original = text.lstrip().startswith("Original Traceback") or (
            self._speaking is not None and any("terminated with the following error" in m for m in self._message())
        )
        self._speaking = None
        self._frames = []

    def _message(self) -> list[str]:
        return [] if self._speaking is None else self._speaking.message[-2:]

    def _in_frames(self, index: int, line: LogLine, text: str) -> None:
        frames = self._frames
        if frames is None or not text.strip():
            return
        if (found := re.match(_FRAME, text)) is not None:
            frames.append((found["path"], int(found["line"]), ""))
        elif text[0] in " \t│╭╰❱~^":
            if frames and not frames[-1][2] and text.strip(" ~^"):
                frames[-1] = (*frames[-1][:2], text.strip())
        elif (found := re.match(_EXCEPTION, text)) is not None:
            self._pending = Failure(LogLine(text, line.number, line.source), found["type"], [], list(frames))
            self._pending_index = index

    def _settle(self, following: str | None) -> None:
        """What looked like an exception is one unless the frames go on behind it."""
        failure, self._pending = self._pending, None
        if failure is None or (following is not None and re.match(_FRAME, following)):
            return
        belongs = self._chains and (self._linked or self._is_original)
        if not belongs:
            self._chains.append(Chain())
        chain = self._chains[-1]
        failure.is_meant = self._linked and self._is_meant
        chain.failures.insert(0 if self._is_original else len(chain.failures), failure)
        chain.last_index = self._pending_index
        self._linked = self._is_original = False
        self._speaking, self._frames = failure, None

    def _go_on(self, index: int, text: str) -> None:
        speaking = self._speaking
        if speaking is None or len(speaking.message) >= _MESSAGE_LINES:
            return
        speaking.message.append(text)
        if text.startswith(("frame #", "Exception raised from")):
            self._chains[-1].last_index = index
