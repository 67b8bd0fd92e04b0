"""Everything large at once, compared with a small store in the same rounds: each figure should stay the same.

The large store has 100,000 ended runs, 1,000 runs in a held queue, and 64 runs that do nothing on 16 simulated GPUs.
Then a log with a hole of 50 GB, and a run with ten million values of a metric.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from backprop_tui.launchers.lease import lease_owner
from backprop_tui.store.metrics import CONDENSED_BYTES, MetricsCondenser, read_metrics
from backprop_tui.store.run_directory import RunDirectory
from benchmarks.ended_runs import add_ended_runs
from benchmarks.footprint import proportional_mebibytes
from benchmarks.measurement import Plan, Result, Sample, interleaved, sample_result
from benchmarks.sandbox import COMMAND, Sandbox, open_sandbox, wait_until
from benchmarks.terminal_app import TerminalApp
from benchmarks.timing import MILLISECONDS, cpu_seconds

GOAL = 1.2
WAITING, RUNNING, GPUS = 1000, 64, 16
LOG_BYTES = 50_000_000_000
LAST_LINES = 100
VALUES, SMALL_VALUES = 10_000_000, 10_000
ROUNDS = 7
NO_OP = "exec sleep 100000 # {n}"
_LAST = b"last-line-of-the-log"
_LINE = b'{"time":"2026-11-30T12:00:00.000Z","step":%d,"epoch":null,"metrics":{"loss":%.9f},"offset":1}\n'


def measure(plan: Plan) -> list[Result]:
    """Measures the commands, the dashboard and the supervisor with both stores, then one large log and one curve."""
    with ExitStack() as stack:
        small = stack.enter_context(open_sandbox(parallel=2 * RUNNING, probe="simulated"))
        large = stack.enter_context(open_sandbox(parallel=2 * RUNNING, probe="simulated"))
        for sandbox in (small, large):
            sandbox.environment["BACKPROP_SIMULATED_GPUS"] = f"{GPUS}xH100"
        add_ended_runs(large.home, plan.longest_history)
        _run_no_ops(small, 1)
        _run_no_ops(large, RUNNING)
        _hold(small, 1)
        _hold(large, WAITING)
        ways: dict[str, Callable[[], float]] = {}
        for name, sandbox in (("small", small), ("large", large)):
            ways |= {f"{what} {name}": way for what, way in _ways(sandbox).items()}
        samples = interleaved(min(plan.rounds, ROUNDS), ways)
        results = [_compared(what, samples[f"{what} small"], samples[f"{what} large"]) for what in _ways(small)]
        results += _supervisors(plan, small, large)
    return [*results, *_large_log(plan), *_many_values(plan)]


def _run_no_ops(sandbox: Sandbox, count: int) -> None:
    run_ids = sandbox.submit("--gpus", "0", "-m", "none", "--sweep", f"n=1..{count}", "--", "sh", "-c", NO_OP)
    wait_until(lambda: all(sandbox.directory(run_id).read_live() for run_id in run_ids), "the runs to start")


def _hold(sandbox: Sandbox, count: int) -> None:
    sandbox.seconds("queue", "hold")
    sandbox.submit("--sweep", f"n=1..{count}", "--", "true", "{n}")


def _ways(sandbox: Sandbox) -> dict[str, Callable[[], float]]:
    return {
        "list": lambda: sandbox.seconds("list"),
        "run -d": lambda: sandbox.seconds("run", "-d", "--", "true"),
        "status": lambda: sandbox.seconds("status"),
        "dashboard's first paint": lambda: _first_paint(sandbox, b"all keys"),
    }


def _first_paint(sandbox: Sandbox, text: bytes) -> float:
    dashboard = TerminalApp((COMMAND,), sandbox.environment)
    try:
        return dashboard.seconds_until(text)
    finally:
        dashboard.close()  # it repaints all the time


def _supervisors(plan: Plan, small: Sandbox, large: Sandbox) -> list[Result]:
    pids = [owner[0] for sandbox in (small, large) if (owner := lease_owner(sandbox.home)) is not None]
    before, start = [cpu_seconds(pid) for pid in pids], time.monotonic()
    memory = [proportional_mebibytes(pid) for pid in pids]
    time.sleep(plan.footprint_seconds)
    elapsed = time.monotonic() - start
    cpu = [(cpu_seconds(pid) - used) / elapsed * 100 for pid, used in zip(pids, before, strict=True)]
    grown = [proportional_mebibytes(pid) / first for pid, first in zip(pids, memory, strict=True)]
    return [
        Result.single("supervisor, large store: CPU", cpu[1], "%", remark=f"small store {cpu[0]:.2f} %"),
        Result.single("supervisor, large store: PSS", memory[1], "MiB", remark=f"small store {memory[0]:.1f} MiB"),
        Result.single("  the same, after that time", grown[1], "times", goal=GOAL),
    ]


def _large_log(plan: Plan) -> list[Result]:
    """`logs` and the dashboard with a log that has a hole, and one that has none."""
    with open_sandbox() as small, open_sandbox() as large:
        for sandbox, size in ((small, 0), (large, LOG_BYTES)):
            code = f"for number in range(5000): print('{_LAST.decode()}', number)"
            (run_id,) = sandbox.submit("--name", "log", "--", sys.executable, "-c", code)
            sandbox.wait_for_ends([run_id])
            _put_hole(sandbox.directory(run_id).log, size)
        ways: dict[str, Callable[[], float]] = {}
        for name, sandbox in (("small", small), ("large", large)):
            ways[f"logs {name}"] = partial(sandbox.seconds, "logs", "-n", str(LAST_LINES), "log")
            ways[f"paint {name}"] = partial(_first_paint, sandbox, _LAST)
        samples = interleaved(min(plan.rounds, ROUNDS), ways)
    return [
        _compared(f"`logs -n {LAST_LINES}` of a 50 GB log", samples["logs small"], samples["logs large"]),
        _compared("dashboard's first paint with it", samples["paint small"], samples["paint large"]),
    ]


def _put_hole(path: str, size: int) -> None:
    with open(path, "rb+") as file:
        lines = file.read()
        file.seek(max(0, size - len(lines)))
        file.write(lines)


def _many_values(plan: Plan) -> list[Result]:
    """The CPU time of reading the curves of a run, as `status RUN`, `compare` and the dashboard do."""
    with open_sandbox() as sandbox:
        directories = {count: RunDirectory(os.path.join(sandbox.work, str(count))) for count in (SMALL_VALUES, VALUES)}
        for count, directory in directories.items():
            _write_values(directory, count)
        ways = {str(count): partial(_cpu_of_reading, directory) for count, directory in directories.items()}
        samples = interleaved(min(plan.rounds, ROUNDS), ways)
    return [_compared("curves of ten million values", samples[str(SMALL_VALUES)], samples[str(VALUES)])]


def _cpu_of_reading(directory: RunDirectory) -> float:
    start = time.process_time()
    read_metrics(directory)
    return time.process_time() - start


def _write_values(directory: RunDirectory, count: int) -> None:
    """Writes metrics.jsonl, condensed as often as a guardian does it."""
    os.mkdir(directory.path)
    condenser, part = MetricsCondenser(directory.metrics_path), CONDENSED_BYTES // len(_LINE)
    with open(directory.metrics_path, "ab") as file:
        for start in range(0, count, part):
            file.write(b"".join(_LINE % (step, 1 / (1 + step)) for step in range(start, min(start + part, count))))
            file.flush()
            condenser.update(file.tell())


def _compared(name: str, small: Sample, large: Sample) -> Result:
    remark = f"{large.median * MILLISECONDS:.0f} ms, small store {small.median * MILLISECONDS:.0f}"
    return sample_result(name, large.scaled(1 / small.median), "times", goal=GOAL, remark=remark)
