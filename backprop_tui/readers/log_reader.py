"""Reads a growing log with all readers: chunks of bytes in, events out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from itertools import groupby
from typing import Any

from backprop_tui.domain.training_totals import Totals
from backprop_tui.readers.events import MergedEvent, Progress, ReaderEvent
from backprop_tui.readers.json_lines import message_of
from backprop_tui.readers.line_context import MAX_BYTES_BEFORE, LineContext
from backprop_tui.readers.lines import Block, LineSplitter, visible_text
from backprop_tui.readers.merge import EventMerger
from backprop_tui.readers.pairs import Pairs
from backprop_tui.readers.progress_bars import BarStates, bar_end
from backprop_tui.readers.ranks import RankFilter
from backprop_tui.readers.registry import READERS, ContextReader, FollowingReader, Reader, StatefulReader
from backprop_tui.readers.ultralytics import Ultralytics

BLOCK_BYTES = 64 * 1024  # a larger chunk is split into lines in blocks of this size
MAX_PIECES = 16

_RANK = re.compile(r"(?<=[^\s\[])(?=\[rank ?\d{1,6}\])")


_known: dict[tuple[type[Reader], type[Any]], bool] = {}


def _implementing(readers: Iterable[Reader], interface: type[Any]) -> list[Any]:
    """The readers that have the interface; each class is looked at once, since every log has readers of its own."""
    for reader in readers:
        if (type(reader), interface) not in _known:
            _known[type(reader), interface] = isinstance(reader, interface)
    return [reader for reader in readers if _known[type(reader), interface]]


class LogReader:
    """Reads a log in chunks of any size, starting at 0 or at an offset that an earlier reader reached.

    `memory` is the state of that earlier reader; without it the log is read as if it started at the offset.
    `previous_state` is the memory of the reader of an earlier attempt; only what holds for every start of the script is
    taken from it, such as whether epochs count from 0.
    """

    def __init__(
        self,
        offset: int = 0,
        *,
        readers: Iterable[Callable[[], Reader]] = READERS,
        memory: Mapping[str, Any] | None = None,
        previous_state: Mapping[str, Any] | None = None,
        totals: Totals | None = None,
    ) -> None:
        """`totals` are those that the command line names."""
        self._splitter = LineSplitter(offset)
        self._readers = tuple(make() for make in readers)
        self._remembering: list[StatefulReader] = _implementing(self._readers, StatefulReader)
        self._following: list[FollowingReader] = _implementing(self._readers, FollowingReader)
        self._is_followed = False  # whether a reader asks for the next line
        self._context = LineContext()
        for reader in _implementing(self._readers, ContextReader):
            reader.context = self._context
        self._before = b""  # the last bytes of the log before the next block
        self._totals = totals
        self._merger = EventMerger(totals)
        self._bar_states = BarStates()
        self._ranks = RankFilter()
        self._any_mark = _pattern_of_marks(frozenset(mark for reader in self._readers for mark in reader.marks))
        if memory is not None:
            self._remember(memory)
        elif previous_state is not None:
            self._remember_previous_start(previous_state)

    @property
    def offset(self) -> int:
        """End of the last complete line, where another reader can resume."""
        return self._splitter.offset

    @property
    def position(self) -> int:
        """Position in the log at which the next chunk starts."""
        return self._splitter.position

    def memory(self) -> dict[str, Any]:
        """What was read up to `offset` and matters for what follows, as JSON can hold it; bounded."""
        readers = {reader.tag: reader.memory() for reader in self._remembering}
        # "joiner" is the merger: the key is in the records of runs, so it stays.
        return {
            "joiner": self._merger.memory(),
            "readers": readers,
            "rank": self._ranks.memory(),
            "before": self._before.decode("latin-1"),
            "begun": self._context.has_begun,
        }

    def feed(self, chunk: bytes) -> list[MergedEvent]:
        """Returns the events of the lines that end within the chunk, in the order of the log."""
        events: list[MergedEvent] = []
        for start in range(0, len(chunk), BLOCK_BYTES):
            block = self._splitter.feed(chunk[start : start + BLOCK_BYTES])
            if block is not None:
                events += self._read(block)
        return events

    def finish(self) -> list[MergedEvent]:
        """Returns the events of an unterminated last line, and those still pending, at the end of the log."""
        block = self._splitter.finish()
        events = [] if block is None else list(self._read(block))
        for event in self._ranks.finish():
            events += self._merger.take(event)
        return [*events, *self._merger.finish()]

    def _read(self, block: Block) -> Iterator[MergedEvent]:
        start = block.end - len(block.content)
        content = block.content
        for line, offset in self._bar_states.thin(block.matching_lines(self._any_mark, self._takes_next_line)):
            following = [reader for reader in self._following if reader.follows] if self._is_followed else []
            end = offset - start - len(line)
            before = content[max(0, end - MAX_BYTES_BEFORE) : end]
            self._context.before = (
                before if len(before) == MAX_BYTES_BEFORE else (self._before + before)[-MAX_BYTES_BEFORE:]
            )
            for part in _split_mixed_line(visible_text(line)):
                events = self._first_events(line, following, part, offset)
                if not events and part.startswith('{"') and (message := message_of(part)) is not None:
                    events = self._first_events(line, following, message, offset)
                for event in self._ranks.select(part, events):
                    for merged in self._merger.take(event):
                        self._context.has_begun |= isinstance(merged, Progress) and (
                            merged.step is not None or merged.epoch is not None
                        )
                        yield merged
            self._is_followed = any(reader.follows for reader in self._following)
        self._before = (self._before + block.content)[-MAX_BYTES_BEFORE:]

    def _first_events(
        self, line: bytes, following: Sequence[object], part: str, offset: int
    ) -> tuple[ReaderEvent, ...]:
        """The events of the first reader that finds any in a part of the line."""
        for reader in self._readers:
            if _contains_any(line, reader.marks) or reader in following:
                events = tuple(reader.read(part, offset))
                if events:
                    return events
        return ()

    def _takes_next_line(self) -> bool:
        return self._is_followed

    def _remember(self, memory: Mapping[str, Any]) -> None:
        """A memory that another version wrote may lack a reader; a damaged one is none."""
        try:
            self._merger.remember(memory["joiner"])
            self._ranks.remember(memory.get("rank"))
            for reader in self._remembering:
                if reader.tag in memory["readers"]:
                    reader.remember(memory["readers"][reader.tag])
            self._is_followed = any(reader.follows for reader in self._following)
            self._before = str(memory.get("before", "")).encode("latin-1", "replace")
            self._context.has_begun = bool(memory.get("begun", True))
        except (KeyError, TypeError, ValueError, AttributeError):
            self._merger = EventMerger(self._totals)

    def _remember_previous_start(self, memory: Mapping[str, Any]) -> None:
        self._merger.remember_previous_state(memory)
        for reader in self._remembering:
            if isinstance(reader, Ultralytics | Pairs):
                with suppress(KeyError, IndexError, TypeError, ValueError):
                    reader.remember_previous_start(memory["readers"][reader.tag])


@cache
def _pattern_of_marks(all_marks: frozenset[bytes]) -> re.Pattern[bytes]:
    """A pattern for any mark of any reader, so that lines without one (most lines) are skipped by a single search.

    Marks with the same first byte are grouped, since `re` tries every branch at each byte that could start one.
    """
    marks = sorted(mark for mark in all_marks if not any(other != mark and other in mark for other in all_marks))
    branches = (
        re.escape(first) + b"(?:" + b"|".join(re.escape(mark[1:]) for mark in group) + b")"
        for first, group in groupby(marks, lambda mark: mark[:1])
    )
    return re.compile(b"|".join(branches) or b"(?!)")


def _contains_any(content: bytes, marks: Sequence[bytes]) -> bool:
    for mark in marks:  # noqa: SIM110, any() is three times slower, and this runs for each line
        if mark in content:
            return True
    return False


def _split_mixed_line(line: str) -> list[str]:
    """Splits a line on which two streams or processes printed: after a progress bar, and before a rank prefix."""
    parts: list[str] = []
    while "%|" in line and len(parts) < MAX_PIECES:
        end = bar_end(line)
        if end is None or not line[end:].strip():
            break
        parts.append(line[:end])
        line = line[end:]
    return [*parts, *(_RANK.split(line, MAX_PIECES) if "[rank" in line else [line])]
