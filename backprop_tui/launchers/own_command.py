"""The command line of this program, wherever its package was loaded from."""

from __future__ import annotations

import os
import sys

import backprop_tui

_PROGRAM = "import sys; sys.path.insert(0, sys.argv.pop(1)); from backprop_tui.main import program; program()"


def own_command(*arguments: str) -> list[str]:
    """Returns the command line of `backprop-tui ARGUMENTS`.

    The package path is no environment variable, since the environment of a command is captured for the runs it queues.
    -P keeps the working directory off the module path: a user's `random.py` there must not be imported.
    """
    package = os.path.dirname(os.path.dirname(os.path.abspath(backprop_tui.__file__)))
    return [sys.executable, "-P", "-c", _PROGRAM, package, *arguments]
