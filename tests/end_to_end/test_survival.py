"""What survives when a supervisor, a fork server or a guardian is killed."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import replace

import pytest

from backprop_tui.domain.requests import PauseRequest, StopRequest
from backprop_tui.domain.run import Ended
from backprop_tui.domain.status import Status
from backprop_tui.processes.identity import Identity, identify, is_alive, state_of
from tests.end_to_end.crashing import Crashing
from tests.support import processes
from tests.support.crashes import GUARDIAN, after
from tests.support.front_ends import PROGRAM, environment
from tests.support.sandbox import NO_LIMITS, Sandbox, Submitted, python, script

KILL = StopRequest(by="person", reason="stopped by you", kill=True)


def killed_supervisor(sandbox: Sandbox) -> Identity:
    """Kills the fork server, which would start another supervisor, then the supervisor; returns its identity."""
    supervisor = sandbox.wait_until(sandbox.supervisor, "a supervisor")
    forker = sandbox.wait_until(sandbox.fork_server, "a fork server")
    assert processes.kill(forker)
    assert processes.kill(supervisor)
    return supervisor


def next_supervisor(sandbox: Sandbox, after: Identity) -> Identity:
    """Waits for the next supervisor."""

    def another() -> Identity | None:
        supervisor = sandbox.supervisor()
        return supervisor if supervisor not in (None, after) and sandbox.fork_server() else None

    return sandbox.wait_until(another, "another supervisor", seconds=10)


def running(sandbox: Sandbox) -> Submitted:
    run = sandbox.submit(*script("exits_on_signal.py"))
    run.wait_until_it_reports("begin")
    run.wait_for(Status.RUNNING)
    return run


def touch(run: Submitted, name: str) -> None:
    with open(os.path.join(run.run().spec.cwd, name), "wb"):
        pass


def test_a_supervisor_that_a_guardian_started_outlives_the_guardians_run(sandbox: Sandbox) -> None:
    first = running(sandbox)
    dead = killed_supervisor(sandbox)
    supervisor = next_supervisor(sandbox, dead)
    second = running(sandbox)
    first.ask(PauseRequest(by="person", reason="paused by you"))
    first.wait_for(Status.PAUSED)
    assert state_of(supervisor.pid) != b"T"
    first.ask(KILL)
    assert first.wait_for_end().status is Status.STOPPED
    assert is_alive(supervisor)
    assert second.status() is Status.RUNNING
    second.ask(KILL)
    assert second.wait_for_end().status is Status.STOPPED


def test_the_queue_continues_although_the_last_guardian_ended_before_its_supervisor_check(sandbox: Sandbox) -> None:
    sandbox.allow(1)
    first = sandbox.submit(*script("worker.py", 4, 0.1, 0))
    second = sandbox.submit(*script("worker.py", 1, 0, 0))
    first.wait_until_it_reports("begin")
    killed_supervisor(sandbox)
    began = time.monotonic()
    assert second.wait_for_end().status is Status.COMPLETED
    assert time.monotonic() - began < 5.0
    sandbox.wait_until_all_is_indexed()


def test_a_waiting_run_is_edited_without_a_supervisor_and_the_next_supervisor_starts_it(sandbox: Sandbox) -> None:
    waits = replace(NO_LIMITS, min_free_ram_bytes=1 << 60)
    run = sandbox.submit(*script("worker.py", 1, 0, 0), limits=waits)
    killed_supervisor(sandbox)
    words = (*PROGRAM, "edit", run.id, "--name", "better", "--min-free-ram", "0")
    edit = subprocess.run(words, env=environment(sandbox), capture_output=True, text=True, check=False)
    assert (edit.returncode, edit.stdout) == (0, f"{run.id} better: renamed to better, min_free_ram_gb 0\n"), (
        edit.stderr
    )
    assert run.wait_for_end().status is Status.COMPLETED
    assert run.run().name == "better"


def test_the_queue_continues_after_the_fork_server_was_killed(sandbox: Sandbox) -> None:
    sandbox.allow(1)
    first = sandbox.submit(*script("worker.py", 4, 0.1, 3))
    second = sandbox.submit(*script("worker.py", 1, 0, 0))
    first.wait_until_it_reports("begin")
    forker = sandbox.wait_until(sandbox.fork_server, "a fork server")
    assert processes.kill(forker)
    began = time.monotonic()
    state = first.wait_for_end().state
    assert isinstance(state, Ended)
    assert (state.status, state.exit_code) == (Status.FAILED, 3)
    assert second.wait_for_end().status is Status.COMPLETED
    assert time.monotonic() - began < 5.0
    assert [sandbox.ledger.beginnings(run.id) for run in (first, second)] == [1, 1]


def test_a_queue_without_a_guardian_continues_after_the_fork_server_was_killed(sandbox: Sandbox) -> None:
    first = sandbox.submit(*script("worker.py", 1, 0, 0))
    first.wait_for_end()
    forker = sandbox.wait_until(sandbox.fork_server, "a fork server")
    assert processes.kill(forker)
    second = sandbox.submit(*script("worker.py", 1, 0, 0))
    assert second.wait_for_end(seconds=5).status is Status.COMPLETED
    assert sandbox.ledger.beginnings(second.id) == 1


def test_an_idle_supervisor_exits_and_the_next_command_starts_another(sandbox: Sandbox) -> None:
    first = sandbox.submit(*script("worker.py", 1, 0, 0))
    first.wait_for_end()
    supervisor = sandbox.wait_until(sandbox.supervisor, "a supervisor")
    sandbox.wait_until(lambda: not is_alive(supervisor), "ended by itself")
    sandbox.wait_until(lambda: not processes.with_environment(sandbox.home.root), "its fork server gone")
    assert sandbox.markers() == []
    second = sandbox.submit(*script("worker.py", 1, 0, 0))
    assert identify(supervisor.pid) != supervisor, "a zombie of the first one"
    assert second.wait_for_end().status is Status.COMPLETED


def test_the_fork_server_starts_another_supervisor_although_there_is_no_guardian(sandbox: Sandbox) -> None:
    hold = sandbox.home.queue_held
    with open(hold, "wb"):
        run = sandbox.submit(*script("worker.py", 1, 0, 0))
    sandbox.wait_until(sandbox.fork_server, "a fork server")
    supervisor = sandbox.wait_until(sandbox.supervisor, "a supervisor")
    assert processes.kill(supervisor)
    next_supervisor(sandbox, supervisor)
    assert run.status() is Status.QUEUED
    os.unlink(hold)
    assert run.wait_for_end().status is Status.COMPLETED
    assert sandbox.ledger.beginnings(run.id) == 1


def test_processes_left_in_an_adopted_scripts_session_are_killed_although_they_have_no_marker(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("forgets_its_name.py"))
    run.wait_until_it_reports("there")
    run.wait_for(Status.RUNNING)
    nameless = next(entry.pid for entry in run.sandbox.ledger.entries(run.id) if entry.text == "there")
    known = identify(nameless)
    guardian = run.guardian()
    assert known is not None
    assert guardian is not None
    assert processes.kill(guardian)
    run.wait(lambda: "adopted" in run.events(), "adopted")
    touch(run, "go")
    assert run.wait_for_end().status is Status.COMPLETED
    assert not is_alive(known)


def test_a_run_of_an_earlier_boot_is_lost(sandbox: Sandbox) -> None:
    run = running(sandbox)
    guardian, named = run.guardian(), run.script()
    assert guardian is not None
    assert named is not None
    killed_supervisor(sandbox)
    assert processes.kill(guardian)
    assert processes.kill(named)
    record = run.run()
    run.directory.write(record.with_attempt(replace(record.attempt, boot_id="another")), durable=False)
    sandbox.call()
    state = run.wait_for_end().state
    assert isinstance(state, Ended)
    assert (state.status, state.exit_code) == (Status.LOST, None)
    assert sandbox.ledger.beginnings(run.id) == 1


def test_scripts_without_supervisor_and_guardians_are_adopted_after_the_next_command(sandbox: Sandbox) -> None:
    paused = running(sandbox)
    paused.ask(PauseRequest(by="person", reason="paused by you"))
    paused.wait_for(Status.PAUSED)
    working = sandbox.submit(*script("waits_for_go.py", 7))
    working.wait_until_it_reports("begin")
    working.wait_for(Status.RUNNING)
    guardians = [paused.guardian(), working.guardian()]
    killed_supervisor(sandbox)
    for guardian in guardians:
        assert guardian is not None
        assert processes.kill(guardian)
    assert working.status() is Status.RUNNING
    sandbox.call()
    for run in (paused, working):
        run.wait(lambda run=run: "adopted" in run.events(), "adopted")  # type: ignore[misc]
    assert paused.status() is Status.PAUSED
    touch(working, "go")
    state = working.wait_for_end().state
    assert isinstance(state, Ended)
    if processes.exit_codes_are_public():
        assert (state.status, state.exit_code) == (Status.FAILED, 7)
    else:
        assert (state.status, state.exit_code) == (Status.LOST, None)
    paused.ask(KILL)
    assert paused.wait_for_end().status is Status.STOPPED
    assert [sandbox.ledger.beginnings(run.id) for run in (paused, working)] == [1, 1]


@pytest.mark.parametrize("old_kernel", [False, True])
def test_the_code_of_an_adopted_script_is_known_on_old_kernels_too(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, *, old_kernel: bool
) -> None:
    """The supervisor adopts the orphan and keeps its zombie for a while so that it can be read."""
    crashing = Crashing(sandbox, monkeypatch, after("runner.recorder:Recorder.commit", GUARDIAN), old_kernel=old_kernel)
    run = sandbox.submit(*script("waits_for_go.py", 7))
    crashing.wait_until_all_happened()
    run.wait(lambda: "adopted" in run.events(), "adopted")
    touch(run, "go")
    state = run.wait_for_end().state
    assert isinstance(state, Ended)
    assert (state.status, state.exit_code) == (Status.FAILED, 7)
    named = run.script()
    assert named is not None
    sandbox.wait_until(lambda: identify(named.pid) != named, "its zombie reaped")


def test_a_run_whose_directory_was_removed_leaves_no_guardian(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("waits_for_go.py", 7))
    run.wait_until_it_reports("begin")
    guardian = run.wait(run.guardian, "its guardian")
    cwd = run.run().spec.cwd
    os.rename(run.directory.path, os.path.join(cwd, "removed"))  # at once: its guardian writes into it
    with open(os.path.join(cwd, "go"), "wb"):
        pass
    sandbox.wait_until(lambda: not is_alive(guardian), "its guardian gone")
    other = sandbox.submit(*script("worker.py", 1, 0, 0))
    assert other.wait_for_end().status is Status.COMPLETED
    sandbox.wait_until_nothing_runs()


def test_a_checkpoint_is_recorded_once_although_its_line_is_read_again_after_an_adoption(sandbox: Sandbox) -> None:
    code = (
        "import os, time\n"
        'print(\'{"step": 1, "loss": 1}\', flush=True)\n'
        "open('c.json', 'w').write('{}')\n"
        'print(\'{"event": "checkpoint_saved", "path": "c.json"}\', flush=True)\n'
        "while not os.path.exists('go'): time.sleep(0.01)\n"
        'print(\'{"step": 2, "loss": 1}\', flush=True)\n'
    )
    run = sandbox.submit(*python(code))
    run.wait(lambda: "checkpoint" in run.events(), "its checkpoint")
    guardian = run.wait(run.guardian, "its guardian")
    assert processes.kill(guardian)
    run.wait(lambda: "adopted" in run.events(), "adopted")
    touch(run, "go")
    assert run.wait_for_end().status is Status.COMPLETED
    assert run.events().count("checkpoint") == 1
    assert len(run.run().checkpoints) == 1
    assert [line["step"] for line in run.metrics()] == [1, 2]
