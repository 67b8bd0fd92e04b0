"""What wakes a guardian, and how often it looks by itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from backprop_tui.domain.requests import StopRequest
from backprop_tui.runner.guardian import CALM_TICK_SECONDS, TICK_SECONDS, Wakeups, tick_seconds
from backprop_tui.store.run_directory import RunDirectory

FOREVER = 3600.0  # a wait of this length fails the test


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    return RunDirectory(str(tmp_path))


@pytest.fixture
def signals() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe2(os.O_NONBLOCK)
    yield reading, writing
    os.close(reading)
    os.close(writing)


def test_a_request_ends_the_wait(directory: RunDirectory, signals: tuple[int, int]) -> None:
    wakeups = Wakeups(directory.requests_path, signals[0])
    directory.append_request(StopRequest(by="person", reason="stopped by you"))
    assert wakeups.wait(FOREVER) == b""


def test_a_request_in_a_directory_that_was_made_again_ends_the_wait(
    directory: RunDirectory, signals: tuple[int, int], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    again = RunDirectory(str(folder))
    wakeups = Wakeups(again.requests_path, signals[0])
    folder.rename(tmp_path / "gone")
    folder.mkdir()
    wakeups.files.renew()
    again.append_request(StopRequest(by="person", reason="stopped by you"))
    assert wakeups.wait(FOREVER) == b""


def test_a_signal_ends_the_wait_but_not_what_the_guardian_writes(
    directory: RunDirectory, signals: tuple[int, int]
) -> None:
    wakeups = Wakeups(directory.requests_path, signals[0])
    directory.append_event("started", "attempt 1", time=0.0)
    assert wakeups.wait(0.0) == b""
    directory.append_event("started", "attempt 2", time=0.0)
    os.write(signals[1], bytes([signal.SIGTERM]))
    assert wakeups.wait(FOREVER) == bytes([signal.SIGTERM])


def test_the_end_of_a_process_ends_the_wait(directory: RunDirectory, signals: tuple[int, int]) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    pidfd = os.pidfd_open(pid)
    assert Wakeups(directory.requests_path, signals[0], pidfd, None).wait(FOREVER) == b""
    os.waitpid(pid, 0)
    os.close(pidfd)


def test_a_guardian_looks_often_at_first_and_while_something_is_awaited() -> None:
    assert tick_seconds(0.0, is_awaited=False) == TICK_SECONDS
    assert TICK_SECONDS < tick_seconds(5.0, is_awaited=False) < CALM_TICK_SECONDS
    assert tick_seconds(3600.0, is_awaited=False) == CALM_TICK_SECONDS
    assert tick_seconds(3600.0, is_awaited=True) == TICK_SECONDS
