"""Splitting a log into lines with any chunks, and their text as a terminal displays it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.readers.lines import MAX_LINE_BYTES, LineSplitter, visible_text

PIECES = [b"a", b"{", b"\n", b"\r", b"\r\n", b"\xff", b"\x1b[0m"]
LOG_BYTES = st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join)
CONTROLS = [b"\x1b", b"[", b"]", b"P", b"1", b" ", b"m", b"\b", b"\x07", b"\\", b"x"]


def _split(*chunks: bytes, offset: int = 0) -> list[tuple[bytes, int]]:
    splitter = LineSplitter(offset)
    blocks = [splitter.feed(chunk) for chunk in chunks] + [splitter.finish()]
    return [line for block in blocks if block is not None for line in block.lines()]


def _cut(log: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cuts), len(log)]
    return [log[start:end] for start, end in pairwise(places)]


def test_each_kind_of_terminator_ends_a_line() -> None:
    assert _split(b"one\ntwo\r\nthree\rfour\n\n") == [
        (b"one\n", 4),
        (b"two\r\n", 9),
        (b"three\r", 15),
        (b"four\n", 20),
        (b"\n", 21),
    ]


def test_a_terminator_split_between_two_chunks_ends_one_line() -> None:
    assert _split(b"one\r", b"\ntwo\n") == [(b"one\r\n", 5), (b"two\n", 9)]


def test_offsets_count_from_the_start_of_the_splitter() -> None:
    assert _split(b"one\n", offset=100) == [(b"one\n", 104)]


def test_a_partial_line_is_returned_when_it_is_complete() -> None:
    splitter = LineSplitter(7)
    assert splitter.feed(b"half a ") is None
    assert (splitter.offset, splitter.position) == (7, 14)
    block = splitter.feed(b"line\nnext")
    assert block is not None
    assert list(block.lines()) == [(b"half a line\n", 19)]
    assert (splitter.offset, splitter.position) == (19, 23)


def test_the_last_line_of_a_finished_log_needs_no_terminator() -> None:
    splitter = LineSplitter()
    splitter.feed(b"whole\nlast")
    block = splitter.finish()
    assert block is not None
    assert list(block.lines()) == [(b"last", 10)]
    assert splitter.offset == 10
    assert splitter.finish() is None


@pytest.mark.parametrize("terminator", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("chunk_bytes", [1000, 1 << 16, 1 << 20])
def test_a_line_that_is_too_long_is_dropped_and_later_offsets_stay_correct(terminator: bytes, chunk_bytes: int) -> None:
    log = b"a\n" + b"x" * (MAX_LINE_BYTES + 1) + terminator + b"b\n"
    chunks = [log[start : start + chunk_bytes] for start in range(0, len(log), chunk_bytes)]
    assert _split(*chunks) == [(b"a\n", 2), (b"b\n", len(log))]


@pytest.mark.parametrize("terminator", [b"\n", b"\r\n", b"\r"])
def test_a_line_that_is_too_long_may_end_with_its_chunk(terminator: bytes) -> None:
    log = b"x" * (2 * MAX_LINE_BYTES) + terminator + b"b\n"
    for cut in range(len(log) - 4, len(log)):
        assert _split(log[:cut], log[cut:]) == [(b"b\n", len(log))]


@pytest.mark.parametrize("chunk_bytes", [1000, 1 << 16, 1 << 20])
def test_a_line_of_maximum_length_is_kept(chunk_bytes: int) -> None:
    log = b"x" * MAX_LINE_BYTES + b"\r\n"
    chunks = [log[start : start + chunk_bytes] for start in range(0, len(log), chunk_bytes)]
    assert _split(*chunks) == [(log, len(log))]


def test_an_endless_line_does_not_use_more_memory() -> None:
    splitter = LineSplitter()
    for _ in range(200):
        assert splitter.feed(b"x" * 50_000) is None
    assert len(splitter._pending) <= MAX_LINE_BYTES + 2
    assert splitter.offset == 0
    assert splitter.position == 10_000_000
    block = splitter.feed(b"\nnext\n")
    assert block is not None
    assert list(block.lines()) == [(b"next\n", 10_000_006)]


@given(LOG_BYTES, st.lists(st.integers(0, 40), max_size=6))
def test_lines_and_offsets_do_not_depend_on_the_chunks(log: bytes, cuts: list[int]) -> None:
    assert _split(*_cut(log, cuts)) == _split(log)


@given(LOG_BYTES)
def test_no_byte_is_lost_and_offsets_are_line_ends(log: bytes) -> None:
    lines = _split(log)
    assert b"".join(line for line, _ in lines) == log
    assert all(log[:end].endswith(line) for line, end in lines)


@given(LOG_BYTES, st.integers(0, 40))
def test_a_splitter_can_resume_from_an_offset(log: bytes, read: int) -> None:
    first = LineSplitter()
    block = first.feed(log[:read])
    before = [] if block is None else list(block.lines())
    assert before + _split(log[first.offset :], offset=first.offset) == _split(log)


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        (b"plain\r\n", "plain"),
        (b"\x1b[1;32mgreen\x1b[0m\n", "green"),
        (b"\x1b]0;title\x07text", "text"),
        (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\x1bPsixel\x1b\\text", "text"),
        (b"\x1b(Btext\x1b7", "text"),
        (b"text\x1b", "text"),
        (b"text\x1b[12", "text12"),
        (b"\x1b]never ended", "never ended"),
        (b"10%\b\b\b20%", "20%"),
        (b"loss: 1.0\b\b\b\b\b\b\b\b\b\r", "loss: 1.0"),
        (b"12345\b\b\b99", "12995"),
        (b"\b\b\bstart", "start"),
        (b"caf\xc3\xa9\be", "cafe"),
        (b"broken \xff", "broken \ufffd"),
    ],
)
def test_text_is_returned_as_a_terminal_displays_it(printed: bytes, shown: str) -> None:
    assert visible_text(printed) == shown


@given(st.lists(st.sampled_from(CONTROLS)).map(b"".join))
def test_visible_text_has_no_escape_and_no_backspace(printed: bytes) -> None:
    assert not {"\x1b", "\b"} & set(visible_text(printed))
