"""How a process of ours starts a command of ours, from wherever this package was loaded."""

from __future__ import annotations

import os
import sys

import backprop_tui

_BEGIN = "import sys; sys.path.insert(0, sys.argv.pop(1)); from backprop_tui.main import program; program()"


def own_command(*words: str) -> list[str]:
    """The command line of `backprop-tui WORDS`.

    By no variable: what stands in the environment of a command is captured for the runs it queues. And without the
    directory it is given in on the path of modules (-P): a user's `random.py` there is no module of ours.
    """
    package = os.path.dirname(os.path.dirname(os.path.abspath(backprop_tui.__file__)))
    return [sys.executable, "-P", "-c", _BEGIN, package, *words]
