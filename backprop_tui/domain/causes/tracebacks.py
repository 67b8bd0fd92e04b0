"""Tracebacks at the end of a log, each with its chain of exceptions, the root first."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import field
from enum import StrEnum

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
_FRAMES = (
    r'(?:\s+|> )File "(?P<path>[^"]+)", line (?P<line>\d+)',
    r"│?\s*(?P<path>[/~<][^│]*?):(?P<line>\d+) in(?: |$)",  # rich
    r"(?:File (?P<path>[^\s:]+):(?P<line>\d+)|(?P<cell>(?:Cell )?In\s?\[\d+\]), line (?P<cell_line>\d+))",  # IPython
)
_BOX = "│╭╰❱├└─"
_EXCEPTION = r"(?P<type>(?:\w+\.)*[A-Za-z_]\w*)(?:: (?P<message>.*)|:?\s*)$"
_EXPLICIT_CAUSE = "The above exception was the direct cause of the following exception"
_LINKS = (_EXPLICIT_CAUSE, "During handling of the above exception, another exception occurred")
_MAX_MESSAGE_LINES = 40
_MAX_MESSAGE_LENGTH = 8_000
_GROUP = r"^\s*(?:\|\s|\+\s|\+-\+-[-+ 0-9]*$)"  # exception groups are printed as a tree
_GROUP_MEMBER = r"^\s*\+(?:-\+)?-+ (\d+|\.\.\.) -+$"
_IGNORED = (
    r"^(?:Exception ignored (?:in|on|while|from)\b|Error in (?:sys\.|atexit\b)|--- Logging error ---"
    r"|(?:Task|Future) exception was never retrieved)"
)
_THREAD = r"^(?:Exception in thread |Unhandled exception in thread )"
_ANNOUNCED_WITHIN_LINES = 3
# Output that does not continue the message of an exception.
_OTHER_OUTPUT = (
    rf"{_IGNORED}|{_THREAD}|^(?:terminate called|Fatal Python error|wandb: |srun: |slurmstepd: |sys:1: |\+ )"
    r"|^\[?(?:[EWIF]\d{4} |\d{4}-\d\d-\d\d[ T]|(?:DEBUG|INFO|WARNING|ERROR|CRITICAL)\b)|^\S+\.py:\d+: \w*Warning: "
    r"|^(?:Process \S+-\d+:$|Original exception was:|Set the environment variable HYDRA_|Error executing job with)"
    r"|^\S*: line \d+:|^=+$|^-{10,}$|^\"\"\"$"
)
PROGRESS = (
    r"(?i)(?:^|[\s\[({|])(?:global_?)?(?:step|epoch|iter|iteration|it|batch|(?:train_?|val_?)?loss)"
    r"[\"']?[\s:=\[(/]+-?\d"
)
SYNTAX_ERRORS = ("SyntaxError", "IndentationError", "TabError")


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
        return "\n".join((self.line.text, *self.message)).rstrip()[:_MAX_MESSAGE_LENGTH]

    @property
    def has_message(self) -> bool:
        return self.text.rstrip(": ") != self.type_name

    @property
    def place(self) -> tuple[str, int] | None:
        """Path and line of the last frame in the user's own code; None if there is none."""
        own = [frame for frame in self.frames if not is_library(frame[0])]
        return (own[-1][0], own[-1][1]) if own else None

    @property
    def code(self) -> str:
        """The source line that raised it, if it was printed."""
        return self.frames[-1][2] if self.frames else ""

    def passed_through(self, pattern: str) -> bool:
        """Whether the path of one of its frames contains the pattern."""
        return any(re.search(pattern, frame[0]) for frame in self.frames)


def is_library(path: str) -> bool:
    """Whether a file belongs to a package or to Python, or starts a package's program (bin/torchrun)."""
    return (
        path.startswith("<") or re.search(r"/(?:site|dist)-packages/|/lib/python3[^/]*/|/bin/[^/.]+$", path) is not None
    )


class TracebackRole(StrEnum):
    """What an exception ended: its process, one thread, or nothing (printed and ignored)."""

    PROCESS = "process"
    THREAD = "thread"
    IGNORED = "ignored"


