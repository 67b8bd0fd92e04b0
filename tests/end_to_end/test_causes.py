"""The cause of a run's end is in its record: real processes with real failures."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from backprop_tui.domain.requests import StopRequest
from backprop_tui.domain.run import Cause, Ended, Run
from backprop_tui.domain.status import Status
from backprop_tui.store.run_directory import read_lines
from tests.support import processes
from tests.support.sandbox import Sandbox, python, script

LIMIT_BYTES = 48 << 20


def cause_of(run: Run) -> Cause:
    assert isinstance(run.state, Ended)
    assert run.state.cause is not None
    return run.state.cause


@pytest.fixture
def small_group() -> Iterator[str]:
    """A control group of little memory, of either version."""
    for root, limit in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
        folder = f"{root}/backprop-{secrets.token_hex(4)}"
        try:
            os.mkdir(folder)
        except OSError:
            continue
        try:
            Path(folder, limit).write_text(str(LIMIT_BYTES), encoding="ascii")
            yield folder
        except OSError:
            continue
        else:
            return
        finally:
            os.rmdir(folder)
    pytest.skip("no control group with a memory limit can be made here")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[str]:
    """A file system of one megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], check=False)
    if mounted.returncode != 0:
        pytest.skip("mounting is not permitted here")
    yield str(folder)
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_process_killed_by_the_kernels_oom_killer_ran_out_of_memory(sandbox: Sandbox, small_group: str) -> None:
    code = (
        "import os, time\n"
        f"open({small_group!r} + '/cgroup.procs', 'w').write(str(os.getpid()))\n"
        "time.sleep(1.0)\n"
        "hoard = []\n"
        "while True: hoard.append(bytearray(b'x') * (1 << 20))\n"
    )
    run = sandbox.submit(*python(code)).wait_for_end()
    cause = cause_of(run)
    assert isinstance(run.state, Ended)
    assert (run.status, run.state.signal, cause.kind) == (Status.FAILED, "SIGKILL", "host_oom")
    assert cause.evidence is not None
    assert small_group in cause.evidence or "Killed process" in cause.evidence


def test_a_kill_without_a_counter_is_reported_as_a_signal(sandbox: Sandbox) -> None:
    run = sandbox.submit(*script("exits_on_signal.py"))
    run.wait_until_it_reports("begin")
    named = run.script()
    assert named is not None
    assert processes.kill(named)
    cause = cause_of(run.wait_for_end())
    assert (cause.kind, cause.evidence) == ("killed_by_signal", "SIGKILL")


def test_a_full_disk_is_the_cause(sandbox: Sandbox, small_disk: str) -> None:
    code = "with open('out.bin', 'wb', buffering=0) as file:\n    while file.write(b'x' * 65536): pass\n"
    run = sandbox.submit(*python(code), cwd=small_disk).wait_for_end()
    cause = cause_of(run)
    assert cause.kind == "disk_full"
    assert cause.summary == f"disk full: {small_disk}, 0 MB free now"


def test_a_cause_names_the_line_of_an_exception_and_the_signal_of_a_crash(sandbox: Sandbox) -> None:
    raising = sandbox.submit(
        *python("print('epoch 1')\nprint('epoch 2', flush=True)\nraise ValueError('bad \\x1b[1mshape')")
    )
    missing = sandbox.submit(*python("import a_package_that_is_nowhere"))
    crashing = sandbox.submit(*python("import ctypes; ctypes.string_at(0)"))
    shell = sandbox.submit("/bin/sh", "-c", "kill -9 $$; true")
    cause = cause_of(raising.wait_for_end())
    assert (cause.kind, cause.summary) == ("python_error", "ValueError: bad shape")
    # Which line that is depends on the Python: since 3.13 a traceback shows the source of -c.
    assert raising.log().splitlines()[(cause.line or 0) - 1].startswith(b"ValueError: bad ")
    cause = cause_of(missing.wait_for_end())
    assert cause.kind == "import_error"
    assert "pip install a_package_that_is_nowhere" in (cause.advice or "")
    assert cause_of(crashing.wait_for_end()).evidence == "SIGSEGV"
    assert cause_of(shell.wait_for_end()).kind == "killed_by_signal"


