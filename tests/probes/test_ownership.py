"""Owners and runs of a GPU's processes."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import time
from threading import Event

from backprop_tui.domain.telemetry import GpuProcess, GpuReading
from backprop_tui.probes.ownership import Ownership, ProcessOwners, find_owner
from tests.support.waiting import wait_until

ME = pwd.getpwuid(os.getuid()).pw_name

# Starts a grandchild in a session of its own with the run's name wiped from its environment, and prints its pid.
HIDING = """
import os, subprocess, sys
environment = {name: value for name, value in os.environ.items() if name != "BACKPROP_RUN_ID"}
child = subprocess.Popen(["sleep", "60"], env=environment, start_new_session=True, stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
try:
    sys.stdin.read()
finally:
    child.kill()
    child.wait()
"""


def with_process(pid: int) -> tuple[GpuReading, ...]:
    return (GpuReading(index=0, uuid="GPU-a", name="Test", processes=(GpuProcess(pid=pid, memory_bytes=1),)),)


def test_a_process_that_cleared_its_environment_belongs_to_the_run_of_its_parents() -> None:
    command = [sys.executable, "-c", HIDING]
    environment = {**os.environ, "BACKPROP_RUN_ID": "run-1"}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        (gpu,) = ProcessOwners().name(with_process(pid))
        parent.communicate("")
    assert gpu.processes == (GpuProcess(pid=pid, memory_bytes=1, owner=ME, run="run-1"),)


def test_a_process_outside_runs_has_only_an_owner() -> None:
    assert find_owner(os.getpid()) == Ownership(owner=ME, run=None)


def test_a_process_that_has_ended_has_no_owner() -> None:
    with subprocess.Popen(["true"]) as process:
        pass
    (gpu,) = ProcessOwners().name(with_process(process.pid))
    assert gpu.processes[0].owner is None


def test_each_process_is_looked_up_once() -> None:
    asked: list[int] = []

    def look(pid: int) -> Ownership:
        asked.append(pid)
        return Ownership(owner="somebody")

    owners = ProcessOwners(look)
    for _ in range(3):
        (gpu,) = owners.name(with_process(os.getpid()))
    assert gpu.processes[0].owner == "somebody"
    assert asked == [os.getpid()]


def test_a_process_has_no_owner_while_its_look_up_hangs() -> None:
    gate = Event()

    def hang(_pid: int) -> Ownership:
        gate.wait(10)
        return Ownership(owner="late")

    owners = ProcessOwners(hang)
    before = time.monotonic()
    assert owners.name(with_process(os.getpid()))[0].processes[0].owner is None
    assert time.monotonic() - before < 1
    gate.set()
    wait_until(lambda: owners.name(with_process(os.getpid()))[0].processes[0].owner == "late", "the answer")
