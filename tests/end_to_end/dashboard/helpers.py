"""Helpers for tests of the dashboard: a training run, and the state of the terminal."""

from __future__ import annotations

import os
import sys

from backprop_tui.domain.status import Status
from tests.support.sandbox import Sandbox, Submitted
from tests.support.terminal import Terminal
from tests.support.waiting import wait_until

_TRAINS = """\
import json, time
for step in range(1, 100000):
    print(json.dumps({"step": step, "loss": round(3 / step + 1, 4)}), flush=True)
    time.sleep(0.02)
"""


def training_script(sandbox: Sandbox) -> str:
    """A script that prints steps and their losses forever."""
    path = os.path.join(sandbox.folder, "train.py")
    with open(path, "w", encoding="ascii") as file:
        file.write(_TRAINS)
    return path


def training(sandbox: Sandbox) -> Submitted:
    """A run of it that is running."""
    run = sandbox.submit(sys.executable, training_script(sandbox))
    run.wait_for(Status.RUNNING)
    return run


def assert_terminal_restored(terminal: Terminal) -> None:
    """Waits until the terminal is as it was before the program started."""
    wait_until(terminal.is_restored, "the terminal as it was", report=terminal.state)
