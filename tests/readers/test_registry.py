"""The log reader: the same values whatever the chunks, offsets to go on from, and no input that harms it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.readers.lines import LONGEST_LINE_BYTES
from backprop_tui.readers.log_reader import LogReader
from backprop_tui.readers.values import CheckpointSaved, LogValue, Progress

LOG = (
    b"loading \xff\xfe broken bytes\r\n"
    b'{"step": 1, "loss": "2.5"}\n'
    b' 10%|#   | 1/10\r{"step": 2, "loss": Infinity}\r 20%|##  | 2/10\r\n'
    b'\x1b[32m{"step": 3, "loss": 1.5}\x1b[0m\r\n'
    b'{"event": "checkpoint_saved", "path": "\xc3\xa4.pt", "step": 3}\n'
    b"5%\b\b" + b'[rank0]: {"step": 4}\n\n'
    b'{"step": 5, "loss": 1.25}'
)

WANTED_LINES_A_SECOND = 300_000

VALUES = [b'{"step": 1, "loss": 2}', b'{"event": "checkpoint", "path": "x"}']
FRAGMENTS = [
    b'{"',
    b"{",
    b"}",
    b"[",
    b'"step": ',
    b"NaN",
    b"\n",
    b"\r",
    b"\r\n",
    b"\x1b[",
    b"\x1b]",
    b"\b",
    b"\xff",
    b"\0",
]
HEAVY = [b"9" * 5000, b'{"a":' * 2000, b"x" * 40_000]
PIECES = st.sampled_from([*VALUES, *FRAGMENTS, *HEAVY])
LOGS = st.lists(PIECES | st.binary(max_size=30), max_size=30).map(b"".join)


def _read(*chunks: bytes, offset: int = 0) -> list[LogValue]:
    reader = LogReader(offset)
    return [value for chunk in chunks for value in reader.feed(chunk)] + reader.finish()


def test_a_log_is_read_in_its_order_with_the_offset_behind_each_line() -> None:
    values = _read(LOG)
    assert [(type(value), value.step) for value in values] == [
        (Progress, 1),
        (Progress, 2),
        (Progress, 3),
        (CheckpointSaved, 3),
        (Progress, 4),
        (Progress, 5),
    ]
    ends = [value.offset for value in values]
    assert ends == sorted(ends)
    assert LOG[: ends[0]].endswith(b'"2.5"}\n')
    assert LOG[: ends[1]].endswith(b"Infinity}\r")
    assert LOG[: ends[2]].endswith(b"\x1b[0m\r\n")
    assert ends[-1] == len(LOG)


def test_a_cut_at_any_byte_changes_nothing() -> None:
    whole = _read(LOG)
    for cut in range(len(LOG) + 1):
        assert _read(LOG[:cut], LOG[cut:]) == whole, cut


def test_bytes_that_come_one_at_a_time_change_nothing() -> None:
    assert _read(*(bytes([byte]) for byte in LOG)) == _read(LOG)


def test_another_reader_goes_on_from_the_offset_of_one_that_died() -> None:
    whole = _read(LOG, offset=1000)
    for cut in range(len(LOG) + 1):
        died = LogReader(1000)
        before = died.feed(LOG[:cut])
        assert all(value.offset <= died.offset for value in before)
        assert before + _read(LOG[died.offset - 1000 :], offset=died.offset) == whole, cut


def test_a_whole_line_is_read_at_once_and_a_partial_one_when_it_ends() -> None:
    reader = LogReader()
    assert [value.step for value in reader.feed(b'{"step": 1}\n{"step"')] == [1]
    assert (reader.offset, reader.position) == (12, 19)
    assert reader.feed(b": 2}") == []
    assert [value.step for value in reader.feed(b"\n")] == [2]


def test_a_line_beyond_the_bound_says_nothing_and_hides_nothing_after_it() -> None:
    long = b'{"step": 1, "note": "' + b"x" * LONGEST_LINE_BYTES + b'"}\n'
    assert _read(long + b'{"step": 2}\n') == [Progress(offset=len(long) + 12, step=2)]


class _Words:
    """A reader of lines that hold a word; remembers the line before."""

    marks: Sequence[bytes] = (b"alpha", b"beta")

    def __init__(self) -> None:
        self.seen: list[str] = []

    def read(self, line: str, offset: int) -> list[LogValue]:
        self.seen.append(line)
        return [CheckpointSaved(offset=offset, path=line)] if "saved" in line else []


class _Anything(_Words):
    marks = (b"a",)


def test_a_reader_sees_only_lines_with_one_of_its_marks() -> None:
    words = _Words()
    LogReader(readers=[lambda: words]).feed(b"one\nalpha\n\x1b[1mbeta\x1b[0m\ngamma\n")
    assert words.seen == ["alpha", "beta"]


def test_the_first_reader_that_finds_something_is_the_one_that_counts() -> None:
    first, second = _Words(), _Anything()
    values = LogReader(readers=[lambda: first, lambda: second]).feed(b"alpha saved\nalpha\ngamma saved\n")
    assert values == [CheckpointSaved(offset=12, path="alpha saved"), CheckpointSaved(offset=30, path="gamma saved")]
    assert second.seen == ["alpha", "gamma saved"]


@given(LOGS, st.lists(st.integers(0, 2000), max_size=5))
def test_no_input_raises_and_no_cut_changes_what_is_read(log: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(log)]
    chunks = [log[start:end] for start, end in pairwise(places)]
    # As text, since NaN equals nothing.
    assert repr(_read(*chunks)) == repr(_read(log))


@given(LOGS)
def test_what_is_kept_between_chunks_is_bounded(log: bytes) -> None:
    reader = LogReader()
    for _ in range(3):
        reader.feed(log)
        assert len(reader._splitter._pending) <= LONGEST_LINE_BYTES + 2
    assert reader.offset <= reader.position == 3 * len(log)


JSON_UNITS = [b"{", b'{"', b'{"a":', b'{"a":[', b'{"a":1}', b'{"a":"', b"{ ", b'{"a":1}" ', b'{"k":1,', b'" : ']
TERMINAL_UNITS = [b"{\x1b[", b"{\x1b]", b"{\x1bP", b"{\b", b"{ab\b", b"{\x1b[1", b"{\x1b "]


@pytest.mark.parametrize("unit", [*JSON_UNITS, *TERMINAL_UNITS])
def test_no_line_takes_long(unit: bytes) -> None:
    line = unit * (LONGEST_LINE_BYTES // len(unit)) + b"\n"
    begin = time.process_time()
    _read(b'{"' + line, line)
    assert time.process_time() - begin < 1.0


def test_plain_lines_are_skipped_quickly() -> None:
    plain = [b"2025-01-01 12:00:00 INFO compiling kernel %d of 456 done\n" % number for number in range(100_000)]
    plain[::100] = [b"config {'a': 1}\n"] * len(plain[::100])  # so that no block can be skipped as a whole
    log = b"".join(plain)
    begin = time.process_time()
    assert LogReader().feed(log) == []
    assert len(plain) / (time.process_time() - begin) > WANTED_LINES_A_SECOND
