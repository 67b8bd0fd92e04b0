"""A thousand runs that wait in Slurm's queue, whose commands are doubles, beside as many that wait on this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from backprop_tui.domain.run import SLURM
from backprop_tui.engine.slurm_queue import LOOK_SECONDS
from backprop_tui.launchers.lease import supervisor_pid
from backprop_tui.tui.store_reader import StoreReader
from benchmarks.measurement import Plan, Result, Sample, interleaved, sample_result
from benchmarks.sandbox import SCRIPTS, Sandbox, open_sandbox, wait_until
from benchmarks.timing import MILLISECONDS, cpu_seconds

GOAL_CPU_PERCENT, GOAL_FLATNESS, GOAL_CALLS = 0.5, 1.1, 12.0
WAITING_RUNS = 1000
MAX_ROUNDS = 15
SETTLE_SECONDS = 8.0


def measure(plan: Plan) -> list[Result]:
    """What the supervisor takes while they wait, and commands compared with those for local runs."""
    rounds = min(plan.rounds, MAX_ROUNDS)
    sweep = ("--sweep", f"seed=1..{WAITING_RUNS}", "--", "true")
    with open_sandbox() as local, open_sandbox() as slurm:
        jobs = _stand_in_for_slurm(slurm)
        local.seconds("queue", "hold")
        local.submit(*sweep)
        slurm.submit("--launcher", SLURM, *sweep)
        wait_until(lambda: len(jobs.read_text().splitlines()) == WAITING_RUNS, "all jobs to be submitted")
        time.sleep(SETTLE_SECONDS)
        supervisor = _supervisor(slurm, Path(f"{jobs}.calls"), max(plan.footprint_seconds, LOOK_SECONDS))
        both = {"local": local, "slurm": slurm}
        lists = interleaved(rounds, {name: partial(box.seconds, "list") for name, box in both.items()})
        snapshots = interleaved(rounds, {name: partial(_snapshot_seconds, box) for name, box in both.items()})
    return [*supervisor, _compared("list", lists), _compared("the dashboard's first snapshot", snapshots)]


def _stand_in_for_slurm(sandbox: Sandbox) -> Path:
    """Puts doubles of Slurm's commands before others; returns the file with a line for each job."""
    jobs = Path(sandbox.work, "jobs")
    jobs.touch()
    sandbox.environment |= {
        "PATH": f"{SCRIPTS}/slurm:{sandbox.environment['PATH']}",
        "SLURM_CONF": str(jobs),  # which our commands pass on
    }
    return jobs


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


def _supervisor(sandbox: Sandbox, calls: Path, seconds: float) -> list[Result]:
    pid = supervisor_pid(sandbox.home)
    assert pid is not None
    before = (cpu_seconds(pid), _children_seconds(pid), len(calls.read_text().splitlines()))
    start = time.monotonic()
    time.sleep(seconds)
    elapsed = time.monotonic() - start
    own, children = cpu_seconds(pid) - before[0], _children_seconds(pid) - before[1]
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
