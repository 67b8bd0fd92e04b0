"""A machine that got another name, as a container does at each start: locks and processes show which runs live."""

from __future__ import annotations

import os

import pytest

from backprop_tui.domain.status import Status
from backprop_tui.launchers.supervisor_process import SupervisorProcess
from backprop_tui.store.home import Home
from backprop_tui.store.hosts import belongs_here
from backprop_tui.store.locks import try_lock
from tests.support import processes
from tests.support.commands import Commands
from tests.support.sandbox import Sandbox, Submitted, python

WORK = "import time\nprint('step 1 loss 1', flush=True)\ntime.sleep(600)"


@pytest.fixture
def renamed(sandbox: Sandbox) -> SupervisorProcess:
    """The supervisor under the machine's new name."""
    home = Home(sandbox.home.root, "renamed")
    home.prepare()
    return SupervisorProcess(home=home, config_path=sandbox.config_path)


def running(sandbox: Sandbox) -> Submitted:
    run = sandbox.submit(*python(WORK))
    run.wait_for(Status.RUNNING)
    run.wait(run.log, "its first output")
    return run


def test_what_died_under_the_old_name_is_ended_under_the_new_one(sandbox: Sandbox, renamed: SupervisorProcess) -> None:
    run = running(sandbox)
    sandbox.close()
    assert belongs_here(renamed.home, run.run())
    renamed.call()
    ended = run.wait_for_end()
    assert ended.status in (Status.LOST, Status.FAILED)  # its exit status may still be readable
    assert ended.host == "renamed"
    assert "host_changed" in run.events()
    sandbox.wait_until_all_is_indexed()


def test_a_script_that_lives_is_adopted_and_not_lost(sandbox: Sandbox, renamed: SupervisorProcess) -> None:
    run = running(sandbox)
    script = run.script()
    assert script is not None
    for victim in (sandbox.fork_server(), sandbox.supervisor(), run.guardian()):
        assert victim is not None
        processes.kill(victim)
    run.wait(lambda: sandbox.supervisor() is None and run.guardian() is None, "nobody looks after it")
    renamed.call()
    run.wait(lambda: run.guardian() is not None and run.run().host == "renamed", "the new supervisor looks after it")
    assert run.script() == script
    assert run.status() is Status.RUNNING


def test_under_a_new_name_commands_reach_the_runs_that_are_looked_after(
    sandbox: Sandbox, renamed: SupervisorProcess, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = running(sandbox)
    assert not belongs_here(renamed.home, run.run())
    monkeypatch.setenv("BACKPROP_HOST", "renamed")
    obey = Commands(capsys)
    assert f"on {sandbox.home.host}\n" in obey("list").out
    assert f"{sandbox.home.host} was seen" in obey("remove", "--lost", run.id, "--yes").err
    assert obey("stop", run.id).code == 0
    assert run.status() is Status.STOPPED
    assert run.run().host == sandbox.home.host


def test_a_script_in_another_container_is_left_alone(sandbox: Sandbox, renamed: SupervisorProcess) -> None:
    """Its process is not seen here, and only the lock shows that it lives."""
    run = running(sandbox)
    sandbox.close()
    with open(run.directory.script_lock, "w", encoding="ascii") as file:
        file.write("1 4194305 1")
    lock = try_lock(run.directory.script_lock)
    assert lock is not None
    with lock:
        assert not belongs_here(renamed.home, run.run())
    assert belongs_here(renamed.home, run.run())
    assert os.path.exists(sandbox.home.marker(run.id))
