"""Runs on a real Slurm cluster of two nodes on this machine: time to the first line, and a thousand that wait."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from backprop_tui.domain.run import SLURM
from backprop_tui.launchers.lease import lease_owner
from backprop_tui.tui.store_reader import StoreReader
from benchmarks.measurement import Plan, Result, Sample, interleaved, sample_result
from benchmarks.sandbox import COMMAND, SCRIPTS, Sandbox, open_sandbox, wait_until
from benchmarks.timing import MILLISECONDS, cpu_seconds
from tests.slurm.cluster import SlurmCluster, missing_programs

SCRIPT = (sys.executable, os.path.join(SCRIPTS, "prints_line.py"))
GOAL_RATIO, GOAL_CPU_PERCENT, GOAL_FLATNESS, GOAL_CALLS = 1.3, 0.5, 1.1, 12.0
WAITING_RUNS = 1000
MAX_ROUNDS = 15  # each takes some seconds
POLL_SECONDS = 0.005
SETTLE_SECONDS = 8.0
SCHEDULER_SECONDS = 1.0  # sched_interval of the cluster
END_SECONDS = 30.0


def measure(plan: Plan) -> list[Result]:
    """Measures nothing where Slurm is not installed."""
    missing = missing_programs()
    if missing:
        sys.stderr.write(f"Slurm is not installed here: no {', '.join(missing)} (Debian: apt-get install slurm-wlm)\n")
        return []
    with _cluster() as cluster:
        rounds = min(plan.rounds, MAX_ROUNDS)
        return [
            _first_line(cluster, "submit to first line, supervisor lives", rounds, warm=True),
            _first_line(cluster, "submit to first line, no supervisor", rounds, warm=False),
            *_waiting(cluster, plan),
        ]


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


# The first line


def _first_line(cluster: SlurmCluster, name: str, rounds: int, *, warm: bool) -> Result:
    """Slurm starts jobs once a second: the rounds begin at other moments of it, the same ones for both."""
    with _sandbox(cluster) as sandbox:
        if warm:
            sandbox.keep_supervisor()
        numbers = {"sbatch": count(), "run": count()}

        def wait_for_moment(name: str) -> None:
            if name == "run" and not warm:
                sandbox.wait_until_idle()
            time.sleep((next(numbers[name]) / rounds - time.time()) % SCHEDULER_SECONDS)

        def bare() -> float:
            wait_for_moment("sbatch")
            return _seconds_of_sbatch(cluster, sandbox)

        def ours() -> float:
            wait_for_moment("run")
            return _seconds_of_run(sandbox)

        samples = interleaved(rounds, {"sbatch": bare, "run": ours})
    sbatch, run = samples["sbatch"].median, samples["run"]
    return sample_result(
        name,
        run.scaled(1 / sbatch),
        "times sbatch",
        goal=GOAL_RATIO,
        remark=f"{run.median:.2f} s; sbatch {sbatch:.2f} s",
    )


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


# A thousand waiting runs


def _waiting(cluster: SlurmCluster, plan: Plan) -> list[Result]:
    """`list` beside as many local runs that wait, and what the supervisor takes while they do."""
    with _sandbox(cluster) as local, _sandbox(cluster) as slurm:
        calls = _count_squeue(slurm)
        try:
            local.seconds("queue", "hold")
            sweep = ("--sweep", f"seed=1..{WAITING_RUNS}", "--", "true")
            local.submit(*sweep)
            slurm.submit("--launcher", SLURM, "--slurm-extra=--begin=now+1day", *sweep)
            wait_until(lambda: _waiting_jobs(cluster) == WAITING_RUNS, "all jobs to be submitted")
            time.sleep(SETTLE_SECONDS)
            supervisor = _supervisor(slurm, calls, plan.footprint_seconds)
            lists = interleaved(
                min(plan.rounds, MAX_ROUNDS),
                {"local": lambda: local.seconds("list"), "slurm": lambda: slurm.seconds("list")},
            )
            snapshots = interleaved(
                plan.rounds, {"local": lambda: _snapshot_seconds(local), "slurm": lambda: _snapshot_seconds(slurm)}
            )
        finally:
            _abandon(local)
            _abandon(slurm)
    return [*supervisor, _compared("list", lists), _compared("the dashboard's first snapshot", snapshots)]


def _snapshot_seconds(sandbox: Sandbox) -> float:
    """CPU seconds until a dashboard knows all runs."""
    reader = StoreReader(sandbox.home, "")
    start = time.process_time()
    assert len(reader.read(None).runs) == WAITING_RUNS
    return time.process_time() - start


def _compared(name: str, samples: Mapping[str, Sample]) -> Result:
    local, slurm = samples["local"].median, samples["slurm"].median
    return sample_result(
        f"{name}, {WAITING_RUNS:,} runs wait for Slurm, compared with local ones",
        samples["slurm"].scaled(1 / local),
        "times",
        goal=GOAL_FLATNESS,
        remark=f"{slurm * MILLISECONDS:.0f} and {local * MILLISECONDS:.0f} ms",
    )


def _count_squeue(sandbox: Sandbox) -> Path:
    """Puts a program before squeue that notes each call; returns the file with a line for each."""
    programs, calls = Path(sandbox.work, "programs"), Path(sandbox.work, "calls")
    programs.mkdir()
    counter = programs / "squeue"
    counter.write_text(f'#!/bin/sh\necho call >> {calls}\nexec {shutil.which("squeue")} "$@"\n')
    counter.chmod(0o755)
    sandbox.environment["PATH"] = f"{programs}:{sandbox.environment['PATH']}"
    return calls


def _waiting_jobs(cluster: SlurmCluster) -> int:
    """Those that were released, too."""
    return cluster.run("squeue", "-h", "-o", "%r").split().count("BeginTime")


def _supervisor(sandbox: Sandbox, calls: Path, seconds: float) -> list[Result]:
    owner = lease_owner(sandbox.home)
    assert owner is not None
    before = (cpu_seconds(owner[0]), _children_seconds(owner[0]), len(calls.read_text().splitlines()))
    start = time.monotonic()
    time.sleep(seconds)
    elapsed = time.monotonic() - start
    own, children = cpu_seconds(owner[0]) - before[0], _children_seconds(owner[0]) - before[1]
    per_minute = (len(calls.read_text().splitlines()) - before[2]) * 60 / elapsed
    name = f"supervisor, {WAITING_RUNS:,} runs wait for Slurm"
    remark = f"and {children / elapsed * 100:.2f} % by squeue"
    return [
        Result.single(f"{name}: CPU", own / elapsed * 100, "%", goal=GOAL_CPU_PERCENT, remark=remark),
        Result.single(f"{name}: calls of squeue", per_minute, "a minute", goal=GOAL_CALLS),
    ]


def _children_seconds(pid: int) -> float:
    """CPU time of the children that a process has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def _abandon(sandbox: Sandbox) -> None:
    """Ends the supervisor and forgets its runs, which is faster than stopping a thousand."""
    for marker in os.listdir(sandbox.home.active):
        os.unlink(sandbox.home.marker(marker))
    sandbox.wait_until_idle()
