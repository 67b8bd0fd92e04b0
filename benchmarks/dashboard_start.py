"""From the command to the first full paint of the dashboard: with few runs, with a 10 GB log, with 10,000 runs.

In the same rounds that of nvitop, if it is on PATH and finds a GPU.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from contextlib import ExitStack

from benchmarks.ended_runs import add_ended_runs
from benchmarks.measurement import Plan, Result, interleaved, sample_result
from benchmarks.sandbox import COMMAND, MINIMAL_TEXTUAL_APP, Sandbox, open_sandbox
from benchmarks.terminal_app import TerminalApp
from benchmarks.timing import MILLISECONDS

GOAL_APPS, ACCEPTABLE_APPS = 1.2, 1.8
LARGE_LOG_BYTES, MANY_RUNS = 10_000_000_000, 10_000
FEW_RUNS, LARGE_LOG, FULL_STORE = "few runs", "a 10 GB log", "10,000 runs"
_RUN_NAME, _LAST_LINE, _FOOTER = b"shown-first", b"iteration-00004999", b"all keys"
_MINIMAL = "minimal Textual app"
_NVITOP, _NVITOP_TABLE = "nvitop", b"TIME  COMMAND"


def measure(plan: Plan) -> list[Result]:
    with ExitStack() as stack:
        sandboxes = {name: stack.enter_context(open_sandbox()) for name in (FEW_RUNS, LARGE_LOG, FULL_STORE)}
        add_ended_runs(sandboxes[FULL_STORE].home, MANY_RUNS)
        for sandbox in sandboxes.values():
            _add_selected_run(sandbox)
        _enlarge_log(sandboxes[LARGE_LOG])
        environment = sandboxes[FEW_RUNS].environment
        starts: dict[str, Callable[[], float]] = {_MINIMAL: lambda: _start_minimal(environment)}
        for name, sandbox in sandboxes.items():
            starts[name] = _start(sandbox)
        missing = _add_nvitop(starts)
        samples = interleaved(plan.rounds, starts)
    floor = samples[_MINIMAL].median
    return [
        sample_result(
            f"dashboard's first full paint, {name}",
            samples[name].scaled(1 / floor),
            "apps",
            goal=GOAL_APPS,
            acceptable=ACCEPTABLE_APPS,
            remark=f"{samples[name].median * MILLISECONDS:.0f} ms, minimal Textual app {floor * MILLISECONDS:.0f}",
        )
        for name in sandboxes
    ] + (missing or [sample_result("first full paint of nvitop", samples[_NVITOP].scaled(1 / floor), "apps")])


def _add_nvitop(starts: dict[str, Callable[[], float]]) -> list[Result]:
    """Adds its start, or returns why it is not measured."""
    program = shutil.which(_NVITOP)
    try:
        if program is None:
            raise FileNotFoundError("not installed")
        _start_nvitop(program)
    except OSError as error:  # TimeoutError too
        return [Result.missing("first full paint of nvitop", str(error).partition(";")[0])]
    starts[_NVITOP] = lambda: _start_nvitop(program)
    return []


def _start_nvitop(program: str) -> float:
    app = TerminalApp((program, "-m", "full"))
    try:
        return app.seconds_until(_NVITOP_TABLE)
    finally:
        app.close(b"q")


def _start_minimal(environment: dict[str, str]) -> float:
    app = TerminalApp(MINIMAL_TEXTUAL_APP, environment)
    try:
        return app.seconds_until(b"minimal-is-there")
    finally:
        app.close()


def _start(sandbox: Sandbox) -> Callable[[], float]:
    def start() -> float:
        """Waits for the newest run's row, the last line of its log and the footer."""
        dashboard = TerminalApp((COMMAND,), sandbox.environment)
        try:
            return dashboard.seconds_until(_RUN_NAME, _LAST_LINE, _FOOTER)
        finally:
            dashboard.close(b"q")

    return start


def _add_selected_run(sandbox: Sandbox) -> None:
    """Adds the newest run, which the dashboard selects at its start."""
    code = "for number in range(5000): print(f'iteration-{number:08d} loss 0.0173')"
    sandbox.wait_for_ends(sandbox.submit("--name", _RUN_NAME.decode(), "--", sys.executable, "-c", code))
    sandbox.wait_until_idle()


def _enlarge_log(sandbox: Sandbox) -> None:
    """Puts a hole before the log's last lines: the dashboard reads as much of it as of any other large log."""
    (run_id,) = os.listdir(sandbox.home.runs)
    with open(sandbox.directory(run_id).log, "rb+") as file:
        lines = file.read()
        file.seek(LARGE_LOG_BYTES - len(lines))
        file.write(lines)
