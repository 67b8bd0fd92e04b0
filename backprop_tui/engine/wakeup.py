"""A FIFO by which front ends wake the supervisor; see fifo(7)."""

from __future__ import annotations

import os

from backprop_tui.store.home import Home


class Bell:
    """The supervisor's end of the FIFO; exists while a supervisor listens. Only the holder of the lease creates it."""

    def __init__(self, home: Home) -> None:
        self._path = home.bell
        try:
            os.unlink(self._path)  # left by a supervisor that was killed: no process reads it
        except FileNotFoundError:
            pass
        os.mkfifo(self._path, 0o600)
        # Opened for reading and writing: with a writer of its own, the reader never sees an end of file.
        self.descriptor = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def drain(self) -> None:
        try:
            while os.read(self.descriptor, 4096):
                continue
        except BlockingIOError:
            return

    def remove(self) -> None:
        """Removes the FIFO, so that front ends see that no supervisor listens."""
        try:
            os.unlink(self._path)
        except FileNotFoundError:
            pass
        os.close(self.descriptor)
