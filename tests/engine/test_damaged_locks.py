"""Scripts that delete the lock or the record of their run while a new supervisor starts: nothing runs twice."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from backprop_tui.domain.run import Ended, Starting
from backprop_tui.domain.status import Status
from backprop_tui.engine import scheduler, unfinished_runs
from tests.engine.machines import Host
from tests.support.runs import Guardian


class Clock:
    """Stands for `time` in the modules of the supervisor."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds

    def time(self) -> float:
        return 1_800_000_000.0 + self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (scheduler, unfinished_runs):
        monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def starting(host: Host) -> Iterator[Guardian]:
    """A run that starts; its lock was deleted, its guardian lives."""
    guardian = host.runs.guarded("a")
    guardian.edits(replace(guardian.run, state=Starting(since=1.0)))
    os.unlink(guardian.directory.lock_path)
    yield guardian
    guardian.dies()


def test_a_guardian_has_time_to_make_its_lock_again(host: Host, clock: Clock, starting: Guardian) -> None:
    assert host.passes().unwatched == ["a"]
    clock.seconds += scheduler.LOCKLESS_SECONDS - 0.1
    host.passes()
    assert not os.path.exists(starting.directory.lock_path), "taking it would tell the guardian that it lost the run"
    assert starting.directory.read().status is Status.STARTING


def test_a_run_without_a_lock_is_not_started_beside_its_script(host: Host, clock: Clock, starting: Guardian) -> None:
    environment = {"BACKPROP_RUN_DIR": starting.directory.path}
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=environment) as script:
        host.passes()
        clock.seconds += scheduler.LOCKLESS_SECONDS + 1
        host.passes()
        assert starting.directory.read().status is Status.STARTING
        script.communicate(b"\n")
    host.passes()
    state = starting.directory.read().state
    assert isinstance(state, Ended)
    assert state.reason == "its lock file was deleted while it started, so whether its script ran is not known"


def test_a_lock_that_was_made_again_counts_from_the_beginning(host: Host, clock: Clock, starting: Guardian) -> None:
    host.passes()
    lock = starting.directory.try_lock()
    assert lock is not None
    with lock:
        clock.seconds += scheduler.LOCKLESS_SECONDS + 1
        host.passes()
    os.unlink(starting.directory.lock_path)
    host.passes()
    assert starting.directory.read().status is Status.STARTING


@pytest.mark.parametrize("is_missing", [False, True])
def test_no_run_starts_while_it_is_not_known_which_gpus_an_active_one_has(
    host: Host, clock: Clock, *, is_missing: bool
) -> None:
    guardian = host.runs.guarded("a")
    os.unlink(guardian.directory.record_path)
    if not is_missing:
        os.mkfifo(guardian.directory.record_path)
    host.runs.queued("b")
    (reason,) = host.passes().holds["b"].reasons
    assert reason.message == "the record of a is damaged, its guardian is writing it again"
    clock.seconds += unfinished_runs.UNREADABLE_SECONDS + 0.1
    assert "b" in host.passes().guardians, "a bad record holds up other runs only for a moment"
    guardian.dies()


def test_runs_start_when_the_record_is_written_again(host: Host, clock: Clock) -> None:
    guardian = host.runs.guarded("a")
    os.unlink(guardian.directory.record_path)
    host.runs.queued("b")
    assert "b" in host.passes().holds
    guardian.edits(guardian.run)
    assert "b" in host.passes().guardians
    assert clock.seconds == 100.0
    guardian.dies()


def test_a_damaged_record_without_a_guardian_holds_up_nothing(host: Host) -> None:
    guardian = host.runs.guarded("a")
    guardian.dies()
    os.unlink(guardian.directory.record_path)
    host.runs.queued("b")
    assert "b" in host.passes().guardians
