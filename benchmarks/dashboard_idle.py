"""The dashboard while nothing happens but figures: two GPUs and three runs that change once a second."""

from __future__ import annotations

import os
import sys

from benchmarks.dashboard_start import MINIMAL
from benchmarks.figures import Figure, figure_of
from benchmarks.place import COMMAND, Place, place, wait_until
from benchmarks.plan import Plan
from benchmarks.samples import Sample
from benchmarks.watched import Watched

GOAL_PERCENT, GOAL_KILOBYTES = 1.5, 1.5
LENIENT = 1.5  # times the goals
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scripts", "prints_steps.py")
RUNS = 3
SLICES = 5  # of the time that is measured, so that the table shows a middle half
_SETTLE_SECONDS = 8.0  # what is drawn after the start: charts, the first histories


def measure(plan: Plan) -> list[Figure]:
    """With the cursor on a run that has ended, whose log does not grow, beside a minimal Textual application."""
    with place(parallel=RUNS, probe="simulated") as where:
        (ended,) = where.submit("--name", "over", "--", sys.executable, "-c", "print('over')")
        where.wait_for_ends([ended])
        _three_runs(where)
        watched, minimal = Watched((COMMAND,), where.environment), Watched(MINIMAL, where.environment)
        try:
            watched.wait_for(b"all keys")
            watched.press(b"G")
            watched.output(_SETTLE_SECONDS)
            slices = [watched.cost(plan.footprint_seconds / SLICES) for _ in range(SLICES)]
            kilobytes = watched.proportional_kilobytes()
            bare, _ = minimal.cost(plan.footprint_seconds / SLICES)
        finally:
            watched.close()
            minimal.close()
    percents, sent = zip(*slices, strict=True)
    remark = f"minimal Textual app {bare:.2f} %; PSS {kilobytes / 1024:.0f} MiB"
    return [
        figure_of(
            "dashboard, 2 GPUs and 3 runs at 1 Hz, CPU",
            Sample(percents),
            "%",
            goal=GOAL_PERCENT,
            lenient=GOAL_PERCENT * LENIENT,
            remark=remark,
        ),
        figure_of(
            "the same, sent",
            Sample(sent),
            "kB/s",
            goal=GOAL_KILOBYTES,
            lenient=GOAL_KILOBYTES * LENIENT,
        ),
    ]


def _three_runs(where: Place) -> None:
    """Each with a step and a loss that were read already."""
    run_ids = [one for _ in range(RUNS) for one in where.submit("--", sys.executable, SCRIPT)]
    for run_id in run_ids:
        directory = where.directory(run_id)
        wait_until(lambda: (live := directory.read_live()) is not None and live.step, "a step of each run")  # noqa: B023
