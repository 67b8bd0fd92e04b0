"""What a key costs in the list of runs: from the key to the paint, and in CPU time of the thread that paints.

The time to the paint ends with the first bytes of a paint. What follows that, such as the log of the run, is only in
the CPU time.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice
from typing import NamedTuple

from benchmarks.ended_runs import add_ended_runs
from benchmarks.measurement import Plan, Result, Sample, sample_result
from benchmarks.sandbox import COMMAND, open_sandbox
from benchmarks.terminal_app import TerminalApp
from benchmarks.timing import MILLISECONDS

FEW_RUNS, MANY_RUNS = 100, 10_000
PAINTS, COSTS = 200, 30  # keys that are pressed for each figure
GOAL_MILLISECONDS = 20.0
AFTER_SECONDS = 0.3  # until a screen is closed
_CHANGED_BYTES = 30  # less than the cursor's two rows send


class Case(NamedTuple):
    """Keys that are pressed in turn, those that prepare it, and one that is pressed after each and not measured."""

    name: str
    keys: tuple[bytes, ...]
    before: bytes = b""
    after: bytes = b""
    paint_has_goal: bool = False


_ESCAPE = b"\x1b"
_CASES = (
    Case("moving the cursor", (b"j", b"j", b"k"), before=b"a", paint_has_goal=True),
    Case("going to the ends", (b"G", b"g")),
    Case("marking", (b" ",)),
    Case("marking all", (b"*",)),
    Case("opening the columns", (b"v",), after=_ESCAPE),
    Case("opening the help", (b"?",), after=_ESCAPE),
    Case("filtering by state", (b"F",)),
    Case("sorting", (b">", b"="), paint_has_goal=True),
    Case("typing a filter", (b"t", b"r", b"a", b"\x7f", b"\x7f", b"\x7f"), before=b"/", paint_has_goal=True),
)


def measure(_plan: Plan) -> list[Result]:
    return [result for runs in (FEW_RUNS, MANY_RUNS) for result in _with_runs(runs)]


def _with_runs(runs: int) -> Iterator[Result]:
    with open_sandbox() as sandbox:
        add_ended_runs(sandbox.home, runs)
        dashboard = TerminalApp((COMMAND,), sandbox.environment)
        try:
            dashboard.wait_for(b"all keys")
            for case in _CASES:
                if case.before:
                    dashboard.press(case.before)
                dashboard.output(3.0)  # the files of earlier months are read once
                label = f"{runs:,} runs, {case.name}"
                costs = Sample(tuple(_cost(dashboard, key, case.after) for key in islice(cycle(case.keys), COSTS)))
                yield sample_result(f"CPU time of a key, {label}", costs.scaled(MILLISECONDS), "ms")
                if case.paint_has_goal:
                    pressed = islice(cycle(case.keys), PAINTS)
                    times = [dashboard.seconds_to_paint(key, _CHANGED_BYTES) for key in pressed]
                    yield from _paint_results(f"key to paint, {label}", Sample(tuple(times)).scaled(MILLISECONDS))
        finally:
            dashboard.close()


def _cost(dashboard: TerminalApp, key: bytes, after: bytes) -> float:
    """Until nothing more is sent: the key's first paint and all that follows it."""
    seconds = dashboard.main_thread_seconds_of(key)
    if after:
        dashboard.press(after)
        dashboard.output(AFTER_SECONDS)
    return seconds


def _paint_results(label: str, sample: Sample) -> Iterator[Result]:
    yield sample_result(label, sample, "ms")
    yield Result.single(f"{label}, p99", sample.quantile(0.99), "ms", goal=GOAL_MILLISECONDS)
