"""What commands do to waiting and running runs."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from backprop_tui.domain.run import SLURM, Dependency
from backprop_tui.domain.status import Status
from backprop_tui.processes.identity import state_of
from tests.support import processes
from tests.support.commands import Commands
from tests.support.front_ends import PROGRAM, FrontEnd, environment
from tests.support.sandbox import Sandbox, Submitted, python, script, shell

FAMILY = """
import os, time
if os.fork() == 0:
    if os.fork() == 0:
        os.setsid()
while True: time.sleep(0.01)
"""


def states(run: Submitted) -> list[bytes | None]:
    """The states of its processes."""
    return [state_of(identity.pid) for identity in processes.with_environment(f"BACKPROP_RUN_ID={run.id}")]


def go(run: Submitted) -> None:
    """Ends a script that waits for this."""
    Path(run.run().spec.cwd, "go").touch()


def waiting(sandbox: Sandbox) -> tuple[Submitted, Submitted]:
    """A run that waits for `go`, and a worker that waits for its end."""
    first = sandbox.submit(*script("waits_for_go.py", 0))
    first.wait_until_it_reports("begin")
    return first, sandbox.submit(*script("worker.py", 1, 0, 0), after=(Dependency(run=first.id),))


def test_a_pause_stops_every_process_and_its_time_does_not_count(sandbox: Sandbox, commands: Commands) -> None:
    run = sandbox.submit(*python(FAMILY), max_run_seconds=2.0)
    run.wait(lambda: run.status() is Status.RUNNING and len(states(run)) == 3, "its three processes")
    assert commands("pause", run.id).code == 0
    assert run.status() is Status.PAUSED
    run.wait(lambda: states(run) == [b"T"] * 3, "all three stopped")
    paused_at = time.monotonic()
    run.wait(lambda: time.monotonic() - paused_at > 2.2, "paused for longer than its timebox")
    assert run.status() is Status.PAUSED
    assert commands("continue", run.id).code == 0
    run.wait(lambda: b"T" not in states(run), "none stopped")
    assert run.end().status is Status.TIMEBOXED
    assert run.run().attempt.paused_seconds >= 2.0


def test_a_paused_run_can_be_stopped_and_gets_its_signal(sandbox: Sandbox, commands: Commands) -> None:
    run = sandbox.submit(*script("exits_on_signal.py"))
    run.wait_until_it_reports("begin")
    assert commands("pause", run.id).code == 0
    assert commands("stop", run.id).code == 0
    assert run.outcome() == (Status.STOPPED, 1, None)
    assert run.reports() == ["begin", "SIGINT"]


def test_a_waiting_run_is_edited_and_a_running_one_too(sandbox: Sandbox, commands: Commands) -> None:
    first, second = waiting(sandbox)
    for run in (first, second):
        assert commands("edit", run.id, "--name", f"new-{run.id}", "--note", "so", "-m", "30").code == 0
        record = run.run()
        assert (record.name, record.note, record.spec.max_run_seconds) == (f"new-{run.id}", "so", 1800.0)
    go(first)
    assert first.outcome() == second.outcome() == (Status.COMPLETED, 0, None)
    record = second.run()
    assert (record.name, record.note, record.spec.max_run_seconds) == (f"new-{second.id}", "so", 1800.0)
    assert "edited" in first.events()
    assert "edited" in second.events()


def test_a_timebox_is_shortened_while_the_run_works(sandbox: Sandbox, commands: Commands) -> None:
    run = sandbox.submit(*script("exits_on_signal.py"))
    run.wait_until_it_reports("begin")
    assert commands("edit", run.id, "-m", "0.01").code == 0
    assert run.outcome() == (Status.TIMEBOXED, 1, None)


def test_a_run_waits_for_another_and_for_its_success_only_if_asked(sandbox: Sandbox) -> None:
    failing = sandbox.submit(*script("waits_for_go.py", 4))
    failing.wait_until_it_reports("begin")
    strict = sandbox.submit(*script("worker.py", 1, 0, 0), after=(Dependency(run=failing.id),))
    lenient = sandbox.submit(*script("worker.py", 1, 0, 0), after=(Dependency(run=failing.id, any_end=True),))
    assert (strict.status(), lenient.status()) == (Status.QUEUED, Status.QUEUED)
    go(failing)
    assert failing.outcome() == (Status.FAILED, 4, None)
    assert lenient.outcome() == (Status.COMPLETED, 0, None)
    end = strict.end()
    assert (end.status, end.reason) == (
        Status.STOPPED,
        f"waited for {failing.run().name} ({failing.id}), which ended failed",
    )
    assert end.cause is not None
    assert end.cause.kind == "dependency"
    assert strict.reports() == []


def test_a_waiting_run_is_stopped_at_once(sandbox: Sandbox, commands: Commands) -> None:
    first, second = waiting(sandbox)
    assert commands("stop", second.id).code == 0
    assert second.run().status is Status.STOPPED
    go(first)
    assert first.outcome() == (Status.COMPLETED, 0, None)
    sandbox.wait_until_all_is_indexed()
    sandbox.wait_until_nothing_runs()
    assert second.reports() == []
    assert sandbox.index()[second.id]["status"] == "stopped"


def test_a_run_that_was_stopped_before_its_start_starts_when_resumed(sandbox: Sandbox, commands: Commands) -> None:
    first, second = waiting(sandbox)
    if sandbox.launcher == SLURM:
        second.wait(lambda: "submitted" in second.events(), "submitted")
    assert commands("stop", second.id).code == 0
    go(first)
    assert first.outcome() == (Status.COMPLETED, 0, None)
    assert commands("resume", "-d", second.id).code == 0
    assert second.outcome() == (Status.COMPLETED, 0, None)
    assert len(second.reports()) > 0


def test_wait_and_logs_follow_a_run_to_its_end(sandbox: Sandbox, commands: Commands) -> None:
    run = sandbox.submit(*shell("echo first; until [ -e go ]; do sleep 0.02; done; printf last"))
    run.wait(lambda: os.path.exists(run.directory.log) and run.log() == b"first\n", "its first line")
    assert commands("wait", run.id, "--timeout", "0.1").code == 124
    following = subprocess.Popen(
        [*PROGRAM, "logs", "-f", run.id], env=environment(sandbox), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    assert following.stdout is not None
    assert following.stdout.readline() == b"first\n"
    go(run)
    assert commands("wait", run.id).code == 0
    assert following.communicate(timeout=20)[0] == b"last"
    assert following.returncode == 0


def test_a_key_submits_once(sandbox: Sandbox) -> None:
    front_ends = [FrontEnd(sandbox, "true", options=("--key", "k", "-d")) for _ in range(2)]
    outputs = {output for code, output, _ in (front_end.end() for front_end in front_ends) if code == 0}
    assert len(outputs) == 1
    assert len(os.listdir(sandbox.home.runs)) == 1
    run = sandbox.submitted(os.listdir(sandbox.home.runs)[0])
    assert run.outcome() == (Status.COMPLETED, 0, None)
    assert len(run.run().attempts) == 1


def test_a_front_end_that_is_interrupted_stops_its_run(sandbox: Sandbox) -> None:
    front_end = FrontEnd(sandbox, *script("exits_on_signal.py"))
    run = front_end.wait_until_queued()
    run.wait_until_it_reports("begin")
    front_end.process.send_signal(signal.SIGINT)
    assert run.outcome() == (Status.STOPPED, 1, None)
    assert front_end.end()[0] == 130
    assert run.reports() == ["begin", "SIGINT"]
