"""What a key costs in the list of runs: from the key to the paint, and in CPU time of the thread that paints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle, islice

from benchmarks.ended_runs import add_ended_runs
from benchmarks.measurement import Plan, Result, Sample, sample_result
from benchmarks.sandbox import COMMAND, open_sandbox
from benchmarks.terminal_app import TerminalApp
from benchmarks.timing import MILLISECONDS

FEW_RUNS, MANY_RUNS = 100, 10_000
PAINTS, COSTS = 200, 30  # keys that are pressed for each figure
GOAL_MILLISECONDS = 20.0
_CHANGED_BYTES = 30  # less than the cursor's two rows send
# What is measured, keys that are pressed in turn, those that prepare it, whether the time to the paint has a goal.
_CASES: Sequence[tuple[str, tuple[bytes, ...], bytes, bool]] = (
    ("moving the cursor", (b"j", b"j", b"k"), b"a", True),
    ("going to the ends", (b"G", b"g"), b"", False),
    ("marking", (b" ",), b"", False),
    ("marking all", (b"*",), b"", False),
    ("sorting", (b">", b"="), b"", True),
    ("typing a filter", (b"t", b"r", b"a", b"\x7f", b"\x7f", b"\x7f"), b"/", True),
)


def measure(_plan: Plan) -> list[Result]:
    return [result for runs in (FEW_RUNS, MANY_RUNS) for result in _with_runs(runs)]


def _with_runs(runs: int) -> Iterator[Result]:
    with open_sandbox() as sandbox:
        add_ended_runs(sandbox.home, runs)
        dashboard = TerminalApp((COMMAND,), sandbox.environment)
        try:
            dashboard.wait_for(b"all keys")
            for name, keys, before, has_goal in _CASES:
                if before:
                    dashboard.press(before)
                dashboard.output(3.0)  # the files of earlier months are read once
                label = f"{runs:,} runs, {name}"
                costs = Sample(tuple(map(dashboard.main_thread_seconds_of, islice(cycle(keys), COSTS))))
                yield sample_result(f"CPU time of a key, {label}", costs.scaled(MILLISECONDS), "ms")
                if has_goal:
                    times = [dashboard.seconds_to_paint(key, _CHANGED_BYTES) for key in islice(cycle(keys), PAINTS)]
                    yield from _paint_results(f"key to paint, {label}", Sample(tuple(times)).scaled(MILLISECONDS))
        finally:
            dashboard.close()


def _paint_results(label: str, sample: Sample) -> Iterator[Result]:
    yield sample_result(label, sample, "ms")
    yield Result.single(f"{label}, p99", sample.quantile(0.99), "ms", goal=GOAL_MILLISECONDS)
