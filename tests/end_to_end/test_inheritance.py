"""A script inherits from the shell that queued it, not from the supervisor."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys

import pytest

from backprop_tui.domain.run import Ended, Process
from backprop_tui.domain.status import Status
from tests.support.front_ends import PROGRAM, environment
from tests.support.sandbox import Sandbox, python, script

REPORT = """
import json, os, resource, signal, sys
json.dump({
    "cwd": os.getcwd(),
    "umask": os.umask(0),
    "nice": os.nice(0),
    "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    "session": os.getsid(0) == os.getpid(),
    "int": signal.getsignal(signal.SIGINT) == signal.default_int_handler,
    "default": [int(n) for n in signal.valid_signals() if n not in (2, 9, 13, 19, 25)
                and signal.getsignal(n) not in (signal.SIG_DFL, None)],
    "blocked": len(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "odd": os.environb.get(b"ODD", b"").hex(),
    "mine": os.environ.get("MINE"),
    "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd")),
}, open("report.json", "w"))
"""


def report(cwd: str) -> dict[str, object]:
    with open(os.path.join(cwd, "report.json"), encoding="ascii") as file:
        content = json.load(file)
    assert isinstance(content, dict)
    return content


def test_no_process_inherits_the_front_ends_open_files(sandbox: Sandbox) -> None:
    """A lock that a shell script holds on descriptor 9, and a pipe with a waiting reader."""
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    sandbox.submit(*script("worker.py", 10, 0.05, 0)).wait_until_it_reports("begin")
    os.close(writing)
    ready = select.poll()
    ready.register(reading, select.POLLIN)
    assert ready.poll(0), "a process still has the other end"
    assert os.read(reading, 1) == b""
    os.close(reading)


def test_environment_directory_umask_niceness_and_limits_are_those_of_the_shell_that_queued_the_run(
    sandbox: Sandbox,
) -> None:
    # The supervisor is started by another run first, with another environment.
    sandbox.submit("/bin/true").wait_for_end()
    variables = dict(os.environ) | {"ODD": os.fsdecode(b"\xff\xfe=\xc3"), "MINE": "yes"}
    process = Process(umask=0o027, nice=5, rlimits=(("RLIMIT_NOFILE", 123, 456), ("RLIMIT_UNKNOWN", 1, 1)))
    run = sandbox.submit(*python(REPORT), environment=variables, process=process)
    assert run.wait_for_end().status is Status.COMPLETED, run.log()
    values = report(run.run().spec.cwd)
    assert values["cwd"] == os.path.realpath(run.run().spec.cwd)
    assert (values["umask"], values["nice"], values["files"]) == (0o027, 5, 123)
    assert (values["odd"], values["mine"]) == (b"\xff\xfe=\xc3".hex(), "yes")
    assert values["session"] is True
    assert (values["int"], values["default"], values["blocked"]) == (True, [], 0)
    # 0 to 2, and the directory that lists them.
    assert len(values["descriptors"]) == 4  # type: ignore[arg-type]


def test_a_run_queued_in_the_background_of_a_shell_receives_sigint(sandbox: Sandbox) -> None:
    """Shells without job control start background commands with SIGINT ignored, which survives every exec."""
    run_id = sandbox.new_id()
    words = [*PROGRAM, "--no-ui", "run", "-d", "-m", "0.008", "--run-id", run_id, "--", "/bin/sleep", "60"]
    ignoring = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "signal.signal(signal.SIGPIPE, signal.SIG_IGN)\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})\n"
        "os.umask(0o077)\n"
        "os.execv(sys.argv[1], sys.argv[1:])\n"
    )
    command = [sys.executable, "-S", "-c", ignoring, *words]
    queued = subprocess.run(command, env=environment(sandbox), cwd=sandbox.folder, check=True, capture_output=True)
    assert queued.stdout.decode().strip() == run_id
    run = sandbox.submitted(run_id)
    end = run.wait_for_end().state
    assert isinstance(end, Ended)
    assert (end.status, end.signal) == (Status.TIMEBOXED, "SIGINT")
    assert run.run().spec.process.umask == 0o077


@pytest.mark.parametrize("name", ["run.json", "live.json", "output.log", "events.jsonl", "script.lock", "lock"])
def test_files_are_readable_only_by_their_owner(sandbox: Sandbox, name: str) -> None:
    os.umask(0o022)
    run = sandbox.submit(*script("worker.py", 2, 0, 0))
    run.wait_for_end()
    assert os.stat(run.directory.file(name)).st_mode & 0o777 == 0o600
    assert os.stat(run.directory.path).st_mode & 0o777 == 0o700


def test_signals_that_the_supervisor_ignores_are_not_ignored_by_scripts(sandbox: Sandbox) -> None:
    code = (
        "import os\n"
        "status = open('/proc/self/status').read().split('SigIgn:')[1].split()[0]\n"
        "raise SystemExit(0 if int(status, 16) & 0x3 == 0 else 1)\n"
    )
    run = sandbox.submit("/bin/sh", "-c", "exec " + " ".join(f"'{word}'" for word in python(code.replace("'", '"'))))
    assert run.wait_for_end().status is Status.COMPLETED, run.log()
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN


def test_every_attempt_gets_the_secrets_of_its_command(sandbox: Sandbox) -> None:
    code = "import sys; open('given', 'a').write(sys.argv[2] + ' '); sys.exit(1)"
    run = sandbox.submit(*python(code), "--password", "sekrit", retries=1)
    run.wait_for_end()
    with open(os.path.join(run.run().spec.cwd, "given"), encoding="ascii") as file:
        assert file.read() == "sekrit sekrit "
    assert run.run().spec.command[-1] == "***"
    assert run.directory.hidden_words() == {"--password": ["sekrit"]}
