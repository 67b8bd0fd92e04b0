"""Tracebacks at the end of a log, each with its chain of exceptions, the root first."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import field

from backprop_tui.domain.lazy_dataclass import lazy_dataclass

MAX_LINES = 20_000
_MAX_LINE_LENGTH = 2_000
_BAR_STATES = 3  # the last states of a progress bar, which are searched
_ESCAPES = r"\x1b(?:\[[0-?]*[ -/]*[@-~]?|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~]?)"
# Prefixes that launchers add to the lines of several processes: torch, torchrun --tee, mpirun, ray, srun --label.
_SOURCE = r"(\[rank\d+\]:|\[[a-z]+\d+\]:|\[\d+,\d+\]<std(?:err|out)>:|\(\w[^()]* pid=\d+[^()]*\)|\d{1,4}:) ?"


@lazy_dataclass(frozen=True, slots=True)
class LogLine:
    """Text of a line, or of one state of a progress bar; `number` counts from 1, None if unknown."""

    text: str
    number: int | None = None
    source: str = ""  # the launcher's name of the process that printed it

    @property
    def rank(self) -> int | None:
        """The rank that printed the line; None if the line does not say so."""
        match = re.search(r"\d+", self.source) if self.source else None
        return None if match is None else int(match[0])


def split_log_lines(content: bytes, first_number: int | None) -> tuple[LogLine, ...]:
    """Splits the end of a log into lines, oldest first, including empty ones; the first has the given number."""
    lines: list[LogLine] = []
    rows = content.split(b"\n")
    if rows[-1] == b"":
        rows.pop()
    skipped = max(0, len(rows) - MAX_LINES)
    for index, row in enumerate(rows[skipped:], start=skipped):
        number = None if first_number is None else first_number + index
        lines.extend(_log_line(state, number) for state in _bar_states(row))
    return tuple(lines)


def _bar_states(row: bytes) -> list[bytes]:
    """The states of a progress bar; a traceback may follow the last one without a line end."""
    row = row.removesuffix(b"\r")
    if b"\r" not in row:
        return [row]
    states = [state for state in row.split(b"\r") if state.strip()]
    errors = [state for state in states[:-_BAR_STATES] if b"Traceback" in state or b"Error" in state]
    return [*errors[-_BAR_STATES:], *states[-_BAR_STATES:]] or [b""]


def _log_line(state: bytes, number: int | None) -> LogLine:
    text = state[:_MAX_LINE_LENGTH].decode("utf-8", "replace")
    if "\x1b" in text:
        text = re.sub(_ESCAPES, "", text)
    if text[:1] in "[(0123456789" and (match := re.match(_SOURCE, text)):
        return LogLine(text[match.end() :], number, match[1])
    return LogLine(text, number)


_HEAD = "Traceback (most recent call last)"
_FRAME = r'\s+File "(?P<path>[^"]+)", line (?P<line>\d+)'
_EXCEPTION = r"(?P<type>(?:\w+\.)*[A-Za-z_]\w*)(?:: (?P<message>.*)|:?\s*)$"
_EXPLICIT_CAUSE = "The above exception was the direct cause of the following exception"
_LINKS = (_EXPLICIT_CAUSE, "During handling of the above exception, another exception occurred")
_MAX_MESSAGE_LINES = 40
_MAX_MESSAGE_LENGTH = 8_000
_GROUP = r"^\s*(?:\|\s|\+\s|\+-\+-[-+ 0-9]*$)"  # exception groups are printed as a tree


@lazy_dataclass(slots=True)
class LoggedException:
    line: LogLine
    type_name: str
    message: list[str]
    frames: list[tuple[str, int, str]]  # path, line number, source line
    is_explicit: bool = False  # raised `from` the exception before it

    @property
    def name(self) -> str:
        return self.type_name.rpartition(".")[2]

    @property
    def text(self) -> str:
        return "\n".join((self.line.text, *self.message))[:_MAX_MESSAGE_LENGTH]

    @property
    def place(self) -> tuple[str, int] | None:
        """Path and line of the last frame in the user's own code; None if there is none."""
        own = [frame for frame in self.frames if not _is_library(frame[0])]
        return (own[-1][0], own[-1][1]) if own else None

    @property
    def code(self) -> str:
        """The source line that raised it, if it was printed."""
        return self.frames[-1][2] if self.frames else ""


