"""The formats that are understood, and the reader that takes a log through all of them.

A new format is a class with `marks` and `read`, and a line in READERS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from backprop_tui.readers.json_lines import JsonLines
from backprop_tui.readers.lines import Block, LineSplitter, shown_text
from backprop_tui.readers.values import LogValue

BLOCK_BYTES = 64 * 1024  # bounds what splitting a chunk into lines takes at a time


class Reader(Protocol):
    """Reads one format; made anew for each log, so it may keep what earlier lines said, within bounds.

    It must raise on no line: what it does not understand gives nothing.
    """

    @property
    def marks(self) -> Sequence[bytes]:
        """Byte strings of which every line of the format holds at least one; other lines are never shown to it."""

    def read(self, line: str, offset: int) -> Iterable[LogValue]:
        """What a line says; it comes as a terminal would show it, and `offset` is the byte just after it."""


# In this order: the first that finds something in a line is the one that counts.
READERS: tuple[Callable[[], Reader], ...] = (JsonLines,)


class LogReader:
    """Takes a growing log in chunks of any size, from any offset that an earlier reader reached."""

    def __init__(self, offset: int = 0, *, readers: Iterable[Callable[[], Reader]] = READERS) -> None:
        self._splitter = LineSplitter(offset)
        self._readers = tuple(make() for make in readers)

    @property
    def offset(self) -> int:
        """The end of the last whole line that was read: another reader may go on from here."""
        return self._splitter.offset

    @property
    def position(self) -> int:
        """The byte of the log that the next chunk begins with."""
        return self._splitter.position

    def feed(self, chunk: bytes) -> list[LogValue]:
        """What the lines say that end within the chunk, in the order of the log."""
        values: list[LogValue] = []
        for start in range(0, len(chunk), BLOCK_BYTES):
            block = self._splitter.feed(chunk[start : start + BLOCK_BYTES])
            if block is not None:
                values += self._read(block)
        return values

    def finish(self) -> list[LogValue]:
        """What the last line says where no terminator ends it, once the log cannot grow."""
        block = self._splitter.finish()
        return [] if block is None else self._read(block)

    def _read(self, block: Block) -> list[LogValue]:
        values: list[LogValue] = []
        # Nearly all blocks of an ordinary log end here, before they are cut into lines.
        readers = [reader for reader in self._readers if _holds(block.content, reader.marks)]
        if not readers:
            return values
        for line, offset in block.lines():
            concerned = [reader for reader in readers if _holds(line, reader.marks)]
            if concerned:
                values += _first_found(concerned, shown_text(line), offset)
        return values


def _holds(content: bytes, marks: Sequence[bytes]) -> bool:
    for mark in marks:  # noqa: SIM110, a generator costs three times the search, and this runs for each line
        if mark in content:
            return True
    return False


def _first_found(readers: Iterable[Reader], line: str, offset: int) -> Iterable[LogValue]:
    return next(filter(None, (tuple(reader.read(line, offset)) for reader in readers)), ())
