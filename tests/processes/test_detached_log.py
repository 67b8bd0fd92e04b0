"""The log of detached processes stays short while they run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from backprop_tui.processes import detached_log
from backprop_tui.processes.detached_log import MAX_LOG_BYTES, append_private, bound_log, note


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file that stderr goes to."""
    path = tmp_path / "supervisor.log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    monkeypatch.setattr(detached_log, "STDERR", descriptor)
    monkeypatch.setattr(detached_log._OwnLog, "is_bounded", False)
    yield path
    os.close(descriptor)


def test_a_long_log_is_kept_once_and_begun_again(log: Path) -> None:
    bound_log()
    for number in range(5):
        note(f"{number}" * (MAX_LOG_BYTES // 2))
    assert log.stat().st_size <= MAX_LOG_BYTES
    kept = log.with_name("supervisor.log.1")
    assert kept.stat().st_size == MAX_LOG_BYTES
    assert kept.stat().st_mode & 0o777 == 0o600
    note("the end")
    assert log.read_text().endswith("the end\n")


def test_a_file_of_the_user_is_never_shortened(log: Path) -> None:
    note("x" * (MAX_LOG_BYTES + 10))
    assert log.stat().st_size > MAX_LOG_BYTES
    assert not log.with_name("supervisor.log.1").exists()


def test_the_log_of_a_front_end_is_private_and_short(tmp_path: Path) -> None:
    log = tmp_path / "faults.log"
    log.touch(mode=0o666)
    for _ in range(3):
        append_private(str(log), "x" * (MAX_LOG_BYTES // 2))
    append_private(str(log), "the end")
    assert log.read_text() == "the end"
    assert [path.stat().st_mode & 0o777 for path in (log, tmp_path / "faults.log.1")] == [0o600, 0o600]


def test_a_link_in_place_of_the_log_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.touch()
    (tmp_path / "faults.log").symlink_to(target)
    with pytest.raises(OSError, match=r"faults\.log"):
        append_private(str(tmp_path / "faults.log"), "x")
    assert target.read_text() == ""


def test_a_fifo_in_place_of_the_log_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "faults.log")
    with pytest.raises(OSError, match="a FIFO, not a regular file"):
        append_private(str(tmp_path / "faults.log"), "x")
