"""Takes a log through all readers: bytes in, values out, incremental."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from backprop_tui.readers.joining import Joiner
from backprop_tui.readers.lines import Block, LineSplitter, visible_text
from backprop_tui.readers.progress_bars import bar_end
from backprop_tui.readers.reader import Reader, Remembering
from backprop_tui.readers.registry import READERS
from backprop_tui.readers.values import LogValue, ParsedEvent

BLOCK_BYTES = 64 * 1024  # bounds what splitting a chunk into lines takes at a time
MAX_PIECES = 16

_RANK = re.compile(r"(?<=[^\s\[])(?=\[rank ?\d{1,6}\])")


class LogReader:
    """Takes a growing log in chunks of any size, from any offset that an earlier reader reached.

    `memory` is what the earlier one knew there; without it the values are those of a log that begins at the offset.
    `habits` is the memory of one that read what an earlier start of the same script printed.
    """

    def __init__(
        self,
        offset: int = 0,
        *,
        readers: Iterable[Callable[[], Reader]] = READERS,
        memory: Mapping[str, Any] | None = None,
        habits: Mapping[str, Any] | None = None,
    ) -> None:
        self._splitter = LineSplitter(offset)
        self._readers = tuple(make() for make in readers)
        self._remembering = [reader for reader in self._readers if isinstance(reader, Remembering)]
        self._joiner = Joiner()
        self._screen = _screen(self._readers)
        if memory is not None:
            self._remember(memory)
        elif habits is not None:
            self._joiner.remember_habits(habits)

    @property
    def offset(self) -> int:
        """The end of the last whole line that was read: another reader may go on from here."""
        return self._splitter.offset

    @property
    def position(self) -> int:
        """The byte of the log that the next chunk begins with."""
        return self._splitter.position

    def memory(self) -> dict[str, Any]:
        """What was read up to `offset` and matters for what follows, as JSON can hold it; bounded."""
        readers = {type(one).__name__: one.memory() for one in self._remembering}
        return {"joiner": self._joiner.memory(), "readers": readers}

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
        values = [] if block is None else list(self._read(block))
        return [*values, *self._joiner.finish()]

    def _read(self, block: Block) -> Iterator[LogValue]:
        for line, offset in block.matching_lines(self._screen):
            concerned = [reader for reader in self._readers if _holds(line, reader.marks)]
            for piece in _pieces(visible_text(line)):
                for printed in _first_found(concerned, piece, offset):
                    yield from self._joiner.take(printed)

    def _remember(self, memory: Mapping[str, Any]) -> None:
        """A memory that another version wrote, or that is damaged, is none."""
        try:
            self._joiner.remember(memory["joiner"])
            for reader in self._remembering:
                reader.remember(memory["readers"][type(reader).__name__])
        except (KeyError, TypeError, ValueError, AttributeError):
            self._joiner = Joiner()


def _screen(readers: Sequence[Reader]) -> re.Pattern[bytes]:
    """One search for all marks: most lines of an ordinary log have none, and are never cut out of their block.

    Marks that begin alike stand together: `re` tries every branch at each byte that could begin one.
    """
    all_marks = {mark for reader in readers for mark in reader.marks}
    marks = sorted(mark for mark in all_marks if not any(other != mark and other in mark for other in all_marks))
    branches = (
        re.escape(first) + b"(?:" + b"|".join(re.escape(mark[1:]) for mark in alike) + b")"
        for first, alike in groupby(marks, lambda mark: mark[:1])
    )
    return re.compile(b"|".join(branches) or b"(?!)")


def _holds(content: bytes, marks: Sequence[bytes]) -> bool:
    for mark in marks:  # noqa: SIM110, a generator costs three times the search, and this runs for each line
        if mark in content:
            return True
    return False


def _pieces(line: str) -> list[str]:
    """Texts of two streams or processes that met on one line: one follows a bar, or begins with a rank."""
    pieces: list[str] = []
    while "%|" in line and len(pieces) < MAX_PIECES:
        end = bar_end(line)
        if end is None or not line[end:].strip():
            break
        pieces.append(line[:end])
        line = line[end:]
    return [*pieces, *(_RANK.split(line, MAX_PIECES) if "[rank" in line else [line])]


def _first_found(readers: Iterable[Reader], line: str, offset: int) -> Iterable[ParsedEvent]:
    return next(filter(None, (tuple(reader.read(line, offset)) for reader in readers)), ())
