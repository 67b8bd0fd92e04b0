"""Processes of a run that ask at each step whether they should stop, and so need no signal.

`backprop_tui.report` writes a line "PID STARTTIME" into the run's directory when a process asks for the first time.
"""

from __future__ import annotations

import os

from backprop_tui.processes.identity import Identity, is_alive

MOST_BYTES = 64 * 1024  # the newest lines count


def anyone_listens(path: str) -> bool:
    """Whether a process listed in the file is alive; False where the file is missing or invalid."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - MOST_BYTES))
            lines = file.read(MOST_BYTES).splitlines()
    except OSError:
        return False
    return any(map(is_alive, {identity for line in lines if (identity := _parse_listener(line)) is not None}))


def _parse_listener(line: bytes) -> Identity | None:
    words = line.split()
    if len(words) != 2 or not all(word.isdigit() and len(word) < 20 for word in words):
        return None
    return Identity(int(words[0]), int(words[1]))
