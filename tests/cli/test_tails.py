"""Files that grow are read once, whole, from wherever one left off."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.cli import tails
from backprop_tui.cli.tails import ByteTail, LineTail, offset_of_last_lines


def test_nothing_is_there_before_the_file_is(tmp_path: Path) -> None:
    tail = ByteTail(str(tmp_path / "log"))
    assert tail.read() == b""
    (tmp_path / "log").write_bytes(b"one")
    assert (tail.read(), tail.read()) == (b"one", b"")


def test_a_log_that_was_truncated_is_read_from_its_start(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"a long beginning")
    tail = ByteTail(str(log))
    tail.read()
    log.write_bytes(b"new")
    assert tail.read() == b"new"


def test_a_line_is_read_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    tail = LineTail(str(path))
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
def test_the_last_lines_are_the_last_lines(log: Path, lines: list[bytes], end: bytes, count: int) -> None:
    content = b"\n".join(lines) + (end if lines else b"")
    log.write_bytes(content)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tails, "CHUNK_BYTES", 3)
        offset = offset_of_last_lines(str(log), count)
    whole = content.split(b"\n")
    if whole[-1] == b"":
        whole.pop()
    wanted = whole[-count:] if count else []
    found = content[offset:].split(b"\n")
    if found[-1] == b"":
        found.pop()
    assert found == wanted
