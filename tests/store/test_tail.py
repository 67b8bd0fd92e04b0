"""Growing files are read once, completely, from where reading stopped; and the end of a log."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.store import tail as tails
from backprop_tui.store.tail import END_BYTES, JsonTail, Tail, offset_of_last_lines, read_end


def test_a_missing_file_is_empty(tmp_path: Path) -> None:
    tail = Tail(str(tmp_path / "log"))
    assert tail.read() == b""
    (tmp_path / "log").write_bytes(b"one")
    assert (tail.read(), tail.read()) == (b"one", b"")


def test_a_log_that_was_truncated_is_read_from_its_start(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"a long beginning")
    tail = Tail(str(log))
    tail.read()
    log.write_bytes(b"new")
    assert tail.read() == b"new"


def test_a_line_is_read_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    tail = JsonTail(str(path))
    path.write_bytes(b'{"a":1}\n{"b"')
    assert tail.read() == [{"a": 1}]
    with path.open("ab") as file:
        file.write(b':2}\nnonsense\n[1]\n{"c":3}\n')
    assert tail.read() == [{"b": 2}, {"c": 3}]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tails") / "log"


@given(
    st.lists(st.text("ab\r", max_size=5).map(str.encode), max_size=8), st.sampled_from([b"\n", b""]), st.integers(0, 10)
)
def test_the_offset_of_the_last_lines(log: Path, lines: list[bytes], end: bytes, count: int) -> None:
    content = b"\n".join(lines) + (end if lines else b"")
    log.write_bytes(content)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tails, "CHUNK_BYTES", 3)
        offset = offset_of_last_lines(str(log), count)
    whole = content.split(b"\n")
    if whole[-1] == b"":
        whole.pop()
    expected = whole[-count:] if count else []
    actual = content[offset:].split(b"\n")
    if actual[-1] == b"":
        actual.pop()
    assert actual == expected


def test_a_short_log_is_read_from_where_the_attempt_began(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    log.write_bytes(b"a\nb\nc\n")
    assert read_end(str(log)) == (b"a\nb\nc\n", 1)
    assert read_end(str(log), 4) == (b"c\n", 3)
    assert read_end(str(log), 6) == (b"", 4)


def test_the_whole_log_is_read_if_it_became_shorter(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    log.write_bytes(b"a\n")
    assert read_end(str(log), 99) == (b"a\n", 1)


def test_the_end_of_a_long_log_has_complete_lines_and_their_number(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    log.write_bytes(b"".join(b"line %d\n" % number for number in range(1, 100_001)))
    content, number = read_end(str(log))
    assert len(content) <= END_BYTES
    assert number is not None
    assert content.startswith(b"line %d\n" % number)


def test_a_missing_log_is_empty(tmp_path: Path) -> None:
    assert read_end(str(tmp_path / "none")) == (b"", None)


def test_only_the_last_bytes_of_a_file_are_read_if_asked(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text("".join(f'{{"n": {number}}}\n' for number in range(100)))
    tail = JsonTail(str(path), last_bytes=25)
    assert [line["n"] for line in tail.read()] == [98, 99]


def test_a_file_that_was_replaced_by_a_longer_one_is_read_from_its_start(tmp_path: Path) -> None:
    path, other = tmp_path / "log", tmp_path / "other"
    path.write_bytes(b'{"a":1}\n{"torn')
    tail = JsonTail(str(path))
    assert tail.read() == [{"a": 1}]
    other.write_bytes(b'{"b":2}\n{"c":3}\n{"d":4}\n')
    other.replace(path)
    assert tail.read() == [{"b": 2}, {"c": 3}, {"d": 4}]
    assert tail.restarted
    assert tail.read() == []
    assert not tail.restarted
