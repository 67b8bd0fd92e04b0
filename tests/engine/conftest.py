"""A host with two GPUs and room for ten runs, and a login node of a Slurm cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprop_tui.engine import slurm_queue
from backprop_tui.launchers.supervisor_process import SupervisorProcess
from tests.engine.logins import Clock, Login
from tests.engine.machines import Host, gpu


@pytest.fixture
def host(home: Path) -> Host:
    """Starts are not limited."""
    return Host(str(home), gpu(0), gpu(1), config="max_parallel = 10\n[governor]\nstarts_per_minute = 0")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(slurm_queue, "time", clock)
    return clock


@pytest.fixture
def login(home: Path, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Login:
    """Commands start no supervisor: the test is one."""
    for name in ("call", "ensure"):
        monkeypatch.setattr(SupervisorProcess, name, lambda _self: None)
    return Login(f"{home}/backprop", tmp_path / "slurm", clock)
