"""The time a slot stays empty: from the last thing a job does to the first thing the next job does.

Two slots run two kinds of jobs. The end of job n frees the slot for job n+2, so a gap is the time between those two.

* 200 jobs that only print the time: the CPU time that each run costs decides, since nothing else happens meanwhile.
* 60 jobs that print the time, sleep, and print the time again: a free core, as between trainings.

A gap includes loading the program of the next job, which is also measured alone, as the floor.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from benchmarks.ended_runs import add_ended_runs
from benchmarks.measurement import Plan, Result, Sample, pooled, sample_result
from benchmarks.sandbox import Sandbox, open_sandbox
from benchmarks.timing import MILLISECONDS, seconds

SLOTS, JOBS, LASTING_JOBS, REPEATS = 2, 200, 60, 3
HISTORY = 10_000
GOAL_MEDIAN, GOAL_P99 = 4.0, 15.0
PRINT_TIME = ("date", "+%s.%N")
LAST = ("bash", "-c", "echo $EPOCHREALTIME; sleep {seconds}; echo $EPOCHREALTIME")
LASTING_SECONDS = 0.3


def measure(plan: Plan) -> list[Result]:
    """Measures with an empty store and with ten thousand ended runs."""
    history = min(HISTORY, plan.longest_history)
    kinds = {"that only print the time": (_floor, _gaps), f"of {LASTING_SECONDS:g} s": (_lasting_floor, _lasting_gaps)}
    results: list[Result] = []
    with open_sandbox(parallel=SLOTS) as empty, open_sandbox(parallel=SLOTS) as full:
        add_ended_runs(full.home, history)
        for kind, (measure_floor, measure_gaps) in kinds.items():
            floors, gaps, gaps_of_full = zip(
                *((measure_floor(empty), measure_gaps(empty), measure_gaps(full)) for _ in range(REPEATS)), strict=True
            )
            floor = pooled(floors)
            results += [
                sample_result(f"jobs {kind}: floor, one after the other, bare", floor.scaled(MILLISECONDS), "ms"),
                *_results(f"jobs {kind}: slot gap, empty store", pooled(gaps), floor),
                *_results(f"jobs {kind}: slot gap, {history:,} ended runs", pooled(gaps_of_full), floor),
            ]
    return results


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
    times = [times[0] for times in _run_jobs(sandbox, JOBS, PRINT_TIME[0], PRINT_TIME[1] + "#{n}")]
    return _gaps_between(times, times, SLOTS)


def _lasting_gaps(sandbox: Sandbox) -> Sample:
    bash, option, script = LAST
    jobs = _run_jobs(sandbox, LASTING_JOBS, bash, option, script.format(seconds=LASTING_SECONDS), "{n}")
    return _gaps_between([first for first, _ in jobs], [last for _, last in jobs], SLOTS)


def _run_jobs(sandbox: Sandbox, jobs: int, *command: str) -> list[list[float]]:
    """Runs so many jobs; returns the times that each printed."""
    run_ids = sandbox.submit("--sweep", f"n=1..{jobs}", "--", *command)
    sandbox.wait_for_ends(run_ids)
    sandbox.wait_until_idle()
    return [_read_times(sandbox.directory(run_id).log) for run_id in run_ids]


def _gaps_between(starts: Sequence[float], ends: Sequence[float], slots: int) -> Sample:
    """Returns the gap between the end of each job and the start of the one that takes its slot."""
    pairs = zip(sorted(ends), sorted(starts)[slots:], strict=False)
    return Sample(tuple(start - end for end, start in pairs))


def _read_times(path: str) -> list[float]:
    with open(path, encoding="ascii") as file:
        return [float(line.partition("#")[0]) for line in file]


def _floor(sandbox: Sandbox) -> Sample:
    times = [times[0] for times in _run_bare(sandbox, JOBS, PRINT_TIME)]
    return _gaps_between(times, times, 1)


def _lasting_floor(sandbox: Sandbox) -> Sample:
    bash, option, script = LAST
    jobs = _run_bare(sandbox, LASTING_JOBS, (bash, option, script.format(seconds=0)))
    return _gaps_between([first for first, _ in jobs], [last for _, last in jobs], 1)


def _run_bare(sandbox: Sandbox, jobs: int, command: Sequence[str]) -> list[list[float]]:
    """Runs it so many times, one after the other; returns the times that each printed."""
    path = os.path.join(sandbox.work, "time")
    times = []
    for _ in range(jobs):
        seconds(command, sandbox.environment, stdout=path)
        times.append(_read_times(path))
    return times
