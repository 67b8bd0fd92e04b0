"""The sandbox of tests whose runs are jobs of the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backprop_tui.domain.run import SLURM
from tests.slurm.cluster import SlurmCluster
from tests.support.commands import Commands
from tests.support.ledger import VARIABLE
from tests.support.sandbox import HOST, Sandbox


@pytest.fixture
def sandbox(cluster: SlurmCluster, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A store of the test's own on a login node of the cluster; its processes are killed at the end."""
    monkeypatch.setenv("BACKPROP_HOST", HOST)
    cluster.log_in(monkeypatch)
    sandbox = Sandbox(str(home), launcher=SLURM)
    monkeypatch.setenv(VARIABLE, sandbox.ledger.path)
    yield sandbox
    sandbox.close()


@pytest.fixture
def commands(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> Commands:
    """Runs commands on the sandbox."""
    return Commands(capsys)
