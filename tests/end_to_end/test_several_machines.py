"""Two machines on one store, without Slurm: each sees the other's runs, and commands reach them through the files."""

from __future__ import annotations

import subprocess
import sys

import pytest

from backprop_tui.domain.status import Status
from tests.support.commands import Commands
from tests.support.sandbox import Sandbox, python

WORK = "import time\nprint('step 1 loss 0.5', flush=True)\ntime.sleep(600)"


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    """Commands on a machine of another name than the one whose supervisor runs."""
    monkeypatch.setenv("BACKPROP_HOST", "othermachine")
    return Commands(capsys)


def test_a_run_of_another_machine_is_shown_and_controlled(sandbox: Sandbox, elsewhere: Commands) -> None:
    run = sandbox.submit(*python(WORK))
    run.wait_for(Status.RUNNING)
    run.wait(run.log, "its first output")
    record = elsewhere.json("status", run.id, "--json")
    record = record[0] if isinstance(record, list) else record
    assert (record["host"], record["status"]) == (sandbox.home.host, "running")
    assert f"on {sandbox.home.host}" in elsewhere("list").out
    assert "step 1 loss 0.5" in _logs(run.id)
    assert "being started" not in elsewhere("status").out  # the run is no work for a supervisor of this machine
    assert elsewhere("pause", run.id).code == 0
    assert run.status() is Status.PAUSED
    assert elsewhere("continue", run.id).code == 0
    assert elsewhere("edit", run.id, "--note", "from elsewhere", "-m", "90").code == 0
    assert run.run().note == "from elsewhere"
    assert run.run().spec.max_run_seconds == 90 * 60
    assert elsewhere("stop", run.id).code == 0
    assert run.status() is Status.STOPPED
    assert run.run().host == sandbox.home.host


def _logs(run_id: str) -> str:
    """In a process of its own, since it writes to a descriptor."""
    words = [sys.executable, "-m", "backprop_tui", "logs", run_id]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout
