"""Runs on a real Slurm cluster of two nodes on this machine: the time from the command to the first line."""

from __future__ import annotations

import os
import random
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from backprop_tui.domain.run import SLURM
from benchmarks.measurement import Plan, Result, Sample, interleaved, sample_result
from benchmarks.sandbox import COMMAND, SCRIPTS, Sandbox, open_sandbox
from tests.slurm.cluster import SlurmCluster, missing_programs

SCRIPT = (sys.executable, os.path.join(SCRIPTS, "prints_line.py"))
GOAL_RATIO = 1.3
MAX_ROUNDS = 15  # each takes about ten seconds: a supervisor stays for some seconds
POLL_SECONDS = 0.005
SCHEDULER_SECONDS = 1.0  # sched_interval of the cluster
END_SECONDS = 30.0


def measure(plan: Plan) -> list[Result]:
    """Measures nothing where Slurm is not installed.

    Slurm starts jobs once a second: each round begins at a random moment of it, the same one for all that it compares.
    """
    missing = missing_programs()
    if missing:
        sys.stderr.write(f"Slurm is not installed here: no {', '.join(missing)} (Debian: apt-get install slurm-wlm)\n")
        return []
    with _cluster() as cluster, _sandbox(cluster) as warm, _sandbox(cluster) as cold:
        warm.keep_supervisor()
        cycle = _SchedulerCycle()
        samples = interleaved(
            min(plan.rounds, MAX_ROUNDS),
            {
                "sbatch": cycle.begins(lambda: _seconds_of_sbatch(cluster, warm), is_first=True),
                "warm": cycle.begins(lambda: _seconds_of_run(warm)),
                "cold": cycle.begins(lambda: _seconds_of_run(cold), before=cold.wait_until_idle),
            },
        )
    sbatch = samples["sbatch"].median
    return [
        _result("submit to first line, supervisor lives", samples["warm"], sbatch),
        _result("submit to first line, no supervisor", samples["cold"], sbatch),
    ]


def _result(name: str, run: Sample, sbatch: float) -> Result:
    remark = f"{run.median:.2f} s; sbatch {sbatch:.2f} s"
    return sample_result(name, run.scaled(1 / sbatch), "times sbatch", goal=GOAL_RATIO, remark=remark)


class _SchedulerCycle:
    """Moments of the second in which Slurm starts jobs once."""

    def __init__(self) -> None:
        self._moment = 0.0

    def begins(
        self, measure: Callable[[], float], *, is_first: bool = False, before: Callable[[], object] = lambda: None
    ) -> Callable[[], float]:
        """The measurement at the moment of its round, which the first one of the round chooses."""

        def at_the_moment() -> float:
            before()
            if is_first:
                self._moment = random.random() * SCHEDULER_SECONDS
            time.sleep((self._moment - time.time()) % SCHEDULER_SECONDS)
            return measure()

        return at_the_moment


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
