r"""Splits a growing log into lines, at `\n`, `\r\n` and a bare `\r`, so that each state of a progress bar is a line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.sanitize import indices_after_backspaces

MAX_LINE_BYTES = 64 * 1024

_ESCAPES = re.compile(
    rb"\x1b(?:"
    rb"\[[0-?]*[ -/]*[@-~]"  # control sequences: colors, cursor, erasing
    rb"|\][^\x07\x1b]*(?:\x07|\x1b\\)"  # operating system commands: titles, links
    rb"|[PX^_][^\x1b]*\x1b\\"  # device control strings
    rb"|[ -/]*[0-~]"  # two-character sequences
    rb")?"
)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Whole lines with their terminators; `end` is the position in the log just after the last one.

    A line longer than MAX_LINE_BYTES may be truncated in `content`; `lines` skips it.
    """

    content: bytes
    end: int

    def lines(self) -> Iterator[tuple[bytes, int]]:
        """Returns each line with its terminator, and the position in the log just after it."""
        position = self.end - len(self.content)
        for line in self.content.splitlines(keepends=True):
            position += len(line)
            if not _is_too_long(line):
                yield line, position

    def matching_lines(
        self, pattern: re.Pattern[bytes], takes_next_line: Callable[[], bool] = lambda: False
    ) -> Iterator[tuple[bytes, int]]:
        """Like `lines`, but only lines that match; the others are never split, which is much faster.

        `takes_next_line` is asked after each line: then the next one is returned whether it matches or not.
        """
        content, search = self.content, pattern.search
        size, offset = len(content), self.end - len(self.content)
        position = 0
        feed = carriage = -1  # the next line feed and carriage return; each part of the content is searched once
        while position < size:
            start = after = position
            if not takes_next_line():
                match = search(content, position)
                if match is None:
                    return
                match_start, after = match.span()
            if feed < position:
                feed = content.find(b"\n", position) % (size + 1)
            if carriage < position:
                carriage = content.find(b"\r", position) % (size + 1)
            end = min(feed, carriage)
            if end < after:  # lines that do not match are passed over
                start = (
                    max(content.rfind(b"\n", end, match_start), content.rfind(b"\r", end, match_start), start - 1) + 1
                )
                feed = content.find(b"\n", after) % (size + 1) if feed < after else feed
                carriage = content.find(b"\r", after) % (size + 1) if carriage < after else carriage
                end = min(feed, carriage)
            position = min(size, end + (2 if feed == end + 1 else 1))
            if position - start <= MAX_LINE_BYTES or not _is_too_long(content[start:position]):
                yield content[start:position], offset + position


def _is_too_long(line: bytes) -> bool:
    return len(line) > MAX_LINE_BYTES and len(line.rstrip(b"\r\n")) > MAX_LINE_BYTES


class LineSplitter:
    """Splits chunks of any size into whole lines; keeps at most the start of one line between chunks."""

    __slots__ = ("_pending", "_pending_bytes", "position")

    def __init__(self, offset: int = 0) -> None:
        self.position = offset  # in the log, at which the next chunk starts
        self._pending = bytearray()  # the start of the last line, truncated if the line is too long
        self._pending_bytes = 0  # its full length in the log

    @property
    def offset(self) -> int:
        """End of the last complete line, where a new splitter can resume."""
        return self.position - self._pending_bytes

    def feed(self, chunk: bytes) -> Block | None:
        r"""Returns the lines that end within the chunk; None if there are none.

        A `\r` at the very end is held back until the next byte shows whether it is part of `\r\n`.
        """
        self.position += len(chunk)
        if self._pending[-1:] != b"\r" and b"\n" not in chunk and b"\r" not in chunk:
            self._keep(chunk)
            return None
        text = bytes(self._pending) + chunk if self._pending else chunk
        end = max(text.rfind(b"\n"), text.rfind(b"\r", 0, -1)) + 1
        if end == 0:
            self._keep(chunk)
            return None
        self._clear()
        self._keep(text[end:])
        return Block(content=text[:end], end=self.offset)

    def finish(self) -> Block | None:
        """Returns the last line, which has no terminator, at the end of the log; None if there is none."""
        if not self._pending:
            return None
        rest = bytes(self._pending)
        self._clear()
        return Block(content=rest, end=self.position)

    def _keep(self, rest: bytes) -> None:
        # One byte more than the maximum is kept, so that a line that is too long is recognized as such.
        self._pending_bytes += len(rest)
        self._pending += rest[: max(0, MAX_LINE_BYTES + 1 - len(self._pending))]
        if rest.endswith(b"\r") and not self._pending.endswith(b"\r"):
            self._pending += b"\r"

    def _clear(self) -> None:
        self._pending.clear()
        self._pending_bytes = 0


def visible_text(line: bytes) -> str:
    """Returns the line as a terminal would display it: without terminator and escape sequences, backspaces applied."""
    if b"\x1b" in line:
        line = _ESCAPES.sub(b"", line)
    text = line.decode("utf-8", "replace").rstrip("\r\n")
    return "".join([text[index] for index in indices_after_backspaces(text)]) if "\b" in text else text
