"""The user's own command for the end of a run, started once an end however many dashboards are open.

It gets what it needs by variables and runs without a shell, unless it names one. Their names begin otherwise than those
that scripts are told, by which the processes of a run are found and swept.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable

from backprop_tui.store.files import read_bytes, write_atomically
from backprop_tui.store.home import Home
from backprop_tui.store.locks import wait_for_lock
from backprop_tui.tui.notices.ends import End

_KEPT = 1000  # ends that are remembered
_LOCK_SECONDS = 2.0


class EndCommand:
    """Not for two threads at once; other processes may do the same."""

    def __init__(self, home: Home, command: str | None) -> None:
        self._path = home.notified_ends
        self._command = command
        self._started: list[int] = []  # children that are not reaped yet

    def run(self, ends: Iterable[End]) -> str | None:
        """Starts it for each that nobody started it for; what keeps it from starting, None where nothing does.

        Raises:
            StorageFailed: what was told cannot be read or written.
        """
        self._started = [pid for pid in self._started if os.waitpid(pid, os.WNOHANG)[0] == 0]
        if self._command is None:
            return None
        try:
            words = shlex.split(self._command)
        except ValueError as error:
            return f"notify.command: {error}"
        if not words:
            return None
        for end in self._untold(tuple(ends)):
            try:
                self._started.append(_start(words, end))
            except OSError as error:
                return f"notify.command: {words[0]}: {error.strerror}"
        return None

    def _untold(self, ends: tuple[End, ...]) -> list[End]:
        """Those that no dashboard of this machine told of; from now on they are told."""
        lock = wait_for_lock(self._path + ".lock", seconds=_LOCK_SECONDS) if ends else None
        if lock is None:
            return []  # whoever holds it for so long tells of them, or nobody does: rather none than many
        with lock:
            told = (read_bytes(self._path) or b"").decode("ascii", "replace").splitlines()
            new = [one for one in ends if _key(one) not in told]
            if new:
                kept = [*told, *map(_key, new)][-_KEPT:]
                write_atomically(self._path, "\n".join(kept).encode("ascii", "replace") + b"\n", durable=False)
        return new


def _key(end: End) -> str:
    return f"{end.run_id} {end.at}"


def _start(words: list[str], end: End) -> int:
    """In a session of its own: it goes on when the dashboard is closed."""
    return os.posix_spawnp(
        words[0],
        words,
        os.environ | variables(end),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def variables(end: End) -> dict[str, str]:
    """What the command is told."""
    return {
        "BACKPROP_ENDED_RUN": end.run_id,
        "BACKPROP_ENDED_NAME": end.name,
        "BACKPROP_ENDED_STATUS": end.status,
        "BACKPROP_ENDED_CAUSE": end.cause,
        "BACKPROP_ENDED_AT": end.at,
    }
