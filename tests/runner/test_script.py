"""The start of a script: at the go-ahead of the supervisor, and on a disk that does not answer."""

from __future__ import annotations

import marshal
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backprop_tui.domain.run import Process
from backprop_tui.runner import script
from backprop_tui.runner.script import CannotStart, ScriptProcess, Started, start_script
from backprop_tui.runner.script_child import Launch, SpareChild
from backprop_tui.store.locks import Lock, try_lock
from tests.support.waiting import wait_until


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changing the directory takes longer than is waited for."""
    chdir = os.chdir

    def slow_chdir(path: str) -> None:
        time.sleep(0.5)
        chdir(path)

    monkeypatch.setattr(os, "chdir", slow_chdir)
    monkeypatch.setattr(script, "START_SECONDS", 0.05)


def launch_of(folder: Path, *arguments: str, cwd: str = "/") -> Launch:
    return Launch(
        attempt=1,
        arguments=arguments,
        environment={"PATH": os.defpath, "A": "1"},
        cwd=cwd,
        log=str(folder / "output.log"),
        process=Process(umask=0o077, nice=0),
    )


def started(folder: Path, cwd: str) -> ScriptProcess:
    lock = try_lock(str(folder / "script.lock"))
    assert lock is not None
    launch = launch_of(folder, "true", cwd=cwd)
    with lock:
        result = start_script(launch, lock.descriptor)
    assert isinstance(result, Started)
    assert result.report is not None
    return ScriptProcess.child(result)


@pytest.mark.usefixtures("slow_disk")
def test_a_slow_start_is_not_waited_for(tmp_path: Path) -> None:
    process = started(tmp_path, "/")
    assert process.is_starting()
    wait_until(lambda: not process.is_starting(), "the exec")
    assert process.start_failure is None
    wait_until(process.collect, "the end")


@pytest.mark.usefixtures("slow_disk")
def test_why_a_slow_start_failed_is_known(tmp_path: Path) -> None:
    process = started(tmp_path, "/no/such/directory")
    wait_until(lambda: not process.is_starting(), "the report")
    assert process.start_failure == CannotStart(
        path="/no/such/directory", problem="No such file or directory", not_found=True
    )
    wait_until(process.collect, "the end")


@pytest.fixture
def child_with_orders(tmp_path: Path) -> Iterator[tuple[SpareChild, socket.socket]]:
    """A child that has its orders, and the socket of the go-ahead."""
    child = SpareChild.fork()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            child.expect(launch_of(tmp_path, "sh", "-c", "echo $A $B"), theirs.fileno())
        yield child, ours
    child.dismiss()


def script_lock(folder: Path) -> Lock:
    lock = try_lock(str(folder / "script.lock"))
    assert lock is not None
    return lock


def test_a_child_that_has_its_orders_holds_nothing_and_waits_for_the_go_ahead(
    tmp_path: Path, child_with_orders: tuple[SpareChild, socket.socket]
) -> None:
    child, go_ahead = child_with_orders
    with script_lock(tmp_path) as lock:
        assert not child.has_died()
        assert not (tmp_path / "output.log").exists()
        socket.send_fds(go_ahead, [marshal.dumps({"B": "2"})], [lock.descriptor])
    wait_until(child.has_died, "the end")
    assert (tmp_path / "output.log").read_text() == "1 2\n"
    assert (tmp_path / "script.lock").read_text().startswith(f"1 {child.identity.pid} ")


@pytest.mark.parametrize("gone", ["supervisor", "guardian"])
def test_without_the_go_ahead_a_child_executes_nothing_and_ends(
    tmp_path: Path, child_with_orders: tuple[SpareChild, socket.socket], gone: str
) -> None:
    child, go_ahead = child_with_orders
    (go_ahead if gone == "supervisor" else child._orders).close()
    wait_until(child.has_died, "the end")
    assert not (tmp_path / "output.log").exists()
    assert not (tmp_path / "script.lock").exists()
