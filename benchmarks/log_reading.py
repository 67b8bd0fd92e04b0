"""How many log lines a second are read: plain ones without any metric, and the states of a progress bar.

For comparison it measures what splitting the same bytes into lines takes, as `wc -l` does.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from backprop_tui.readers.log_reader import LogReader
from benchmarks.measurement import Plan, Result, Sample, interleaved, sample_result

LINES = 200_000
GOAL_NANOSECONDS = 1e9 / 300_000
BAR_GOAL_NANOSECONDS = 1e9 / 150_000
CHUNK_BYTES = 1 << 20
ROUNDS = 9
PLAIN = b"2025-01-01 12:00:00 INFO compiling kernel %d of 456 done\n"
BAR = "Training:  33%%|███▎      | %d/200000 [00:04<00:08,  4.99it/s, loss=0.%d, lr=0.01]\r"


def measure(plan: Plan) -> list[Result]:
    plain = b"".join(PLAIN % number for number in range(LINES))
    bars = "".join(BAR % (number, number) for number in range(LINES // 10)).encode()
    samples = interleaved(
        min(plan.rounds, ROUNDS),
        {
            "plain": lambda: _seconds(_read, plain),
            "split": lambda: _seconds(_split, plain),
            "bars": lambda: _seconds(_read, bars),
            "bars split": lambda: _seconds(_split, bars),
        },
    )
    return [
        sample_result(
            "reading a plain line of a log",
            samples["plain"].scaled(1e9 / LINES),
            "ns",
            goal=GOAL_NANOSECONDS,
            remark=_remark(samples["plain"], samples["split"], LINES),
        ),
        sample_result(
            "reading a state of a progress bar",
            samples["bars"].scaled(1e9 / (LINES // 10)),
            "ns",
            goal=BAR_GOAL_NANOSECONDS,
            remark=_remark(samples["bars"], samples["bars split"], LINES // 10),
        ),
    ]


def _seconds(work: Callable[[bytes], None], log: bytes) -> float:
    """Returns CPU time, since the machine may be shared."""
    start = time.process_time()
    work(log)
    return time.process_time() - start


def _read(log: bytes) -> None:
    reader = LogReader()
    for offset in range(0, len(log), CHUNK_BYTES):
        reader.feed(log[offset : offset + CHUNK_BYTES])


def _split(log: bytes) -> None:
    for offset in range(0, len(log), CHUNK_BYTES):
        for _line in log[offset : offset + CHUNK_BYTES].splitlines():
            pass


def _remark(read: Sample, split: Sample, lines: int) -> str:
    return f"{lines / read.median / 1000:.0f}k lines a second, {read.median / split.median:.0f} times splitting alone"
