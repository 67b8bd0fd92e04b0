"""Starts the user's own command when a run ends, once per end however many dashboards are open.

The command gets its information in environment variables and runs without a shell, unless it names one. The names of
the variables differ from those that scripts get, because by the latter the processes of a run are found and killed.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable

from backprop_tui.store.files import read_bytes, write_atomically
from backprop_tui.store.home import Home
from backprop_tui.store.locks import wait_for_lock
from backprop_tui.tui.notifications.run_ends import RunEnd

_MAX_HANDLED = 1000  # ends that are remembered
_LOCK_SECONDS = 2.0


class EndCommand:
    """Starts the command and reaps it. Not thread-safe; other processes may do the same at the same time."""

    def __init__(self, home: Home, command: str | None) -> None:
        self._path = home.notified_ends
        self._command = command
        self._started: list[int] = []  # pids of children that are not reaped yet

    def run(self, ends: Iterable[RunEnd]) -> str | None:
        """Starts the command for each end that no dashboard handled yet; returns the problem if it cannot start.

        Raises:
            StorageFailed: the list of handled ends cannot be read or written.
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
        for end in self._claim(tuple(ends)):
            try:
                self._started.append(_start(words, end))
            except OSError as error:
                return f"notify.command: {words[0]}: {error.strerror}"
        return None

    def _claim(self, ends: tuple[RunEnd, ...]) -> list[RunEnd]:
        """The ends that no dashboard of this machine handled; they are recorded as handled."""
        lock = wait_for_lock(self._path + ".lock", seconds=_LOCK_SECONDS) if ends else None
        if lock is None:
            return []  # another dashboard holds it: better no notification than several
        with lock:
            handled = (read_bytes(self._path) or b"").decode("ascii", "replace").splitlines()
            new = [end for end in ends if _key(end) not in handled]
            if new:
                kept = [*handled, *map(_key, new)][-_MAX_HANDLED:]
                write_atomically(self._path, "\n".join(kept).encode("ascii", "replace") + b"\n", durable=False)
        return new


def _key(end: RunEnd) -> str:
    return f"{end.run_id} {end.at}"


def _start(words: list[str], end: RunEnd) -> int:
    """Starts the command in a session of its own, so that it continues when the dashboard is closed."""
    return os.posix_spawnp(
        words[0],
        words,
        os.environ | _variables(end),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def _variables(end: RunEnd) -> dict[str, str]:
    return {
        "BACKPROP_ENDED_RUN": end.run_id,
        "BACKPROP_ENDED_NAME": end.name,
        "BACKPROP_ENDED_STATUS": end.status,
        "BACKPROP_ENDED_CAUSE": end.cause,
        "BACKPROP_ENDED_AT": end.at,
    }
