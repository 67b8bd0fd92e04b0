"""Every command of the page on Slurm is run on a real cluster."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.docs import pages, shell
from tests.slurm.cluster import SlurmCluster

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_the_commands_of_the_page_work(cluster: SlurmCluster, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = shell.prepare(home) | cluster.environment
    command = f'exec {sys.executable} -m tests.support.cluster_command "$@"'
    (home / "programs" / shell.PROGRAM).write_text(f"#!/bin/sh\n{command}\n")
    monkeypatch.chdir(home / "project")
    steps = list(pages.steps_of((shell.ROOT / shell.SLURM_PAGE).read_text(encoding="utf-8")))
    assert all(step.runs for step in steps)
    shell.run(shell.SLURM_PAGE, steps, home, environment)
