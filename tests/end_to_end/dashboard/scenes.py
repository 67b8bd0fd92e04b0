"""What the tests of the dashboard have in common: a run that trains, and how a terminal is to be left."""

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


def a_script(sandbox: Sandbox) -> str:
    """Prints a step and its loss, for ever."""
    path = os.path.join(sandbox.folder, "train.py")
    with open(path, "w", encoding="ascii") as file:
        file.write(_TRAINS)
    return path


def training(sandbox: Sandbox) -> Submitted:
    """A run of it that has begun."""
    run = sandbox.submit(sys.executable, a_script(sandbox))
    run.wait_for(Status.RUNNING)
    return run


def leaves_a_clean_terminal(terminal: Terminal) -> None:
    """As it was when the program began."""
    wait_until(terminal.is_restored, "the terminal as it was", report=terminal.state)
