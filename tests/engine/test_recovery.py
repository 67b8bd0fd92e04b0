"""What is found of runs whose guardian is gone."""

from __future__ import annotations

import os
from dataclasses import replace

from backprop_tui.domain.live import Stopping
from backprop_tui.domain.run import Ended, Run, Starting
from backprop_tui.domain.status import Status
from backprop_tui.engine.recovery import Adopt, Written, recover
from backprop_tui.store.locks import try_lock
from tests.engine.machines import Host
from tests.support.runs import Guardian


def written(guardian: Guardian) -> Run:
    found = recover(guardian.directory, guardian.run)
    guardian.dies()
    assert isinstance(found, Written)
    assert guardian.directory.read().state == found.run.state
    return found.run


def names_its_script(guardian: Guardian, attempt: int = 1) -> None:
    with open(guardian.directory.script_lock, "w", encoding="utf-8") as file:
        file.write(f"{attempt} {os.getpid()} 1\n")


def test_a_script_that_lives_is_adopted(host: Host) -> None:
    guardian = host.runs.guarded("a")
    lock = try_lock(guardian.directory.script_lock)
    assert lock is not None
    with lock:
        assert isinstance(recover(guardian.directory, guardian.run), Adopt)
    guardian.dies()


def test_a_script_that_was_started_by_this_attempt_is_adopted_dead_or_alive(host: Host) -> None:
    guardian = host.runs.guarded("a")
    names_its_script(guardian)
    assert isinstance(recover(guardian.directory, guardian.run), Adopt)
    guardian.dies()


def test_one_that_was_started_by_an_earlier_attempt_says_nothing_of_this_one(host: Host) -> None:
    guardian = host.runs.guarded("a")
    guardian.edits(replace(guardian.run, state=Starting(since=1.0)))
    names_its_script(guardian, attempt=7)
    assert written(guardian).status is Status.QUEUED


def test_a_run_of_an_earlier_boot_is_lost(host: Host) -> None:
    guardian = host.runs.guarded("a")
    attempt = replace(guardian.run.attempt, boot_id="another")
    guardian.edits(replace(guardian.run, attempts=(attempt,)))
    run = written(guardian)
    assert isinstance(run.state, Ended)
    assert run.status is Status.LOST
    assert run.state.cause is not None
    assert (run.state.cause.kind, run.state.cause.evidence) == (
        "machine_restarted",
        "the machine went down while it ran",
    )


def test_a_run_of_an_earlier_boot_that_we_were_stopping_was_stopped(host: Host) -> None:
    guardian = host.runs.guarded("a")
    attempt = replace(guardian.run.attempt, boot_id="another")
    guardian.edits(replace(guardian.run, attempts=(attempt,)))
    stopping = Stopping(status=Status.TIMEBOXED, by="timebox", reason="timebox over", since=1.0, stage=1, deadline=2.0)
    guardian.says(stopping=stopping)
    assert written(guardian).status is Status.TIMEBOXED
