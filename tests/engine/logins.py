"""A login node with doubles of Slurm's commands and of the clock."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from backprop_tui.domain.run import SLURM
from backprop_tui.engine.slurm_queue import SlurmQueue
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory
from tests.support.runs import Guardian, Runs
from tests.support.slurm import FakeSlurm, job

POLL = 5.0


class Clock:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.wall = 1_800_000_100.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.wall

    def passes(self, seconds: float) -> None:
        self.now += seconds
        self.wall += seconds


class Login:
    """A login node with its supervisor's queue, and a cluster that answers what a test wants."""

    def __init__(self, root: str, folder: Path, clock: Clock, host: str = "login1") -> None:
        self.home = Home(root, host)
        self.home.prepare()
        self.slurm = FakeSlurm(folder)
        self.clock = clock
        self.runs = Runs(self.home)
        self.queue = SlurmQueue(home=self.home, config_path="")
        self.answers(sbatch="21\n")

    def answers(self, **outputs: str | None) -> None:
        """What the commands print from now on; None: they fail."""
        for program, out in outputs.items():
            self.slurm.answers(
                program, out or "", code=0 if out is not None else 1, err="" if out else "Invalid job id\n"
            )

    def waiting(self, run_id: str = "a", **fields: Any) -> RunDirectory:
        """A run that waits and was not submitted."""
        spec = {"launcher": SLURM} | fields.pop("spec", {})
        return self.knows_the_way(self.runs.queued(run_id, spec=spec, **fields))

    def running(self, run_id: str = "a", **spec: Any) -> Guardian:
        """A run whose guardian, this test, is on a node."""
        job_, spec = job(host=self.home.host), {"launcher": SLURM} | spec
        guardian = self.runs.guarded(run_id, spec=spec, job=job_, created_at=0.0)
        guardian.edits(replace(guardian.run, host="n1"))
        self.knows_the_way(guardian.directory)
        return guardian

    def knows_the_way(self, directory: RunDirectory, **variables: str) -> RunDirectory:
        directory.write_environment({"PATH": f"{self.slurm.directory}:{os.defpath}", **variables})
        return directory

    def looks(self, *, after: float = POLL) -> None:
        """One pass, some seconds after the one before."""
        self.clock.passes(after)
        self.queue.run_pass()

    def calls(self, program: str) -> list[str]:
        return [line for line in self.slurm.calls if line.startswith(program)]

    def reason(self, run_id: str = "a") -> str:
        return self.queue.holds[run_id][0].message
