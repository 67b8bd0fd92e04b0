"""When a slot is free: nothing of the run is left but its guardian, which writes how it ended."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backprop_tui.domain.run import Dependency
from backprop_tui.engine import finishing_runs
from backprop_tui.engine.finishing_runs import FinishingRuns
from backprop_tui.launchers.launcher import Announcement, announce, receive_announcement
from tests.engine.machines import Host

# Starts a script that leaves a process running, announces it, and ends at the end of its input.
GUARDIAN = """
import os, socket, subprocess, sys
from backprop_tui.launchers.launcher import announce
from backprop_tui.processes.linux import become_subreaper
become_subreaper()
script = subprocess.Popen(["sh", "-c", sys.argv[2]], stdin=subprocess.DEVNULL)
announce(socket.socket(fileno=int(sys.argv[1])), "a", os.pidfd_open(script.pid))
sys.stdin.read()
"""


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Where the supervisor receives, and where guardians announce."""
    receiving, announcing = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with receiving, announcing:
        yield receiving, announcing


def guardian(announcing: socket.socket, script: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", GUARDIAN, str(announcing.fileno()), script]
    return subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[announcing.fileno()])


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.005)


def test_a_slot_is_free_when_all_processes_have_ended_until_the_guardian_has(
    sockets: tuple[socket.socket, socket.socket],
) -> None:
    async def scenario() -> None:
        changed = asyncio.Event()
        finishing = FinishingRuns(sockets[0], changed.set)
        finishing.start()
        with guardian(sockets[1], "true") as process:
            await changed.wait()
            assert finishing.run_ids() == {"a"}
            assert process.stdin is not None
            process.stdin.close()
            await until(lambda: not finishing.run_ids())
        finishing.stop()

    asyncio.run(scenario())


def test_what_a_script_leaves_running_keeps_its_slot(
    sockets: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    looks: list[bool] = []
    look = finishing_runs._has_living_child

    def noted(announcement: Announcement) -> bool:
        looks.append(look(announcement))
        return looks[-1]

    monkeypatch.setattr(finishing_runs, "_has_living_child", noted)

    async def scenario() -> None:
        finishing = FinishingRuns(sockets[0], lambda: None)
        finishing.start()
        with guardian(sockets[1], f"setsid sleep 1000 & echo $! > {tmp_path}/pid") as process:
            await until(lambda: looks)
            assert looks == [True] * len(looks)
            assert not finishing.run_ids()
            os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
            await until(lambda: finishing.run_ids() == {"a"})
            process.kill()
        await until(lambda: not finishing.run_ids())
        finishing.stop()

    asyncio.run(scenario())


def test_a_guardian_that_has_died_says_nothing_about_its_script(
    sockets: tuple[socket.socket, socket.socket],
) -> None:
    async def scenario() -> None:
        finishing = FinishingRuns(sockets[0], lambda: None)
        with guardian(sockets[1], "exec true") as process:
            await asyncio.sleep(0)
            process.kill()
        finishing.start()
        await asyncio.sleep(0.05)
        assert not finishing.run_ids()
        finishing.stop()

    asyncio.run(scenario())


def test_an_announcement_never_waits_nor_fails(sockets: tuple[socket.socket, socket.socket]) -> None:
    receiving, announcing = sockets
    pidfd = os.pidfd_open(os.getpid())
    for _ in range(2000):  # more than fit
        announce(announcing, "a", pidfd)
    announcement = receive_announcement(receiving)
    assert announcement is not None
    assert (announcement.run_id, announcement.guardian_pid) == ("a", os.getpid())
    os.close(announcement.guardian_pidfd)
    os.close(announcement.script_pidfd)
    receiving.close()
    announce(announcing, "a", pidfd)
    os.close(pidfd)


def started(host: Host, *run_ids: str, **spec: Any) -> None:
    for run_id in run_ids:
        host.runs.queued(run_id, spec=spec)
    assert set(host.passes().guardians) == set(run_ids)


def starts(host: Host, *, finishing: str) -> list[str]:
    watched = tuple(host.launches.adopting)
    return list(host.scheduler.run_pass(watched, finishing, explain=True).guardians)


@pytest.fixture
def single(tmp_path: Path) -> Host:
    """A machine with one slot."""
    return Host(str(tmp_path), config="max_parallel = 1")


def test_a_finishing_run_has_no_slot(single: Host) -> None:
    started(single, "a")
    single.runs.queued("b")
    assert starts(single, finishing="") == []
    assert starts(single, finishing="a") == ["b"]


@pytest.mark.parametrize("spec", [{"retries": 1}, {"total_seconds": 3600.0, "max_run_seconds": 60.0}])
def test_a_finishing_run_that_may_be_queued_again_keeps_its_slot(single: Host, spec: dict[str, Any]) -> None:
    started(single, "a", **spec)
    single.runs.queued("b")
    assert starts(single, finishing="a") == []


def test_a_finishing_run_keeps_its_slot_for_a_run_that_waits_for_it(single: Host) -> None:
    started(single, "a")
    single.runs.queued("next", spec={"after": (Dependency(run="a"),)})
    single.runs.queued("other")
    assert starts(single, finishing="a") == []
