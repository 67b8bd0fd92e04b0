"""Front ends may freeze, be killed or lose their terminal: the runs continue."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import termios

from backprop_tui.domain.run import Ended
from backprop_tui.domain.status import Status
from backprop_tui.processes.identity import state_of
from tests.support import processes
from tests.support.front_ends import PROGRAM, FrontEnd, environment
from tests.support.sandbox import Sandbox, Submitted, python, script

# Makes its stdin the controlling terminal of a new session, then becomes the command.
IN_TERMINAL = (
    "import fcntl, os, sys, termios\n"
    "os.setsid()\n"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "os.execvp(sys.argv[1], sys.argv[1:])\n"
)


class Terminal:
    """A real pseudo-terminal with a front end in it."""

    def __init__(self, sandbox: Sandbox, *command: str) -> None:
        self.run = sandbox.submitted(sandbox.new_id())
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, b"\x18\0\x50\0\0\0\0\0")
        arguments = (*PROGRAM, "--no-ui", "run", "--run-id", self.run.id, "--", *command)
        self.process = subprocess.Popen(
            (sys.executable, "-S", "-c", IN_TERMINAL, *arguments),
            cwd=sandbox.folder,
            env=environment(sandbox),
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)

    def close(self) -> None:
        """Closes the terminal, like a closed window or a broken connection."""
        os.close(self.master)

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)


def ended(run: Submitted) -> tuple[Status, int | None, str | None]:
    state = run.wait_for_end().state
    assert isinstance(state, Ended)
    return state.status, state.exit_code, state.signal


def test_the_scripts_output_and_exit_code_are_passed_on_unchanged(sandbox: Sandbox) -> None:
    code = "import os\nos.write(1, bytes(range(256)) * 1000)\nos.write(2, b'no line end')\nraise SystemExit(9)"
    front_end = FrontEnd(sandbox, *python(code))
    exit_code, output, errors = front_end.end()
    assert exit_code == 9
    assert output == bytes(range(256)) * 1000 + b"no line end"
    assert b"no line end" not in errors


def test_a_foreign_signal_gives_the_exit_code_that_a_shell_would_give(sandbox: Sandbox) -> None:
    front_end = FrontEnd(sandbox, *script("exits_on_signal.py"))
    run = front_end.wait_until_queued()
    run.wait_until_it_reports("begin")
    named = run.script()
    assert named is not None
    assert processes.kill(named)
    assert front_end.end()[0] == 128 + signal.SIGKILL


def test_runs_and_queue_continue_when_the_terminal_is_closed(sandbox: Sandbox) -> None:
    sandbox.allow(1)
    first = Terminal(sandbox, *script("worker.py", 20, 0.05, 3))
    first.run.wait(lambda: os.path.exists(first.run.directory.path), "queued")
    second = Terminal(sandbox, *script("worker.py", 2, 0.05, 0))
    second.run.wait(lambda: os.path.exists(second.run.directory.path), "queued")
    first.run.wait_until_it_reports("begin")
    for terminal in (first, second):
        terminal.close()
        assert terminal.process.wait(timeout=10) == -signal.SIGHUP
    assert ended(first.run) == (Status.FAILED, 3, None)
    assert ended(second.run) == (Status.COMPLETED, 0, None)
    assert first.run.reports() == ["begin", "end 3"]
    sandbox.wait_until_all_is_indexed()
    sandbox.wait_until_nothing_runs()


def test_a_frozen_front_end_does_not_stop_the_queue(sandbox: Sandbox) -> None:
    sandbox.allow(1)
    front_end = FrontEnd(sandbox, *script("worker.py", 4, 0.05, 0))
    run = front_end.wait_until_queued()
    run.wait_until_it_reports("begin")
    front_end.process.send_signal(signal.SIGSTOP)
    sandbox.wait_until(lambda: state_of(front_end.process.pid) == b"T", "frozen")
    second = sandbox.submit(*script("worker.py", 1, 0, 0))
    assert ended(second) == (Status.COMPLETED, 0, None)
    front_end.process.send_signal(signal.SIGCONT)
    assert front_end.end()[0] == 0


def test_ctrl_c_reaches_only_the_front_end_and_stops_the_run_once(sandbox: Sandbox) -> None:
    terminal = Terminal(sandbox, *script("exits_on_signal.py", 0.2))
    terminal.run.wait_until_it_reports("begin")
    terminal.type(b"\x03")
    assert ended(terminal.run) == (Status.STOPPED, 1, None)
    assert terminal.process.wait(timeout=10) == 130
    assert terminal.run.reports() == ["begin", "SIGINT"]
    terminal.close()


def test_the_run_continues_when_the_reader_of_its_output_goes_away(sandbox: Sandbox) -> None:
    front_end = FrontEnd(sandbox, *script("worker.py", 20, 0.03, 4))
    run = front_end.wait_until_queued()
    run.wait_until_it_reports("begin")
    assert front_end.process.stdout is not None
    front_end.process.stdout.close()
    assert ended(run) == (Status.FAILED, 4, None)
    assert front_end.end()[0] != 0


def test_a_run_queued_from_within_a_run_outlives_it(sandbox: Sandbox) -> None:
    inner = sandbox.new_id()
    command = [*PROGRAM, "--no-ui", "run", "-d", "--run-id", inner, "--", *script("worker.py", 10, 0.05, 0)]
    outer = sandbox.submit(
        *python(f"import subprocess, sys\nsys.exit(subprocess.call({json.dumps(command)}))"),
        environment=environment(sandbox),
    )
    assert ended(outer) == (Status.COMPLETED, 0, None)
    run = sandbox.submitted(inner)
    assert run.status() in (Status.QUEUED, Status.STARTING, Status.RUNNING)
    assert ended(run) == (Status.COMPLETED, 0, None)


def test_a_guardian_starts_the_supervisor_that_a_command_within_the_run_needs(sandbox: Sandbox) -> None:
    inner = sandbox.new_id()
    command = [*PROGRAM, "--no-ui", "run", "-d", "--run-id", inner, "--", *script("worker.py", 10, 0.05, 0)]
    code = (
        "import os, subprocess, sys, time\n"
        "while not os.path.exists('go'): time.sleep(0.01)\n"
        f"sys.exit(subprocess.call({json.dumps(command)}))"
    )
    outer = sandbox.submit(*python(code), environment=environment(sandbox))
    outer.wait_for(Status.RUNNING)
    for victim in (sandbox.fork_server, sandbox.supervisor):
        assert processes.kill(sandbox.wait_until(victim, "a process to kill"))
    with open(os.path.join(outer.run().spec.cwd, "go"), "wb"):
        pass
    assert ended(outer) == (Status.COMPLETED, 0, None)
    assert ended(sandbox.submitted(inner)) == (Status.COMPLETED, 0, None)
    assert sandbox.ledger.reports(inner) == ["begin", "end 0"]