@lazy_dataclass(slots=True)
class ExceptionChain:
    """Exceptions that led to each other; `first_index` and `last_index` are its lines in the log."""

    role: TracebackRole = TracebackRole.PROCESS
    exceptions: list[LoggedException] = field(default_factory=list)
    first_index: int = 0
    last_index: int = 0

    @property
    def root(self) -> LoggedException:
        return self.exceptions[0]

    @property
    def is_launchers(self) -> bool:
        """Whether a launcher of processes raised it to report that one of them failed."""
        last = self.exceptions[-1]
        return last.name == "ChildFailedError" or (
            last.name == "CalledProcessError"
            and last.passed_through(r"/(?:accelerate/commands|deepspeed/launcher|torch/distributed)/")
        )


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
        self._has_header = False
        self._indent = 0
        self._linked = False  # the next exception belongs to the last chain
        self._is_explicit = False
        self._is_original = False  # the previous exception only reports the next one
        self._role, self._announced_index = TracebackRole.PROCESS, 0
        self._current: LoggedException | None = None  # its message may continue
        self._pending: LoggedException | None = None  # an exception, or another process's line between frames
        self._pending_index = self._first_index = 0

    def finish(self) -> Iterable[ExceptionChain]:
        self._resolve_pending(None)
        return self._chains

    def feed(self, index: int, line: LogLine) -> None:
        text = line.text
        if text.lstrip()[:1] in ("|", "+"):
            if (member := re.match(_GROUP_MEMBER, text)) is not None:
                self._announce_member(index, is_first=member[1] == "1")
            elif re.match(r"\s+\+-+$", text):
                self._resolve_pending("")
                self._current = None  # the end of a group
            text = re.sub(_GROUP, "", text)
        self._resolve_pending(text)
        if _HEAD in text:
            self._start_traceback(index, text)
        elif any(link in text for link in _LINKS):
            self._linked, self._current, self._frames = True, None, None
            self._is_explicit = _EXPLICIT_CAUSE in text
        elif (role := _announced_role(text)) is not None:
            self._role, self._announced_index, self._first_index = role, index, index
            self._frames = self._current = None
            self._linked = self._is_original = False
        elif self._frames is not None:
            self._feed_frame(index, line, text)
        elif text[:1] == " " and re.match(_FRAMES[0], text):
            # A syntax error of the script itself has no header.
            self._frames, self._has_header, self._indent = [], False, 0
            self._feed_frame(index, line, text)
        elif self._current is not None:
            self._feed_message(index, text)

    def _announce_member(self, index: int, *, is_first: bool) -> None:
        """A group is represented by its first exception; the others are ignored."""
        self._resolve_pending("")
        self._current, self._frames = None, None
        self._is_original, self._linked = is_first, False
        if not is_first:
            self._role, self._announced_index = TracebackRole.IGNORED, index

    def _start_traceback(self, index: int, text: str) -> None:
        message = [] if self._current is None else self._current.message[-2:]
        reports_original = any("terminated with the following error" in line for line in message)
        self._is_original |= reports_original or text.lstrip().startswith("Original Traceback")
        if index - self._announced_index > _ANNOUNCED_WITHIN_LINES:
            self._role = TracebackRole.PROCESS
        if self._role is TracebackRole.PROCESS:
            self._first_index = index
        self._current = None
        self._frames, self._has_header = [], True
        self._indent = len(text) - len(text.lstrip())

    def _feed_frame(self, index: int, line: LogLine, text: str) -> None:
        frames = self._frames
        if frames is None or not text.strip():
            return
        if self._indent and text[: self._indent].isspace():
            text = text[self._indent :]
        if (frame := parse_frame(text)) is not None:
            frames.append(frame)
        elif text[0] in " \t~^" or text[0] in _BOX:
            if frames and not frames[-1][2] and text.strip(" ~^"):
                frames[-1] = (*frames[-1][:2], text.strip())
        elif (match := re.match(_EXCEPTION, text)) is not None:
            if not self._has_header and match["type"] not in SYNTAX_ERRORS:
                self._frames = None
                return
            self._pending = LoggedException(LogLine(text, line.number, line.source), match["type"], [], list(frames))
            self._pending_index = index

    def _resolve_pending(self, following: str | None) -> None:
        """A line that looked like an exception is one unless more frames follow."""
        exception, self._pending = self._pending, None
        if exception is None or (following is not None and re.match(_FRAMES[0], following)):
            return
        if not self._chains or not (self._linked or self._is_original):
            self._chains.append(ExceptionChain(role=self._role, first_index=self._first_index))
            self._role = TracebackRole.PROCESS
        chain = self._chains[-1]
        exception.is_explicit = self._linked and self._is_explicit
        if self._is_original and chain.exceptions:
            exception.is_explicit = chain.exceptions.pop().is_explicit
        chain.exceptions.append(exception)
        chain.last_index = self._pending_index
        self._linked = self._is_original = False
        # Without a colon there is no message, whatever follows.
        self._current, self._frames = exception if ":" in exception.line.text else None, None

    def _feed_message(self, index: int, text: str) -> None:
        current = self._current
        if current is None or len(current.message) >= _MAX_MESSAGE_LINES:
            return
        if text.startswith(("frame #", "Exception raised from")):
            self._chains[-1].last_index = index
        elif text[:1] not in ("", " ", "\t") and (re.search(_OTHER_OUTPUT, text) or re.search(PROGRESS, text)):
            self._current = None
            return
        current.message.append(text)


def _announced_role(text: str) -> TracebackRole | None:
    if text[:1] not in "EU-TF":
        return None
    if re.match(_IGNORED, text):
        return TracebackRole.IGNORED
    return TracebackRole.THREAD if re.match(_THREAD, text) else None


def parse_frame(text: str) -> tuple[str, int, str] | None:
    for pattern in _FRAMES:
        if (match := re.match(pattern, text)) is not None:
            fields = match.groupdict()
            path, line = fields["path"] or fields["cell"], fields["line"] or fields["cell_line"]
            return path, int(line), ""
    return None
