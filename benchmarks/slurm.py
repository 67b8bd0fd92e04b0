"""Runs on a real Slurm cluster of two nodes on this machine: the time from the command to the first line."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from backprop_tui.domain.run import SLURM
from benchmarks.measurement import Plan, Result, Sample, interleaved, sample_result
from benchmarks.sandbox import COMMAND, SCRIPTS, Sandbox, open_sandbox
from tests.slurm.cluster import SlurmCluster, missing_programs

SCRIPT = (sys.executable, os.path.join(SCRIPTS, "prints_line.py"))
GOAL_RATIO = 1.3
MAX_ROUNDS = 15  # each takes about seven seconds
POLL_SECONDS = 0.005
SCHEDULER_SECONDS = 1.0  # between two looks of the cluster's scheduler at its queue
END_SECONDS = 30.0


def measure(plan: Plan) -> list[Result]:
    """Measures nothing where Slurm is not installed."""
    missing = missing_programs()
    if missing:
        sys.stderr.write(f"Slurm is not installed here: no {', '.join(missing)} (Debian: apt-get install slurm-wlm)\n")
        return []
    rounds = min(plan.rounds, MAX_ROUNDS)
    with _cluster() as cluster, _sandbox(cluster) as warm:
        warm.keep_supervisor()
        measurements = {
            "sbatch": lambda: _seconds_of_sbatch(cluster, warm),
            "warm": lambda: _seconds_of_run(warm),
            "cold": lambda: _seconds_of_first_run(cluster),
        }
        samples = interleaved(
            rounds, {name: _with_mean_wait(cluster, measure) for name, measure in measurements.items()}
        )
    sbatch = samples["sbatch"].median
    return [
        _result("submit to first line, supervisor lives", samples["warm"], sbatch),
        _result("submit to first line, no supervisor", samples["cold"], sbatch),
    ]


def _result(name: str, run: Sample, sbatch: float) -> Result:
    remark = f"{run.median:.2f} s; sbatch {sbatch:.2f} s"
    return sample_result(name, run.scaled(1 / sbatch), "times sbatch", goal=GOAL_RATIO, remark=remark)


def _with_mean_wait(cluster: SlurmCluster, measure: Callable[[], float]) -> Callable[[], float]:
    """The measurement, as if the scheduler had looked at the job after its mean time: that is chance."""

    def measure_and_adjust() -> float:
        return measure() - _scheduler_seconds(cluster) + SCHEDULER_SECONDS / 2

    return measure_and_adjust


def _scheduler_seconds(cluster: SlurmCluster) -> float:
    """How long the newest job that was started was ready before: since it was submitted, or released."""
    lines = (cluster.directory / "slurmctld.log").read_text().splitlines()
    start = max(number for number, line in enumerate(lines) if _STARTED.search(line))
    (job,) = re.findall(r"JobId=\d+ ", lines[start])
    ready = max(number for number, line in enumerate(lines[:start]) if job in f"{line} ")
    return _logged_at(lines[start]) - _logged_at(lines[ready])


_STARTED = re.compile(r"sched: Allocate JobId=|backfill: .*Started JobId=")


def _logged_at(line: str) -> float:
    """The time of `[2026-11-30T17:12:59.717] _job_complete: JobId=51 done`."""
    return datetime.fromisoformat(line[1:].partition("]")[0]).timestamp()


@contextmanager
def _cluster() -> Iterator[SlurmCluster]:
    with tempfile.TemporaryDirectory(prefix="backprop-slurm-") as folder:
        cluster = SlurmCluster(Path(folder))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


@contextmanager
def _sandbox(cluster: SlurmCluster) -> Iterator[Sandbox]:
    """A sandbox whose commands find the cluster, and whose jobs are gone at the end."""
    with open_sandbox() as sandbox:
        sandbox.environment |= cluster.environment
        try:
            yield sandbox
        finally:
            cluster.cancel_all()


def _seconds_of_run(sandbox: Sandbox) -> float:
    """From the command to the first line that it prints; returns when the run has ended."""
    start = time.perf_counter()
    command = (COMMAND, "--no-ui", "run", "--launcher", SLURM, "--", *SCRIPT)
    with subprocess.Popen(
        command, env=sandbox.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        elapsed = time.perf_counter() - start
        if not line or process.wait(END_SECONDS) != 0:
            raise RuntimeError("the run failed, so its time means nothing")
    return elapsed


def _seconds_of_first_run(cluster: SlurmCluster) -> float:
    """The same in a store of its own, in which no supervisor lives: one stays for some seconds after its last run."""
    with _sandbox(cluster) as sandbox:
        return _seconds_of_run(sandbox)


def _seconds_of_sbatch(cluster: SlurmCluster, sandbox: Sandbox) -> float:
    """The same for a job whose output file is watched; returns when the job is over."""
    output = Path(sandbox.work, "bare.log")
    output.unlink(missing_ok=True)
    start = time.perf_counter()
    result = subprocess.run(
        ("sbatch", "--parsable", f"--output={output}"),
        input=f"#!/bin/sh\nexec {shlex.join(SCRIPT)}\n",
        env=sandbox.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    while not output.exists() or not output.stat().st_size:
        if time.perf_counter() - start > END_SECONDS:
            raise TimeoutError("the bare job printed nothing")
        time.sleep(POLL_SECONDS)
    elapsed = time.perf_counter() - start
    cluster.wait_for_state(result.stdout.strip(), "COMPLETED", "")
    return elapsed
