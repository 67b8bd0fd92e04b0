"""A FIFO by which front ends wake the supervisor; see fifo(7)."""

from __future__ import annotations

import os

from backprop_tui.store.files import set_aside
from backprop_tui.store.home import Home


class Bell:
    """The supervisor's end of the FIFO; exists while a supervisor listens. Only the holder of the lease creates it."""

    def __init__(self, home: Home) -> None:
        self._path = home.bell
        self._clear()
        os.mkfifo(self._path, 0o600)
        # Opened for reading and writing: with a writer of its own, the reader never sees an end of file.
        self.descriptor = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def _clear(self) -> None:
        """Removes what a supervisor that was killed left, which no process reads; and what is no FIFO."""
        try:
            os.unlink(self._path)
        except FileNotFoundError:
            return
        except OSError:
            if not set_aside(self._path):
                raise

    def drain(self) -> None:
        try:
            while os.read(self.descriptor, 4096):
                continue
        except BlockingIOError:
            return

    def remove(self) -> None:
        """Removes the FIFO, so that front ends see that no supervisor listens."""
        self._clear()
        os.close(self.descriptor)
