"""The same sandbox for every launcher: its runs are started on this machine, or as jobs of a Slurm cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backprop_tui.domain.run import LOCAL, SLURM
from tests.slurm.cluster import SlurmCluster
from tests.support.commands import Commands
from tests.support.ledger import VARIABLE
from tests.support.sandbox import HOST, Sandbox


@pytest.fixture(params=[LOCAL, SLURM])
def launcher(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the launcher; without Slurm its half of the tests is skipped."""
    if request.param == SLURM:
        cluster: SlurmCluster = request.getfixturevalue("cluster")
        cluster.log_in(monkeypatch)
    return str(request.param)


@pytest.fixture
def sandbox(launcher: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A store of the test's own; its processes are killed at the end."""
    monkeypatch.setenv("BACKPROP_HOST", HOST)
    sandbox = Sandbox(str(home), launcher=launcher)
    monkeypatch.setenv(VARIABLE, sandbox.ledger.path)
    yield sandbox
    sandbox.close()


@pytest.fixture
def commands(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> Commands:
    """Runs commands on the sandbox."""
    return Commands(capsys)
