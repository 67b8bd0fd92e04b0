"""CPU use and output of the dashboard while only numbers change: two GPUs and three runs, once a second."""

from __future__ import annotations

import os
import sys

from benchmarks.measurement import Plan, Result, Sample, sample_result
from benchmarks.sandbox import COMMAND, MINIMAL_TEXTUAL_APP, SCRIPTS, Sandbox, open_sandbox, wait_until
from benchmarks.terminal_app import TerminalApp

GOAL_PERCENT, GOAL_KILOBYTES = 1.5, 1.5
ACCEPTABLE_FACTOR = 1.5
SCRIPT = os.path.join(SCRIPTS, "prints_steps.py")
RUNS = 3
SLICES = 5  # of the measured time, so that the table can show a middle half
_SETTLE_SECONDS = 8.0  # until the charts and the first histories are drawn


def measure(plan: Plan) -> list[Result]:
    """Measures with an ended run selected, whose log does not grow, and compares with a minimal Textual app."""
    with open_sandbox(parallel=RUNS, probe="simulated") as sandbox:
        (ended,) = sandbox.submit("--name", "over", "--", sys.executable, "-c", "print('over')")
        sandbox.wait_for_ends([ended])
        _start_three_runs(sandbox)
        dashboard = TerminalApp((COMMAND,), sandbox.environment)
        minimal = TerminalApp(MINIMAL_TEXTUAL_APP, sandbox.environment)
        try:
            dashboard.wait_for(b"all keys")
            dashboard.press(b"G")
            dashboard.output(_SETTLE_SECONDS)
            slices = [dashboard.cost(plan.footprint_seconds / SLICES) for _ in range(SLICES)]
            kilobytes = dashboard.proportional_kilobytes()
            minimal_percent, _ = minimal.cost(plan.footprint_seconds / SLICES)
        finally:
            dashboard.close()
            minimal.close()
    percents, sent = zip(*slices, strict=True)
    return [
        sample_result(
            "dashboard, 2 GPUs and 3 runs at 1 Hz, CPU",
            Sample(percents),
            "%",
            goal=GOAL_PERCENT,
            acceptable=GOAL_PERCENT * ACCEPTABLE_FACTOR,
            remark=f"minimal Textual app {minimal_percent:.2f} %; PSS {kilobytes / 1024:.0f} MiB",
        ),
        sample_result(
            "the same, sent",
            Sample(sent),
            "kB/s",
            goal=GOAL_KILOBYTES,
            acceptable=GOAL_KILOBYTES * ACCEPTABLE_FACTOR,
        ),
    ]


def _start_three_runs(sandbox: Sandbox) -> None:
    """Starts the runs, and waits until a step of each has been read."""
    for run_id in [sandbox.submit("--", sys.executable, SCRIPT)[0] for _ in range(RUNS)]:
        directory = sandbox.directory(run_id)
        wait_until(lambda: (live := directory.read_live()) is not None and live.step, "a step of each run")  # noqa: B023
