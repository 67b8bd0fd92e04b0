"""Lines of a growing file, their positions and their numbers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backprop_tui.tui.log import file as file_module
from backprop_tui.tui.log.file import FileChange, LineCounts, LogFile

CONTENT = st.lists(st.sampled_from([b"\n", b"a", b"bc\n", b"\r", b"long line " * 5]), max_size=60).map(b"".join)
SAME_FIXTURE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def opened(path: Path) -> LogFile:
    file = LogFile(str(path))
    file.poll()
    return file


def lines_of(content: bytes) -> list[bytes]:
    return [line for line in content.replace(b"\n", b"\n\0").split(b"\0") if line]


@SAME_FIXTURE
@given(content=CONTENT, chunk=st.integers(1, 7))
def test_lines_forwards_and_backwards_are_the_lines_of_the_file(log: Path, content: bytes, chunk: int) -> None:
    log.write_bytes(content)
    file = opened(log)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file_module, "CHUNK_BYTES", chunk)
        forward = [content[start:end] for start, end in file.forward(0)]
        backward = [content[start:end] for start, end in file.backward(file.size)]
    file.close()
    assert forward == lines_of(content)
    assert backward == lines_of(content)[::-1]


@SAME_FIXTURE
@given(parts=st.lists(CONTENT, max_size=6))
def test_the_last_line_is_found_again_after_each_growth(log: Path, parts: list[bytes]) -> None:
    log.write_bytes(b"")
    file, whole = opened(log), b""
    for part in parts:
        with log.open("ab") as end:
            end.write(part)
        whole += part
        file.poll()
        extent = next(file.backward(file.size), None)
        assert (whole[extent[0] :] if extent else b"") == (lines_of(whole) or [b""])[-1]
    file.close()


@SAME_FIXTURE
@given(content=CONTENT, stride=st.integers(1, 9), most=st.integers(2, 5))
def test_line_numbers_are_exact_whatever_the_stride(log: Path, content: bytes, stride: int, most: int) -> None:
    log.write_bytes(content)
    file, counts = opened(log), LineCounts(stride_bytes=stride, max_stretches=most)
    while counts.step(file):
        pass
    lines = lines_of(content)
    assert counts.total(file) == len(lines)
    start = 0
    for index, line in enumerate(lines):
        assert counts.before(start, file) == index
        start += len(line)
    file.close()


def test_numbers_are_none_until_they_are_counted(log: Path) -> None:
    log.write_bytes(b"a\n" * 400_000)
    file, counts = opened(log), LineCounts()
    assert counts.total(file) is None
    assert counts.step(file)
    assert counts.before(file.size, file) is None
    assert counts.before(4, file) == 2


def test_the_counts_of_a_huge_file_stay_small(log: Path) -> None:
    with log.open("wb") as file_:
        file_.truncate(64 << 20)
    file, counts = opened(log), LineCounts(stride_bytes=1 << 10, max_stretches=64)
    while counts.step(file):
        pass
    assert len(counts._before) <= 64
    assert counts.total(file) == 1


def test_growth_truncation_replacement_and_removal_are_distinguished(log: Path) -> None:
    log.write_bytes(b"one\n")
    file = LogFile(str(log))
    assert file.poll() is FileChange.OTHER
    assert file.poll() is FileChange.NONE
    with log.open("ab") as end:
        end.write(b"two\n")
    assert file.poll() is FileChange.GROWN
    os.truncate(log, 4)
    assert file.poll() is FileChange.OTHER
    log.write_bytes(b"something longer than before\n")
    assert file.poll() is FileChange.OTHER
    log.rename(log.with_name("old"))
    log.write_bytes(b"something longer than before\n")
    assert file.poll() is FileChange.OTHER
    log.unlink()
    assert file.poll() is FileChange.GONE
    assert file.problem == "the log is gone"
    assert file.poll() is FileChange.NONE


def test_only_the_end_of_an_endless_progress_line_is_read(log: Path) -> None:
    log.write_bytes(b"start\n" + b"\r 10%" * 100_000 + b"\r 99%")
    file = opened(log)
    extent = next(file.backward(file.size))
    assert extent[0] == 6
    assert file.shown_bytes(extent) == (b" 99%", True)


def test_an_endless_line_is_shown_from_its_start(log: Path) -> None:
    log.write_bytes(b"x" * 100_000 + b"\n")
    file = opened(log)
    content, complete = file.shown_bytes((0, file.size))
    assert (len(content), complete) == (file_module.MAX_SHOWN_BYTES, False)
