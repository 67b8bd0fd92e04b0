"""Programs that are started without the module subprocess."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from backprop_tui.processes import spawned
from backprop_tui.processes.identity import Identity, identify, is_alive
from backprop_tui.processes.spawned import Spawned
from tests.support.waiting import wait_until

SECONDS = 20.0
both = pytest.mark.parametrize("bound", [False, True])


@both
def test_input_output_errors_and_code(*, bound: bool) -> None:
    script = 'cat; echo "$WORD" >&2; exit 3'
    finished = Spawned("/bin/sh", ["-c", script], {"WORD": "no"}, b"given\xff", bound=bound).finish(SECONDS)
    assert finished is not None
    assert (finished.code, finished.output, finished.errors) == (3, b"given\xff", b"no\n")


@both
def test_signals_that_python_ignores_are_heeded(*, bound: bool) -> None:
    finished = Spawned("/bin/sh", ["-c", "kill -PIPE $$"], {}, b"", bound=bound).finish(SECONDS)
    assert finished is not None
    assert finished.code == -signal.SIGPIPE


@both
def test_a_program_that_takes_too_long_is_killed(*, bound: bool) -> None:
    start = time.monotonic()
    spawned = Spawned("/bin/sleep", ["60"], {}, b"", bound=bound)
    assert spawned.finish(0.01) is None
    assert time.monotonic() - start < SECONDS
    with pytest.raises(ChildProcessError):
        os.waitpid(spawned.pid, os.WNOHANG)


def test_a_program_that_takes_long_is_reported_once_and_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawned, "LATE_SECONDS", 0.0)
    calls: list[int] = []
    reading, writing = os.pipe()
    program = Spawned("/bin/sh", ["-c", f"read word < /proc/{os.getpid()}/fd/{reading}; echo $word"], {}, b"")

    def late() -> None:
        calls.append(1)
        os.write(writing, b"now\n")

    finished = program.finish(SECONDS, late=late)
    assert finished is not None
    assert (finished.output, calls) == (b"now\n", [1])
    os.close(reading)
    os.close(writing)


def test_what_is_not_there_is_an_error_and_leaves_no_files() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError):
        Spawned("/nowhere/sbatch", [], {}, b"")
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_bound_program_ends_with_the_process_that_started_it() -> None:
    start = """
import os, signal
from backprop_tui.processes.spawned import Spawned
print(Spawned("/bin/sleep", ["60"], {}, b"", bound=True).pid, flush=True)
signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", start], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = identify(int(parent.stdout.readline()))
        parent.kill()
    assert isinstance(child, Identity)
    wait_until(lambda: not is_alive(child), "the program ends", seconds=SECONDS)
