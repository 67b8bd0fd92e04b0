"""Lines of builds, installers, version control, tests, servers, shells and tracebacks yield nothing: 250,000 of them.

`ordinary/` holds what such programs really printed (`handmade.log`: lines as others print them, and sentences that come
close). They are those lines again and again, with other digits and in another order, the same in each run.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from backprop_tui.readers.log_reader import LogReader

CORPUS = sorted((Path(__file__).parent / "ordinary").glob("*.log"))
LINES = 250_000
DIGITS = b"0123456789"
CHUNK_BYTES = 1 << 20


def _corpus() -> list[bytes]:
    return [line for path in CORPUS for line in path.read_bytes().splitlines(keepends=True)]


def _shuffled(lines: list[bytes], rng: random.Random) -> bytes:
    """All the lines in another order, each digit another one, so that figures differ and stay figures."""
    others = list(DIGITS)
    rng.shuffle(others)
    rng.shuffle(lines)
    return b"".join(lines).translate(bytes.maketrans(DIGITS, bytes(others)))


def _many_lines() -> Iterator[bytes]:
    rng = random.Random(2025)
    lines = _corpus()
    for _ in range(-(-LINES // len(lines))):
        yield _shuffled(lines, rng)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_the_output_of_other_programs_yields_nothing(path: Path) -> None:
    reader = LogReader()
    assert [*reader.feed(path.read_bytes()), *reader.finish()] == []


def test_many_ordinary_lines_yield_nothing() -> None:
    reader = LogReader()
    count = 0
    for log in _many_lines():
        count += log.count(b"\n") + log.count(b"\r")
        for start in range(0, len(log), CHUNK_BYTES):
            assert reader.feed(log[start : start + CHUNK_BYTES]) == []
    assert reader.finish() == []
    assert count >= LINES


def test_the_corpus_is_small_and_diverse() -> None:
    assert len(CORPUS) >= 10
    assert sum(path.stat().st_size for path in CORPUS) < 300_000
