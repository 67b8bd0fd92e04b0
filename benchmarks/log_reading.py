"""How quickly logs are read, in lines a second: plain ones, which say nothing, and those that are all progress bars.

Beside it, in the same run, what it takes to split the same bytes into lines and nothing else, as `wc -l` would.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from backprop_tui.readers.log_reader import LogReader
from benchmarks.figures import Figure, figure_of
from benchmarks.plan import Plan
from benchmarks.samples import Sample, in_turns

LINES = 200_000
GOAL_NANOSECONDS = 1e9 / 300_000
CHUNK_BYTES = 1 << 20
ROUNDS = 9
PLAIN = b"2025-01-01 12:00:00 INFO compiling kernel %d of 456 done\n"
BAR = "Training:  33%%|███▎      | %d/200000 [00:04<00:08,  4.99it/s, loss=0.%d, lr=0.01]\r"


def measure(plan: Plan) -> list[Figure]:
    """Nanoseconds a line."""
    plain = b"".join(PLAIN % number for number in range(LINES))
    bars = "".join(BAR % (number, number) for number in range(LINES // 10)).encode()
    found = in_turns(
        min(plan.rounds, ROUNDS),
        {
            "plain": lambda: _seconds(_read, plain),
            "split": lambda: _seconds(_split, plain),
            "bars": lambda: _seconds(_read, bars),
            "bars split": lambda: _seconds(_split, bars),
        },
    )
    return [
        figure_of(
            "reading a plain line of a log",
            found["plain"].scaled(1e9 / LINES),
            "ns",
            goal=GOAL_NANOSECONDS,
            remark=_remark(found["plain"], found["split"], LINES),
        ),
        figure_of(
            "reading a state of a progress bar",
            found["bars"].scaled(1e9 / (LINES // 10)),
            "ns",
            remark=_remark(found["bars"], found["bars split"], LINES // 10),
        ),
    ]


def _seconds(work: Callable[[bytes], None], log: bytes) -> float:
    """CPU time: the machine is shared."""
    began = time.process_time()
    work(log)
    return time.process_time() - began


def _read(log: bytes) -> None:
    reader = LogReader()
    for start in range(0, len(log), CHUNK_BYTES):
        reader.feed(log[start : start + CHUNK_BYTES])


def _split(log: bytes) -> None:
    for start in range(0, len(log), CHUNK_BYTES):
        for _line in log[start : start + CHUNK_BYTES].splitlines():
            pass


def _remark(read: Sample, split: Sample, lines: int) -> str:
    return f"{lines / read.median / 1000:.0f}k lines a second, {read.median / split.median:.0f} times splitting alone"
