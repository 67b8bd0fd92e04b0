"""The gap in a slot: from the moment a job does nothing more to the first thing the next one does.

Two slots, 200 jobs that do nothing but tell the time. The end of the n-th job frees the slot of the n+2nd to start, so
each gap is between those two. A gap includes the loading of `date` and its exit, which the floor shows alone.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from benchmarks.clock import MILLISECONDS, course
from benchmarks.figures import Figure, figure_of
from benchmarks.history import grow
from benchmarks.place import Place, place
from benchmarks.plan import Plan
from benchmarks.samples import Sample, pooled

SLOTS, JOBS, TIMES = 2, 200, 3
HISTORY = 10_000
GOAL_MEDIAN, GOAL_P99 = 5.0, 20.0
TELL_TIME = ("date", "+%s.%N")


def measure(plan: Plan) -> list[Figure]:
    """With nothing behind it, and with ten thousand runs."""
    history = min(HISTORY, plan.longest_history)
    with place(parallel=SLOTS) as empty:
        nothing_behind = empty
        with place(parallel=SLOTS) as old:
            grow(old.home, history)
            gaps: dict[str, list[Sample]] = {"empty": [], "old": [], "floor": []}
            for _ in range(TIMES):
                gaps["floor"].append(_floor(empty))
                gaps["empty"].append(_gaps(nothing_behind))
                gaps["old"].append(_gaps(old))
    floor = pooled(gaps["floor"])
    return [
        figure_of("slot gap, floor: one `date` after the other, bare", floor.scaled(MILLISECONDS), "ms"),
        *_figures("slot gap, nothing behind", pooled(gaps["empty"]), floor),
        *_figures(f"slot gap, {history:,} runs behind", pooled(gaps["old"]), floor),
    ]


def _figures(name: str, gaps: Sample, floor: Sample) -> list[Figure]:
    milliseconds = gaps.scaled(MILLISECONDS)
    p99 = milliseconds.quantile(0.99)
    return [
        figure_of(
            f"{name}, median",
            milliseconds,
            "ms",
            goal=GOAL_MEDIAN,
            lenient=3 * GOAL_MEDIAN,
            remark=f"{gaps.median / floor.median:.1f} floors",
        ),
        Figure(
            name=f"{name}, p99",
            value=p99,
            unit="ms",
            low=milliseconds.quantile(0.9),
            high=max(milliseconds.values),
            goal=GOAL_P99,
            lenient=3 * GOAL_P99,
            remark="p90 .. largest",
        ),
    ]


def _gaps(where: Place) -> Sample:
    run_ids = where.submit("--sweep", f"n=1..{JOBS}", "--", TELL_TIME[0], TELL_TIME[1] + "#{n}")
    where.wait_for_ends(run_ids)
    where.wait_until_idle()
    return between([_told(where.directory(run_id).log) for run_id in run_ids], SLOTS)


def between(moments: Sequence[float], slots: int) -> Sample:
    """From each job's moment to that of the job that takes its slot."""
    ordered = sorted(moments)
    return Sample(tuple(after - before for before, after in zip(ordered, ordered[slots:], strict=False)))


def _told(path: str) -> float:
    with open(path, encoding="ascii") as file:
        return float(file.read().partition("#")[0])


def _floor(where: Place) -> Sample:
    path = os.path.join(where.work, "told")
    moments = []
    for _ in range(JOBS):
        course(TELL_TIME, where.environment, stdout=path)
        moments.append(_told(path))
    return between(moments, 1)
