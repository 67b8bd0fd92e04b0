"""Files of an attempt during which the wall clock is set back."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from backprop_tui.domain.live import Clock, Live, Pause
from backprop_tui.runner import attempt_beginning
from backprop_tui.runner.attempt_beginning import STEP_SECONDS, AttemptBeginning
from backprop_tui.runner.outputs.files import OutputFiles

STARTED_AT = 1_800_000_000.0
HOUR = 3600.0
LIVE = Live(attempt=1, runner_pid=1, script_pid=None, clock=Clock(mark=50.0), time=0.0)


class Clocks:
    """The wall clock and the monotonic one."""

    def __init__(self) -> None:
        self.wall, self.now = STARTED_AT, 50.0

    def time(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.now

    def passes(self, seconds: float, *, step: float = 0.0) -> None:
        self.now += seconds
        self.wall += seconds + step


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    clocks = Clocks()
    monkeypatch.setattr(attempt_beginning, "time", clocks)
    return clocks


def seconds(start: AttemptBeginning) -> float:
    """How long before the recorded start files of the attempt may seem to be written."""
    return round(STARTED_AT - start.earliest_ns() / 1e9, 3)


def test_a_clock_that_is_set_back_makes_the_start_earlier_for_good(clocks: Clocks) -> None:
    start = AttemptBeginning(STARTED_AT, LIVE)
    clocks.passes(100.0)
    assert seconds(start) == 0.0
    clocks.passes(100.0, step=-2 * HOUR)
    assert seconds(start) == 2 * HOUR
    clocks.passes(100.0, step=2 * HOUR)
    assert seconds(start) == 2 * HOUR, "files of these two hours keep their times"
    assert start.ns == int(STARTED_AT * 1e9)


@pytest.mark.parametrize("step", [HOUR, -STEP_SECONDS / 2])
def test_a_step_forward_and_a_small_one_change_nothing(clocks: Clocks, step: float) -> None:
    start = AttemptBeginning(STARTED_AT, LIVE)
    clocks.passes(100.0, step=step)
    assert seconds(start) == 0.0


def test_another_guardian_sees_by_the_clock_of_the_attempt_that_it_was_set_back(clocks: Clocks) -> None:
    clocks.passes(500.0, step=-HOUR)
    pause = Pause(since=0.0, by="person", reason="r")
    live = Live(
        attempt=1,
        runner_pid=1,
        script_pid=None,
        clock=Clock(running_seconds=100.0, paused_seconds=200.0, mark=350.0),
        time=0.0,
        pause=pause,
    )
    assert seconds(AttemptBeginning(STARTED_AT, live)) == HOUR


def test_only_what_appears_or_changes_is_new_where_times_do_not_tell(tmp_path: Path) -> None:
    """The recorded start is an hour ahead of the files, as after a clock that was set back."""
    before, changed = tmp_path / "before.pt", tmp_path / "old" / "changed.pt"
    changed.parent.mkdir()
    for path in (before, changed):
        path.write_bytes(b"x")
    files = OutputFiles([], cwd=str(tmp_path), since_ns=int((time.time() + HOUR) * 1e9))
    files.earliest_ns = int((time.time() - HOUR) * 1e9)
    assert files.scan() == []
    changed.write_bytes(b"xy")
    (tmp_path / "new").mkdir()
    for name in ("old/added.pt", "new/added.pt", "added.pt"):
        (tmp_path / name).write_bytes(b"x")
    copied = tmp_path / "copied.pt"
    copied.write_bytes(b"x")
    os.utime(copied, (1.0, 1.0))
    new_files = {os.path.relpath(file.path, tmp_path) for file in files.scan()}
    assert new_files == {"old/changed.pt", "old/added.pt", "new/added.pt", "added.pt"}
