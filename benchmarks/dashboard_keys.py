"""From a key to the paint in the list of 10,000 ended runs, all listed: moving the cursor, sorting, filtering."""

from __future__ import annotations

from itertools import cycle, islice

from benchmarks.ended_runs import add_ended_runs
from benchmarks.measurement import Plan, Result, Sample, sample_result
from benchmarks.sandbox import COMMAND, open_sandbox
from benchmarks.terminal_app import TerminalApp
from benchmarks.timing import MILLISECONDS

RUNS, KEYS = 10_000, 200
GOAL_MILLISECONDS = 20.0
_CHANGED_BYTES = 30  # less than the cursor's two rows send
# What is measured, the keys that are pressed in turn, and those that prepare it.
_CASES = (
    ("moving the cursor", (b"j", b"j", b"k"), b"a"),
    ("sorting", (b">", b"="), b""),
    ("typing a filter", (b"t", b"r", b"a", b"\x7f", b"\x7f", b"\x7f"), b"/"),
)


def measure(_plan: Plan) -> list[Result]:
    results = []
    with open_sandbox() as sandbox:
        add_ended_runs(sandbox.home, RUNS)
        dashboard = TerminalApp((COMMAND,), sandbox.environment)
        try:
            dashboard.wait_for(b"all keys")
            for name, keys, before in _CASES:
                if before:
                    dashboard.press(before)
                dashboard.output(3.0)  # the files of earlier months are read once
                times = [dashboard.seconds_to_paint(key, _CHANGED_BYTES) for key in islice(cycle(keys), KEYS)]
                sample = Sample(tuple(times)).scaled(MILLISECONDS)
                label = f"key to paint, 10,000 runs, {name}"
                results.append(sample_result(label, sample, "ms"))
                results.append(Result.single(f"{label}, p99", sample.quantile(0.99), "ms", goal=GOAL_MILLISECONDS))
        finally:
            dashboard.close()
    return results
