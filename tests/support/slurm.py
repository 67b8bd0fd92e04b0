"""Slurm's commands as scripts that answer what a test wants and note how they were called, and runs with jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backprop_tui.domain.formatting import iso
from backprop_tui.domain.slurm import SlurmJob


class FakeSlurm:
    """A directory of scripts for PATH."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._calls = directory / "calls"
        directory.mkdir()
        for program in ("sbatch", "squeue", "scontrol", "scancel"):
            self.answers(program, "")

    def answers(self, program: str, out: str, *, code: int = 0, err: str = "") -> None:
        """What a command prints from now on."""
        (self.directory / f"{program}.out").write_text(out)
        (self.directory / f"{program}.err").write_text(err)
        self.does(program, f"cat {program}.out\ncat {program}.err >&2\nexit {code}")

    def does(self, program: str, script: str) -> None:
        """What a command does from now on, in its directory."""
        path = self.directory / program
        path.write_text(f'#!/bin/sh\ncd {self.directory}\necho "{program} $*" >> calls\n{script}\n')
        path.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines() if self._calls.exists() else []


def job(number: int = 12, *, attempt: int = 1, host: str = "this-host") -> SlurmJob:
    """A job that was submitted."""
    return SlurmJob(host=host, attempt=attempt, number=attempt, submitted_at=1_800_000_000.0, id=str(number))


def queue_line(id_: int, name: str, state: str = "PENDING", reason: str = "Priority") -> str:
    """A line of squeue; `name` ends with the run and the number of its job, such as a-1."""
    return f"{id_}|{state}|{reason}||N/A|run-{name}\n"


def shown_job(id_: int, name: str, state: str = "COMPLETED") -> str:
    """What scontrol prints about a job."""
    return f"JobId={id_} JobName=run-{name} JobState={state} Reason=None NodeList=n1 ExitCode=0:0\n"


def hold(reason: str = "Resources", words: str = "for free nodes", start: float | None = None) -> dict[str, Any]:
    """Why a job waits, as the supervisor writes it."""
    return {"check": "slurm", "message": f"Slurm: {words}", "figure": reason, "limit": iso(start)}
