r"""Splits a growing byte log into lines.

`\n`, `\r\n` and a bare `\r` end a line, so that each state of a progress bar is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from backprop_tui.domain.values import dataclass

MAX_LINE_BYTES = 64 * 1024

_ESCAPES = re.compile(
    rb"\x1b(?:"
    rb"\[[0-?]*[ -/]*[@-~]"  # control sequences: colours, cursor, erasing
    rb"|\][^\x07\x1b]*(?:\x07|\x1b\\)"  # operating system commands: titles, links
    rb"|[PX^_][^\x1b]*\x1b\\"  # strings to the device
    rb"|[ -/]*[0-~]"  # the short ones
    rb")?"
)
_TERMINATOR = re.compile(rb"\r\n?|\n")
_BACKSPACES = re.compile("(\x08+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Whole lines with their terminators; `end` is the byte of the log just after the last of them.

    A line longer than MAX_LINE_BYTES may stand in it shortened, and `lines` leaves it out.
    """

    content: bytes
    end: int

    def lines(self) -> Iterator[tuple[bytes, int]]:
        """Each line with its terminator, and the byte of the log just after it."""
        position = self.end - len(self.content)
        for line in self.content.splitlines(keepends=True):
            position += len(line)
            if not _is_too_long(line):
                yield line, position

    def matching_lines(self, wanted: re.Pattern[bytes]) -> Iterator[tuple[bytes, int]]:
        """As `lines`, but only those in which something wanted is found; the others cost no more than the search."""
        content = self.content
        position = 0
        while position < len(content) and (found := wanted.search(content, position)) is not None:
            begin = max(content.rfind(b"\n", position, found.start()) + 1, position)
            begin = max(content.rfind(b"\r", begin, found.start()) + 1, begin)
            end = _end_of_line(content, found.end())
            line = content[begin:end]
            if not _is_too_long(line):
                yield line, self.end - len(content) + end
            position = end


def _end_of_line(content: bytes, position: int) -> int:
    """The byte after the terminator of the line that `position` is in; the end where it has none."""
    found = _TERMINATOR.search(content, position)
    return len(content) if found is None else found.end()


def _is_too_long(line: bytes) -> bool:
    return len(line) > MAX_LINE_BYTES and len(line.rstrip(b"\r\n")) > MAX_LINE_BYTES


class LineSplitter:
    """Takes a log in chunks of any size and gives its whole lines; keeps one line's begin at most."""

    __slots__ = ("_pending", "_pending_bytes", "_position")

    def __init__(self, offset: int = 0) -> None:
        self._position = offset
        self._pending = bytearray()  # the last line's begin; cut where the line is too long to be given
        self._pending_bytes = 0  # its length in the log

    @property
    def position(self) -> int:
        """The byte of the log that the next chunk begins with."""
        return self._position

    @property
    def offset(self) -> int:
        """The end of the last whole line: a new splitter may go on from here."""
        return self._position - self._pending_bytes

    def feed(self, chunk: bytes) -> Block | None:
        r"""The lines that end within the chunk; None when none does.

        A `\r` at the very end waits for the next byte, which may be the `\n` that belongs to it.
        """
        self._position += len(chunk)
        if self._pending[-1:] != b"\r" and b"\n" not in chunk and b"\r" not in chunk:
            self._keep(chunk)
            return None
        text = bytes(self._pending) + chunk if self._pending else chunk
        end = max(text.rfind(b"\n"), text.rfind(b"\r", 0, -1)) + 1
        if end == 0:
            self._keep(chunk)
            return None
        self._forget()
        self._keep(text[end:])
        return Block(content=text[:end], end=self.offset)

    def finish(self) -> Block | None:
        """The last line, which no terminator ends, once the log cannot grow; None when there is none."""
        if not self._pending:
            return None
        rest = bytes(self._pending)
        self._forget()
        return Block(content=rest, end=self._position)

    def _keep(self, rest: bytes) -> None:
        """Keeps one byte more than a line may have, so that a line too long is known as such."""
        self._pending_bytes += len(rest)
        self._pending += rest[: max(0, MAX_LINE_BYTES + 1 - len(self._pending))]
        if rest.endswith(b"\r") and not self._pending.endswith(b"\r"):
            self._pending += b"\r"

    def _forget(self) -> None:
        self._pending.clear()
        self._pending_bytes = 0


def visible_text(line: bytes) -> str:
    """A line as a terminal would show it: no terminator, no escape sequences, overwritten characters replaced."""
    if b"\x1b" in line:
        line = _ESCAPES.sub(b"", line)
    text = line.decode("utf-8", "replace").rstrip("\r\n")
    return _overwritten(text) if "\b" in text else text


def _overwritten(text: str) -> str:
    r"""A `\b` moves the cursor back and erases nothing: what is not written over stays."""
    cells: list[str] = []
    cursor = 0
    for part in _BACKSPACES.split(text):
        if part.startswith("\b"):
            cursor = max(0, cursor - len(part))
        else:
            cells[cursor : cursor + len(part)] = part
            cursor += len(part)
    return "".join(cells)
