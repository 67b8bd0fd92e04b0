"""A full-screen application in a pseudo-terminal of its own: when it painted what, what it sends, what a key takes."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence

from benchmarks.clock import cpu_seconds

COLUMNS, ROWS = 120, 40
PATIENCE_SECONDS = 60.0
_CHUNK = 1 << 16
# What terminals are asked before the first paint, and what a usual one answers: position, background, identity.
_QUESTION_ENDS, _ANSWER = b"\x1b[c", b"\x1b[1;2R\x1b]11;rgb:0f0f/1414/1919\x1b\\\x1b[?64;22c"


class Watched:
    """Started at once; `environment` None is that of the benchmark."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self._terminal, terminal_of_it = pty.openpty()
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        shown = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        self._is_answered = False
        self._began = time.perf_counter()
        self.pid = os.posix_spawn(
            command[0],
            list(command),
            {**(os.environ if environment is None else environment), **shown},
            setsid=True,
            # Opened by the leader of a session that has none, it is the controlling terminal.
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.ttyname(terminal_of_it), os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
                (os.POSIX_SPAWN_DUP2, 0, 2),
            ],
        )
        os.close(terminal_of_it)

    def seconds_until(self, *words: bytes) -> float:
        """From before it was started until it has sent all of them.

        Raises:
            TimeoutError: it never did.
        """
        self.wait_for(*words)
        return time.perf_counter() - self._began

    def wait_for(self, *words: bytes) -> None:
        """Until it has sent all of them.

        Raises:
            TimeoutError: it never did.
        """
        found, until = b"", time.monotonic() + PATIENCE_SECONDS
        while any(word not in found for word in words):
            if not select.select([self._terminal], [], [], max(0.0, until - time.monotonic()))[0]:
                raise TimeoutError(f"{words!r} never came; the last was {found[-200:]!r}")
            found += os.read(self._terminal, _CHUNK)
            if not self._is_answered and _QUESTION_ENDS in found:
                self._is_answered = True
                self.press(_ANSWER)

    def output(self, seconds: float) -> bytes:
        """What it sends within that time."""
        until, found = time.monotonic() + seconds, b""
        while (left := until - time.monotonic()) > 0:
            if select.select([self._terminal], [], [], left)[0]:
                found += os.read(self._terminal, _CHUNK)
        return found

    def cost(self, seconds: float) -> tuple[float, float]:
        """CPU in percent of one core and kB/s sent, over that time."""
        began, used = time.monotonic(), cpu_seconds(self.pid)
        sent = len(self.output(seconds))
        took = time.monotonic() - began
        return (cpu_seconds(self.pid) - used) / took * 100, sent / took / 1000

    def press(self, key: bytes) -> None:
        """Types."""
        os.write(self._terminal, key)

    def seconds_to_paint(self, key: bytes, sent_bytes: int) -> float:
        """From a key until so much was sent: less than a screen sends that scrolled, more than a status row."""
        self.output(0.02)
        began, received = time.perf_counter(), 0
        self.press(key)
        while received < sent_bytes and time.perf_counter() - began < 1.0:
            if select.select([self._terminal], [], [], 1.0)[0]:
                received += len(os.read(self._terminal, _CHUNK))
        return time.perf_counter() - began

    def proportional_kilobytes(self) -> int:
        """PSS."""
        with open(f"/proc/{self.pid}/smaps_rollup", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))

    def close(self, key: bytes = b"") -> None:
        """By the key that leaves it, else by force."""
        if key:
            self.press(key)
            self._drain_until_gone()
        else:
            os.kill(self.pid, signal.SIGTERM)
        os.close(self._terminal)
        os.waitpid(self.pid, 0)

    def _drain_until_gone(self) -> None:
        try:
            while select.select([self._terminal], [], [], PATIENCE_SECONDS)[0] and os.read(self._terminal, _CHUNK):
                pass
        except OSError:  # EIO: nobody has the other end any more
            return
        os.kill(self.pid, signal.SIGKILL)
