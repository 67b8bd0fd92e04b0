"""What continues after the machine went down, or a session ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backprop_tui.domain.goals import parse_goal
from backprop_tui.domain.run import Ended
from backprop_tui.domain.status import Status
from backprop_tui.processes.identity import DEAD_STATES, Identity, is_alive, state_of
from tests.support import processes
from tests.support.sandbox import Sandbox, Submitted, script
from tests.support.waiting import wait_until

ROOT = str(Path(__file__).parents[2])


def begun(sandbox: Sandbox, *command: str, **spec: Any) -> Submitted:
    run = sandbox.submit(*command, **spec)
    run.wait(lambda: any(line.startswith("begin") for line in run.reports()), "its beginning")
    run.wait_for(Status.RUNNING)
    return run


def goes_down(sandbox: Sandbox, *runs: Submitted) -> None:
    """Kills every process, and gives what they left in the store the id of an earlier boot."""
    dying: list[Identity | None] = [sandbox.fork_server(), sandbox.supervisor()]
    for run in runs:
        dying += [run.guardian(), run.script()]
    for process in dying:
        assert process is not None
        assert processes.kill(process)
    for run in runs:
        record = run.run()
        run.directory.write(record.with_attempt(replace(record.attempt, boot_id="another")), durable=False)
        live = run.live()
        assert live is not None
        run.directory.write_live(replace(live, clock=replace(live.clock, boot_id="another")))
    with open(sandbox.home.supervisor_lock, "r+", encoding="ascii") as file:
        file.write("1 another".ljust(63) + "\n")


def start_at_boot(sandbox: Sandbox) -> None:
    """Executes what the systemd unit does."""
    environment = {"BACKPROP_HOME": sandbox.home.root, "BACKPROP_HOST": sandbox.home.host, "PYTHONPATH": ROOT}
    command = [sys.executable, "-m", "backprop_tui", "--config", sandbox.config_path, "service", "start"]
    started = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (started.returncode, started.stderr) == (0, "")


def test_after_a_reboot_the_queue_continues(sandbox: Sandbox) -> None:
    plain = begun(sandbox, *script("exits_on_signal.py"))
    patient = begun(sandbox, *script("exits_on_signal.py"), retries=1)
    sliced = begun(sandbox, *script("saves.py", 100000, 0.02, 5), until=(parse_goal("step=1000000"),))
    sliced.wait(lambda: (live := sliced.live()) is not None and bool(live.checkpoints), "a checkpoint")
    waiting = sandbox.queue(*script("waits_for_go.py", 0))
    goes_down(sandbox, plain, patient, sliced)
    start_at_boot(sandbox)
    end = plain.wait_for_end().state
    assert isinstance(end, Ended)
    assert (end.status, end.reason) == (Status.LOST, "the machine went down while it ran")
    patient.wait(lambda: len(patient.run().attempts) == 2, "its retry")
    waiting.wait_until_it_reports("begin")
    sliced.wait(lambda: sum(line.startswith("begin") for line in sliced.reports()) == 2, "its second attempt")
    first, second = sliced.run().attempts
    assert first.status is Status.LOST
    assert second.resumed_from is not None
    assert sandbox.ledger.beginnings(plain.id) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_the_end_of_a_session_is_retried_and_a_stop_by_a_person_is_not(sandbox: Sandbox, number: int) -> None:
    """A person's stop comes as a signal when the disk is too full to write it down."""
    run = begun(sandbox, *script("exits_on_signal.py"), retries=1)
    guardian = run.guardian()
    assert guardian is not None
    assert processes.kill(guardian, signal.Signals(number))
    run.wait(lambda: "attempt_ended" in run.events() or "ended" in run.events(), "the end of the attempt")
    record = run.run()
    assert record.attempts[0].status is Status.STOPPED
    assert record.status is (Status.QUEUED if number == signal.SIGTERM else Status.STOPPED)


def test_a_script_that_dies_of_the_sessions_signal_counts_as_stopped(sandbox: Sandbox) -> None:
    run = begun(sandbox, *script("saves.py", 1000, 0.02, 5))
    guardian, named = run.guardian(), run.script()
    assert guardian is not None
    assert named is not None
    for process in (sandbox.fork_server(), sandbox.supervisor()):
        assert process is not None
        assert processes.kill(process)
    os.kill(guardian.pid, signal.SIGSTOP)  # so that it finds the script dead when it looks at its own signal
    os.kill(named.pid, signal.SIGTERM)
    wait_until(lambda: state_of(named.pid) in DEAD_STATES, "the end of the script")
    os.kill(guardian.pid, signal.SIGTERM)
    os.kill(guardian.pid, signal.SIGCONT)
    wait_until(lambda: not is_alive(guardian), "the end of the guardian")
    assert sandbox.supervisor() is None, "it would start the next run only to have it killed"
    end = run.wait_for_end().state
    assert isinstance(end, Ended)
    assert end.status is Status.STOPPED
    assert end.cause is not None
    assert end.cause.kind == "session_ended"
