"""The bell: a FIFO by which front ends wake the supervisor; see fifo(7)."""

from __future__ import annotations

import os

from backprop_tui.store.home import Home


class Bell:
    """Hung up while somebody listens; only the holder of the lease hangs it up."""

    __slots__ = ("_path", "descriptor")

    def __init__(self, home: Home) -> None:
        self._path = home.bell
        try:
            os.unlink(self._path)  # of a supervisor that was killed; its listener is gone, its rings are stale
        except FileNotFoundError:
            pass
        os.mkfifo(self._path, 0o600)
        # Read and write: with a writer of its own it never sees an end of file.
        self.descriptor = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def drain(self) -> None:
        """Forgets the rings that came."""
        try:
            while os.read(self.descriptor, 4096):
                continue
        except BlockingIOError:
            return

    def take_down(self) -> None:
        """Whoever rings from now on finds nobody."""
        try:
            os.unlink(self._path)
        except FileNotFoundError:
            pass
        os.close(self.descriptor)
