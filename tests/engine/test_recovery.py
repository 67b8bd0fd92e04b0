"""Recovery of runs whose guardian is gone."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from backprop_tui.checkpoints import choice
from backprop_tui.domain.live import Stopping
from backprop_tui.domain.run import Checkpoint, Ended, Queued, Run, Starting
from backprop_tui.domain.status import Status
from backprop_tui.engine.scheduler import recover
from backprop_tui.store.locks import try_lock
from tests.engine.machines import Host
from tests.support.runs import Guardian


def recovered(guardian: Guardian) -> Run:
    recovery_result = recover(guardian.directory, guardian.run)
    guardian.dies()
    assert recovery_result is not None
    assert guardian.directory.read().state == recovery_result.state
    return recovery_result


def names_its_script(guardian: Guardian, attempt: int = 1) -> None:
    with open(guardian.directory.script_lock, "w", encoding="utf-8") as file:
        file.write(f"{attempt} {os.getpid()} 1\n")


def test_a_living_script_is_adopted(host: Host) -> None:
    guardian = host.runs.guarded("a")
    lock = try_lock(guardian.directory.script_lock)
    assert lock is not None
    with lock:
        assert recover(guardian.directory, guardian.run) is None
    guardian.dies()


def test_a_script_that_lives_in_another_container_is_not_lost(host: Host) -> None:
    guardian = host.runs.guarded("a")
    names_its_script(guardian)
    guardian.edits(guardian.run.with_attempt(replace(guardian.run.attempt, pid_namespace=1)))
    lock = try_lock(guardian.directory.script_lock)
    assert lock is not None
    guardian.dies()
    with lock:
        assert host.passes().snapshot.active[0].id == "a", "its GPU stays its own"
    live = guardian.directory.read_live()
    assert live is not None
    assert live.problem == "its script lives in another container (PID namespace), where nobody guards it"
    assert host.launches.adopting == {}
    host.passes()
    assert host.launches.adopting == {"a": True}, "it is dead now"


def test_a_script_of_this_attempt_is_adopted_dead_or_alive(host: Host) -> None:
    guardian = host.runs.guarded("a")
    names_its_script(guardian)
    assert recover(guardian.directory, guardian.run) is None
    guardian.dies()


def test_a_script_of_an_earlier_attempt_does_not_count(host: Host) -> None:
    guardian = host.runs.guarded("a")
    guardian.edits(replace(guardian.run, state=Starting(since=1.0)))
    names_its_script(guardian, attempt=7)
    assert recovered(guardian).status is Status.QUEUED


def test_a_run_of_an_earlier_boot_is_lost(host: Host) -> None:
    guardian = host.runs.guarded("a")
    attempt = replace(guardian.run.attempt, boot_id="another")
    guardian.edits(replace(guardian.run, attempts=(attempt,)))
    run = recovered(guardian)
    assert isinstance(run.state, Ended)
    assert run.status is Status.LOST
    assert run.state.cause is not None
    assert (run.state.cause.kind, run.state.cause.evidence) == (
        "machine_restarted",
        "the machine went down while it ran",
    )


def test_a_run_of_an_earlier_boot_that_was_being_stopped_counts_as_stopped(host: Host) -> None:
    guardian = host.runs.guarded("a")
    attempt = replace(guardian.run.attempt, boot_id="another")
    guardian.edits(replace(guardian.run, attempts=(attempt,)))
    stopping = Stopping(status=Status.TIMEBOXED, by="timebox", reason="timebox over", since=1.0, stage=1, deadline=2.0)
    guardian.says(stopping=stopping)
    assert recovered(guardian).status is Status.TIMEBOXED


@pytest.mark.parametrize("stopped_by_person", [False, True])
def test_a_slice_that_was_ending_is_continued_unless_a_person_stopped_it(
    host: Host, *, stopped_by_person: bool
) -> None:
    guardian = host.runs.guarded("a")
    saved = guardian.directory.file("step_1.npy")
    with open(saved, "wb") as file:
        file.write(b"weights")
    run = guardian.run
    attempt = replace(run.attempt, boot_id="another")
    spec = replace(run.spec, total_seconds=7200.0, max_run_seconds=600.0)
    guardian.edits(replace(run, attempts=(attempt,), spec=spec))
    stopping = Stopping(status=Status.TIMEBOXED, by="timebox", reason="timebox over", since=1.0, stage=1, deadline=2.0)
    guardian.says(
        stopping=replace(stopping, is_final=stopped_by_person),
        checkpoints=(Checkpoint(path=saved, step=1, saved_at=attempt.started_at + 1),),
    )
    run = recovered(guardian)
    assert run.status is (Status.TIMEBOXED if stopped_by_person else Status.QUEUED)
    assert getattr(run.state, "resume_from", None) == (None if stopped_by_person else saved)


def test_for_a_lost_run_no_checkpoint_is_checked(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def never_answers(_checkpoints: object) -> None:
        pytest.fail("it asked")

    monkeypatch.setattr(choice, "choose", never_answers)
    guardian = host.runs.guarded("a")
    guardian.edits(of_earlier_boot(guardian.run))
    assert recovered(guardian).status is Status.LOST


def of_earlier_boot(run: Run) -> Run:
    return replace(run, attempts=(replace(run.attempt, boot_id="another"),))


def test_a_run_with_retries_continues_after_a_reboot(host: Host) -> None:
    guardian = host.runs.guarded("a")
    saved = guardian.directory.file("step_1.npy")
    with open(saved, "wb") as file:
        file.write(b"weights")
    guardian.edits(of_earlier_boot(replace(guardian.run, spec=replace(guardian.run.spec, retries=1))))
    guardian.says(checkpoints=(Checkpoint(path=saved, step=1, saved_at=guardian.run.attempt.started_at + 1),))
    guardian.directory.write_environment({"KEY": "secret"})
    run = recovered(guardian)
    assert isinstance(run.state, Queued)
    assert (run.state.resume_from, run.state.reason) == (saved, "retry 1 of 1")
    assert run.attempt.status is Status.LOST
    assert guardian.directory.read_environment() == {"KEY": "secret"}
    with open(guardian.directory.events_path, encoding="utf-8") as file:
        assert [json.loads(line)["event"] for line in file][-2:] == ["attempt_ended", "queued"]


def test_a_run_that_was_starting_at_a_reboot_says_so(host: Host) -> None:
    guardian = host.runs.guarded("a")
    guardian.edits(of_earlier_boot(replace(guardian.run, state=Starting(since=1.0))))
    state = recovered(guardian).state
    assert isinstance(state, Ended)
    assert state.reason == "the machine went down while it started"
