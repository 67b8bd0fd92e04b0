"""The driver of a demo: a process that queues its runs and stops everything when the dashboard has gone."""

from __future__ import annotations

import itertools
import os
import select
import subprocess
import sys

import backprop_tui
from backprop_tui.demo.scenario import INITIAL_RUNS, LATER_RUNS, MACHINE, DemoRun
from backprop_tui.demo.workspace import Workspace, tear_down
from backprop_tui.store.home import Home
from backprop_tui.store.run_view import marked_ids

_PROGRAM = "import sys; sys.path.insert(0, sys.argv.pop(1)); from backprop_tui.main import program; program()"


def own_command(*arguments: str) -> list[str]:
    """Returns the command line of `backprop-tui ARGUMENTS`.

    The package path is no environment variable, since the environment of a command is captured for the runs it queues.
    -P keeps the working directory off the module path: a user's `random.py` there must not be imported.
    """
    package = os.path.dirname(os.path.dirname(os.path.abspath(backprop_tui.__file__)))
    return [sys.executable, "-P", "-c", _PROGRAM, package, *arguments]


POLL_SECONDS = 2.0
MIN_UNFINISHED_RUNS = 7  # with fewer, another run is queued


def drive_demo(folder: str, host: str) -> None:
    """Runs the demo in the workspace in this folder until standard input ends."""
    workspace = Workspace(folder)
    try:
        _queue_runs(workspace, Home(workspace.home, host))
    finally:
        tear_down(workspace)


def _queue_runs(workspace: Workspace, home: Home) -> None:
    environment = _demo_environment(workspace, home.host)
    for run in INITIAL_RUNS:
        if _stdin_ended(0.0):
            return
        _queue_run(workspace, run, environment)
    later_runs = itertools.cycle(LATER_RUNS)
    while not _stdin_ended(POLL_SECONDS):
        if len(marked_ids(home)) < MIN_UNFINISHED_RUNS:
            _queue_run(workspace, next(later_runs), environment)


def _stdin_ended(seconds: float) -> bool:
    """Whether standard input has ended, or ends within this time."""
    ready, _, _ = select.select([0], [], [], seconds)
    return bool(ready) and not os.read(0, 1)


def _queue_run(workspace: Workspace, run: DemoRun, environment: dict[str, str]) -> None:
    """Queues a run with the `run` command, as a user would; its output goes to a log in the workspace."""
    options = ("--config", workspace.config_path, "run", "-d", "-n", run.name, *run.options)
    command = own_command(*options, run.script, "--", *run.arguments)
    with open(os.path.join(workspace.folder, "driver.log"), "ab") as log:
        subprocess.run(
            command,
            cwd=workspace.scripts_folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=False,
        )


def _demo_environment(workspace: Workspace, host: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BACKPROP_")}
    return inherited | MACHINE | {"BACKPROP_HOME": workspace.home, "BACKPROP_HOST": host}
