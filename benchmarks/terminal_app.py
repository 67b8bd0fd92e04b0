"""A full-screen application in a pseudo-terminal: when it has painted, how much it sends, how long a key takes."""

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

from benchmarks.timing import cpu_seconds, main_thread_seconds

COLUMNS, ROWS = 120, 40
PATIENCE_SECONDS = 60.0
_CHUNK = 1 << 16
_SILENCE_SECONDS = 0.1  # after which a key has been handled
# What applications ask the terminal before the first paint, and the usual answers: position, background, identity.
_QUERY_END, _ANSWER = b"\x1b[c", b"\x1b[1;2R\x1b]11;rgb:0f0f/1414/1919\x1b\\\x1b[?64;22c"


class TerminalApp:
    """Starts the application at once; with `environment` None it inherits the environment of this process."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self._terminal, app_end = pty.openpty()
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        terminal_variables = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        self._is_answered = False
        self._started = time.perf_counter()
        self.pid = os.posix_spawn(
            command[0],
            list(command),
            {**(os.environ if environment is None else environment), **terminal_variables},
            setsid=True,
            # Opened by the leader of a session without a terminal, it becomes the controlling terminal.
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.ttyname(app_end), os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
                (os.POSIX_SPAWN_DUP2, 0, 2),
            ],
        )
        os.close(app_end)

    def seconds_until(self, *texts: bytes) -> float:
        """Returns the time from just before the start until the application has sent all texts.

        Raises:
            TimeoutError: it did not send them.
        """
        self.wait_for(*texts)
        return time.perf_counter() - self._started

    def wait_for(self, *texts: bytes) -> None:
        """Waits until the application has sent all texts.

        Raises:
            TimeoutError: it did not send them.
        """
        output, deadline = b"", time.monotonic() + PATIENCE_SECONDS
        while any(text not in output for text in texts):
            if not select.select([self._terminal], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError(f"the application did not send {texts!r}; its last output was {output[-200:]!r}")
            output += os.read(self._terminal, _CHUNK)
            if not self._is_answered and _QUERY_END in output:
                self._is_answered = True
                self.press(_ANSWER)

    def output(self, seconds: float) -> bytes:
        """Returns what the application sends during the next `seconds`."""
        deadline, output = time.monotonic() + seconds, b""
        while (remaining := deadline - time.monotonic()) > 0:
            if select.select([self._terminal], [], [], remaining)[0]:
                output += os.read(self._terminal, _CHUNK)
        return output

    def cost(self, seconds: float) -> tuple[float, float]:
        """Returns CPU in percent of a core and kB/s sent, measured over `seconds`."""
        start, cpu_before = time.monotonic(), cpu_seconds(self.pid)
        sent = len(self.output(seconds))
        elapsed = time.monotonic() - start
        return (cpu_seconds(self.pid) - cpu_before) / elapsed * 100, sent / elapsed / 1000

    def press(self, key: bytes) -> None:
        os.write(self._terminal, key)

    def seconds_to_paint(self, key: bytes, sent_bytes: int) -> float:
        """Returns the time from a key until `sent_bytes` were sent.

        Choose less than a scrolled screen sends, and more than a changed status row sends.
        """
        self.output(0.02)
        start, received = time.perf_counter(), 0
        self.press(key)
        while received < sent_bytes and time.perf_counter() - start < 1.0:
            if select.select([self._terminal], [], [], 1.0)[0]:
                received += len(os.read(self._terminal, _CHUNK))
        return time.perf_counter() - start

    def main_thread_seconds_of(self, key: bytes) -> float:
        """Returns the CPU time that the main thread spends on a key until nothing more is sent.

        Unlike the time to the paint it does not depend on what else the machine does.
        """
        self._drain()
        before = main_thread_seconds(self.pid)
        self.press(key)
        self._drain()
        return main_thread_seconds(self.pid) - before

    def _drain(self) -> None:
        """Reads until the application is silent."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while select.select([self._terminal], [], [], _SILENCE_SECONDS)[0] and time.monotonic() < deadline:
            os.read(self._terminal, _CHUNK)

    def proportional_kilobytes(self) -> int:
        """Returns the PSS of the application's process."""
        with open(f"/proc/{self.pid}/smaps_rollup", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))

    def close(self, key: bytes = b"") -> None:
        """Ends the application with the given key, or with SIGTERM."""
        if key:
            self.press(key)
            self._drain_until_exit()
        else:
            os.kill(self.pid, signal.SIGTERM)
        os.close(self._terminal)
        os.waitpid(self.pid, 0)

    def _drain_until_exit(self) -> None:
        try:
            while select.select([self._terminal], [], [], PATIENCE_SECONDS)[0] and os.read(self._terminal, _CHUNK):
                pass
        except OSError:  # EIO: no process has the other end open any more
            return
        os.kill(self.pid, signal.SIGKILL)