def test_stops_by_a_person_and_by_the_guard_have_causes(sandbox: Sandbox) -> None:
    by_person, by_guard = (sandbox.submit(*script("exits_on_signal.py")) for _ in range(2))
    for run in (by_person, by_guard):
        run.wait_until_it_reports("begin")
    by_person.ask(StopRequest(by="person", reason="stopped by you"))
    by_guard.ask(StopRequest(by="heat", reason="GPU 0 at 91 C", cause="overheated"))
    person, guard = cause_of(by_person.wait_for_end()), cause_of(by_guard.wait_for_end())
    assert (person.kind, person.evidence) == ("stopped_by_person", "stopped by you")
    assert (guard.kind, guard.evidence) == ("overheated", "GPU 0 at 91 C")
    assert guard.advice


def test_after_two_quick_failures_there_is_no_third_attempt_and_each_has_its_own_cause(sandbox: Sandbox) -> None:
    code = (
        "import os\nif os.environ['BACKPROP_ATTEMPT'] == '1': raise KeyError('only the first')\nraise SystemExit(3)\n"
    )
    run = sandbox.submit(*python(code), retries=5)
    record = run.wait_for_end()
    assert len(record.attempts) == 2
    run.wait(lambda: run.events().count("ended") == 1, "its end recorded")
    assert run.events().count("not_retried") == 1
    assert isinstance(record.state, Ended)
    assert record.state.reason is not None
    assert record.state.reason.endswith("not retried: it failed within 10s twice")
    # The traceback of the first attempt is in the same log.
    assert cause_of(record).kind == "unknown"
    messages = [line["message"] for line in read_lines(run.directory.file("events.jsonl")) if "ended" in line["event"]]
    assert messages[0] == "KeyError: 'only the first'"


def test_a_failure_that_would_repeat_is_not_retried(sandbox: Sandbox) -> None:
    run = sandbox.submit(*python("import a_package_that_is_nowhere"), retries=3)
    assert len(run.wait_for_end().attempts) == 1
    run.wait(lambda: "not_retried" in run.events(), "told that it is not tried again")


def test_a_missing_interpreter_differs_from_a_missing_script(sandbox: Sandbox, tmp_path: Path) -> None:
    programs = {"run.sh": b"#!/bin/bash\r\nset -e\r\n", "tool": b"#!/opt/gone/bin/python\n", "plain": b"echo hi\n"}
    for name, content in programs.items():
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "locked").write_bytes(b"#!/bin/bash\n")
    runs = {name: sandbox.submit(f"./{name}", cwd=str(tmp_path)) for name in (*programs, "locked", "missing")}
    causes = {name: cause_of(run.wait_for_end()) for name, run in runs.items()}
    assert {name: cause.kind for name, cause in causes.items()} == {
        "run.sh": "bad_interpreter",
        "tool": "bad_interpreter",
        "plain": "bad_interpreter",
        "locked": "not_executable",
        "missing": "file_not_found",
    }
    assert causes["run.sh"].advice == r"sed -i 's/\r$//' ./run.sh"
    assert "/opt/gone/bin/python" in (causes["tool"].summary or "")


def test_what_a_destructor_says_at_the_end_is_not_the_cause(sandbox: Sandbox) -> None:
    code = (
        "import os\nclass Loader:\n    def __del__(self, pid=os.getpid):\n"
        "        assert pid() < 0, 'can only test a child process'\n"
        "loader = Loader()\n{}['dog']\n"
    )
    cause = cause_of(sandbox.submit(*python(code)).wait_for_end())
    assert (cause.kind, cause.summary) == ("python_error", "KeyError: 'dog'")


def test_a_prompt_and_a_taken_port_are_the_cause(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    bind = (
        "import socket, time\n"
        f"try: server = socket.create_server(('127.0.0.1', {port}))\n"
        f"except OSError as error: raise RuntimeError(f'port: {port}, {{error}}') from None\n"
        "print('begin', flush=True)\ntime.sleep(60)\n"
    )
    holder = sandbox.submit(*python(bind))
    log = Path(holder.directory.log)
    holder.wait(lambda: log.exists() and b"begin" in log.read_bytes(), "the port taken")
    asking, taken = sandbox.submit(*python("input('key: ')")), sandbox.submit(*python(bind))
    assert cause_of(asking.wait_for_end()).kind == "input_required"
    cause = cause_of(taken.wait_for_end())
    assert (cause.kind, cause.retryable) == ("port_in_use", True)
    assert cause.summary == f"port {port} is taken by run {holder.directory.read().name}"
    holder.ask(StopRequest(by="person", reason="stopped by you"))
    holder.wait_for_end()
