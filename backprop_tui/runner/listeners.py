"""Processes of a run that ask, step by step, whether they should stop: they need no signal to learn it.

`backprop_tui.report` writes a line "PID STARTTIME" into the run's directory when a process asks for the first time.
"""

from __future__ import annotations

import os

from backprop_tui.processes.identity import Identity, is_alive

MOST_BYTES = 64 * 1024  # the newest lines count


def anyone_listens(path: str) -> bool:
    """Whether a process that asked still lives; False where the file says nothing that can be understood."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - MOST_BYTES))
            lines = file.read(MOST_BYTES).splitlines()
    except OSError:
        return False
    return any(map(is_alive, {identity for line in lines if (identity := _identity(line)) is not None}))


def _identity(line: bytes) -> Identity | None:
    words = line.split()
    if len(words) != 2 or not all(word.isdigit() and len(word) < 20 for word in words):
        return None
    return Identity(int(words[0]), int(words[1]))