def _is_library(path: str) -> bool:
    return path.startswith("<") or re.search(r"/(?:site|dist)-packages/|/lib/python3[^/]*/", path) is not None


@lazy_dataclass(slots=True)
class ExceptionChain:
    """Exceptions of which each led to the next; `last_index` is the index of its last line in the log."""

    exceptions: list[LoggedException] = field(default_factory=list)
    last_index: int = 0

    @property
    def root(self) -> LoggedException:
        return self.exceptions[0]


def parse_tracebacks(lines: Sequence[LogLine]) -> list[ExceptionChain]:
    """Returns all chains in the order of their ends; the output of each rank is parsed separately."""
    parsers: defaultdict[str, _TracebackParser] = defaultdict(_TracebackParser)
    for index, line in enumerate(lines):
        parsers[line.source].feed(index, line)
    chains = [chain for parser in parsers.values() for chain in parser.finish()]
    return sorted(chains, key=lambda chain: chain.last_index)


class _TracebackParser:
    """Parses the lines of one process; keeps track of whether it is in frames or in the message of an exception."""

    def __init__(self) -> None:
        self._chains: list[ExceptionChain] = []
        self._frames: list[tuple[str, int, str]] | None = None  # None outside a traceback
        self._linked = False  # the next exception belongs to the last chain
        self._is_explicit = False
        self._is_original = False  # the next exception is the one that the exception before it reports, so the root
        self._current: LoggedException | None = None  # its message may continue
        self._pending: LoggedException | None = None  # an exception, or another process's line between frames
        self._pending_index = 0

    def finish(self) -> Iterable[ExceptionChain]:
        self._resolve_pending(None)
        return self._chains

    def feed(self, index: int, line: LogLine) -> None:
        text = re.sub(_GROUP, "", line.text) if line.text.lstrip()[:1] in ("|", "+") else line.text
        self._resolve_pending(text)
        if _HEAD in text:
            self._start_traceback(text)
        elif any(link in text for link in _LINKS):
            self._linked, self._current, self._frames = True, None, None
            self._is_explicit = _EXPLICIT_CAUSE in text
        elif self._frames is not None:
            self._feed_frame(index, line, text)
        elif re.match(_FRAME, text):
            self._frames = []  # a syntax error of the script itself has no traceback header
            self._feed_frame(index, line, text)
        elif self._current is not None:
            self._feed_message(index, text)

    def _start_traceback(self, text: str) -> None:
        message = [] if self._current is None else self._current.message[-2:]
        reports_original = any("terminated with the following error" in line for line in message)
        self._is_original = reports_original or text.lstrip().startswith("Original Traceback")
        self._current = None
        self._frames = []

    def _feed_frame(self, index: int, line: LogLine, text: str) -> None:
        frames = self._frames
        if frames is None or not text.strip():
            return
        if (match := re.match(_FRAME, text)) is not None:
            frames.append((match["path"], int(match["line"]), ""))
        elif text[0] in " \t│╭╰❱~^":
            if frames and not frames[-1][2] and text.strip(" ~^"):
                frames[-1] = (*frames[-1][:2], text.strip())
        elif (match := re.match(_EXCEPTION, text)) is not None:
            self._pending = LoggedException(LogLine(text, line.number, line.source), match["type"], [], list(frames))
            self._pending_index = index

    def _resolve_pending(self, following: str | None) -> None:
        """A line that looked like an exception is one unless more frames follow."""
        exception, self._pending = self._pending, None
        if exception is None or (following is not None and re.match(_FRAME, following)):
            return
        if not self._chains or not (self._linked or self._is_original):
            self._chains.append(ExceptionChain())
        chain = self._chains[-1]
        exception.is_explicit = self._linked and self._is_explicit
        chain.exceptions.insert(0 if self._is_original else len(chain.exceptions), exception)
        chain.last_index = self._pending_index
        self._linked = self._is_original = False
        self._current, self._frames = exception, None

    def _feed_message(self, index: int, text: str) -> None:
        current = self._current
        if current is None or len(current.message) >= _MAX_MESSAGE_LINES:
            return
        current.message.append(text)
        if text.startswith(("frame #", "Exception raised from")):
            self._chains[-1].last_index = index
