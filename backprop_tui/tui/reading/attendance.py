"""When somebody last looked at a dashboard of this machine: the modification time of an empty file."""

from __future__ import annotations

import os

from backprop_tui.store.home import Home

NOTE_SECONDS = 60.0  # what a killed dashboard forgets at most


class Attendance:
    """Shared by all dashboards of a machine: the newest look counts.

    A time and no content, so that nothing can be half-written; one that cannot be kept costs a digest, nothing more.
    """

    __slots__ = ("_noted_at", "_path")

    def __init__(self, home: Home) -> None:
        self._path = home.last_seen
        self._noted_at = float("-inf")

    def last(self) -> float | None:
        """The wall time of the last look; None where nobody ever looked."""
        try:
            return os.stat(self._path).st_mtime
        except OSError:
            return None

    def note_each_minute(self, now: float) -> None:
        """Somebody looks, at the wall time `now`."""
        if not 0 <= now - self._noted_at < NOTE_SECONDS:
            self.note(now)

    def note(self, now: float) -> None:
        """As `note_each_minute`, at once."""
        self._noted_at = now
        try:
            os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            os.utime(self._path, (now, now))
        except OSError:
            return
