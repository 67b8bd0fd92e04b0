"""The time a slot stays empty: from the last thing a job does to the first thing the next job does.

Two slots run 200 jobs that only print the time. The end of job n frees the slot for job n+2, so a gap is the time
between those two. It includes loading `date` and its exit, which are also measured alone, as the floor.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from benchmarks.ended_runs import add_ended_runs
from benchmarks.measurement import Plan, Result, Sample, pooled, sample_result
from benchmarks.sandbox import Sandbox, open_sandbox
from benchmarks.timing import MILLISECONDS, seconds

SLOTS, JOBS, REPEATS = 2, 200, 3
HISTORY = 10_000
GOAL_MEDIAN, GOAL_P99 = 5.0, 20.0
PRINT_TIME = ("date", "+%s.%N")


def measure(plan: Plan) -> list[Result]:
    """Measures with an empty store and with ten thousand ended runs."""
    history = min(HISTORY, plan.longest_history)
    gaps: dict[str, list[Sample]] = {"floor": [], "empty": [], "full": []}
    with open_sandbox(parallel=SLOTS) as empty, open_sandbox(parallel=SLOTS) as full:
        add_ended_runs(full.home, history)
        for _ in range(REPEATS):
            gaps["floor"].append(_floor(empty))
            gaps["empty"].append(_gaps(empty))
            gaps["full"].append(_gaps(full))
    floor = pooled(gaps["floor"])
    return [
        sample_result("slot gap, floor: `date` after `date`, bare", floor.scaled(MILLISECONDS), "ms"),
        *_results("slot gap, empty store", pooled(gaps["empty"]), floor),
        *_results(f"slot gap, {history:,} ended runs", pooled(gaps["full"]), floor),
    ]


def _results(name: str, gaps: Sample, floor: Sample) -> list[Result]:
    milliseconds = gaps.scaled(MILLISECONDS)
    return [
        sample_result(
            f"{name}, median",
            milliseconds,
            "ms",
            goal=GOAL_MEDIAN,
            acceptable=3 * GOAL_MEDIAN,
            remark=f"{gaps.median / floor.median:.1f} floors",
        ),
        Result(
            name=f"{name}, p99",
            value=milliseconds.quantile(0.99),
            unit="ms",
            low=milliseconds.quantile(0.9),
            high=max(milliseconds.values),
            goal=GOAL_P99,
            acceptable=3 * GOAL_P99,
            remark="p90 .. largest",
        ),
    ]


def _gaps(sandbox: Sandbox) -> Sample:
    run_ids = sandbox.submit("--sweep", f"n=1..{JOBS}", "--", PRINT_TIME[0], PRINT_TIME[1] + "#{n}")
    sandbox.wait_for_ends(run_ids)
    sandbox.wait_until_idle()
    return _gaps_between([_read_time(sandbox.directory(run_id).log) for run_id in run_ids], SLOTS)


def _gaps_between(times: Sequence[float], slots: int) -> Sample:
    """Returns the gap between each job and the job that takes its slot."""
    ordered = sorted(times)
    return Sample(tuple(after - before for before, after in zip(ordered, ordered[slots:], strict=False)))


def _read_time(path: str) -> float:
    with open(path, encoding="ascii") as file:
        return float(file.read().partition("#")[0])


def _floor(sandbox: Sandbox) -> Sample:
    path = os.path.join(sandbox.work, "time")
    times = []
    for _ in range(JOBS):
        seconds(PRINT_TIME, sandbox.environment, stdout=path)
        times.append(_read_time(path))
    return _gaps_between(times, 1)
