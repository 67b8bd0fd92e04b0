"""The start of a script whose disk does not answer."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from backprop_tui.domain.run import Process
from backprop_tui.runner import script
from backprop_tui.runner.script import CannotStart, ScriptProcess, Started, start_script
from backprop_tui.runner.script_child import Launch
from backprop_tui.store.locks import try_lock
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


def started(folder: Path, cwd: str) -> ScriptProcess:
    lock = try_lock(str(folder / "script.lock"))
    assert lock is not None
    launch = Launch(
        attempt=1,
        arguments=["true"],
        environment={"PATH": os.defpath},
        cwd=cwd,
        process=Process(umask=0o077, nice=0),
    )
    with lock:
        result = start_script(launch, str(folder / "output.log"), lock.descriptor)
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
