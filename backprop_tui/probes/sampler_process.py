"""Starts, watches and replaces a sampler: for the supervisor, and for a dashboard or command where none lives."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence

_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sampler.py")
# Reset in the sampler, whatever the parent does with them.
_SIGNALS = (signal.SIGTERM, signal.SIGCHLD)

SILENT_SECONDS = 5.0  # without a new file a sampler counts as hung; or so many intervals
SILENT_INTERVALS = 5
RESTART_SECONDS = 2.0  # between two starts


class SamplerProcess:
    """At most one at a time; a sampler ends with the thread that started it, not only with the process."""

    def __init__(self, *, out: str, disk_path: str, log: str = os.devnull, python: Sequence[str] = ()) -> None:
        """`out` is the file with the readings; `log` takes what goes wrong. `python` is the interpreter's command."""
        self._out = out
        self._disk_path = disk_path
        self._log = log
        self._python = tuple(python) or (sys.executable, "-E", "-P")
        self._wanted: tuple[str, float] = ("auto", 1.0)
        self._running: tuple[str, float] | None = None
        self._pid: int | None = None
        self._killed: list[int] = []
        self._started_at = float("-inf")
        self._seen: tuple[int, int] | None = None
        self._seen_at = 0.0

    @property
    def pid(self) -> int | None:
        """The sampler's, None where there is none."""
        return self._pid

    def ensure(self, *, probe: str = "auto", interval_seconds: float = 1.0) -> None:
        """Starts a sampler where there is none, or in place of one that hangs or measures otherwise.

        To be called about once a second; it never waits.

        Raises:
            OSError: none can be started.
        """
        self._reap()
        now = time.monotonic()
        self._look(now)
        self._wanted = (probe, interval_seconds)
        if self._pid is not None and (self._running != self._wanted or self._is_silent(now)):
            self.kill()
        if self._pid is None and now - self._started_at >= RESTART_SECONDS:
            self._start(now)

    def kill(self) -> None:
        """Ends the sampler and what it called, without waiting: a driver may hold it back for ever."""
        if self._pid is None:
            return
        try:
            os.killpg(self._pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has ended by itself
        self._killed.append(self._pid)
        self._pid = None
        self._reap()

    def _start(self, now: float) -> None:
        probe, interval_seconds = self._wanted
        arguments = ["--out", self._out, "--disk-path", self._disk_path, "--probe", probe]
        arguments += ["--interval", str(interval_seconds), "--parent", str(os.getpid())]
        self._pid = os.posix_spawn(
            self._python[0],
            [*self._python, _PROGRAM, *arguments],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            ],
            setpgroup=0,
            setsigmask=(),
            setsigdef=_SIGNALS,
        )
        self._running = self._wanted
        self._started_at = self._seen_at = now

    def _look(self, now: float) -> None:
        """Whether the file has changed since the last look; its own times would follow a clock that is set."""
        try:
            found = os.stat(self._out)
        except OSError:
            return
        signature = (found.st_ino, found.st_mtime_ns)
        if signature != self._seen:
            self._seen, self._seen_at = signature, now

    def _is_silent(self, now: float) -> bool:
        limit = max(SILENT_SECONDS, SILENT_INTERVALS * self._wanted[1])
        return now - max(self._seen_at, self._started_at) > limit

    def _reap(self) -> None:
        if self._pid is not None and _has_ended(self._pid):
            self._pid = None
        self._killed = [pid for pid in self._killed if not _has_ended(pid)]


def _has_ended(pid: int) -> bool:
    """Whether a child has ended; somebody else may have reaped it."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
