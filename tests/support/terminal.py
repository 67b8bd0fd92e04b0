"""A pseudo-terminal with a program in it: its screen, modes and settings."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Self

import pyte

from backprop_tui.processes.identity import identify, is_alive
from tests.support import processes
from tests.support.waiting import PATIENCE_SECONDS, wait_until

ALTERNATE_SCREEN, CURSOR, WRAP = 1049, 25, 7
_ON_AT_FIRST = frozenset({CURSOR, WRAP})
_MODE = re.compile(rb"\x1b\[\?([\d;]+)([hl])")
_KEYBOARD = re.compile(rb"\x1b\[([<>])\d*u")
# What pyte takes for text: the keyboard protocol, and questions about modes.
_UNKNOWN = re.compile(rb"\x1b\[[<>=][\d;]*[a-zA-Z]|\x1b\[\?[\d;]*\$p")
_ENTERS_ALTERNATE_SCREEN = b"\x1b[?1049h"
_CLEARS_SCREEN = b"\x1b[2J"
_IN_A_DIRECTORY = ("/bin/sh", "-c", 'cd "$0" && exec "$@"')


class Terminal:
    """Runs a command as the session leader of a new terminal; `hang_up` closes it like a lost SSH connection."""

    def __init__(
        self, command: Sequence[str], *, environment: Mapping[str, str], cwd: str, size: tuple[int, int] = (120, 40)
    ) -> None:
        """`size` is columns and rows."""
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self.written = b""  # everything, from the beginning
        self._master, self._slave = pty.openpty()
        self._set_size(size)
        self.settings_before = termios.tcgetattr(self._slave)
        self.pid = os.posix_spawn(
            _IN_A_DIRECTORY[0],
            (*_IN_A_DIRECTORY, cwd, *command),
            {**environment, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
            file_actions=[
                # The first terminal that the leader of a session opens is its own.
                (os.POSIX_SPAWN_OPEN, 0, os.ttyname(self._slave), os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
                (os.POSIX_SPAWN_DUP2, 0, 2),
            ],
            setsid=True,
            setsigdef=(signal.SIGINT, signal.SIGHUP, signal.SIGTSTP),
        )
        self._identity = identify(self.pid)
        self._exit_code: int | None = None
        self._stop, self._stopper = os.pipe()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._exit_code is None and self._identity is not None:
            processes.kill(self._identity)
            self.wait_for_exit()
        self.hang_up()
        os.close(self._slave)

    def _read(self) -> None:
        while True:
            ready, _, _ = select.select([self._master, self._stop], [], [])
            if self._stop in ready:
                return
            try:
                some = os.read(self._master, 1 << 16)
            except OSError:  # no process has it open any more
                return
            with self._lock:
                self.written += some
                # Terminals clear the alternate screen, which pyte does not have.
                some = some.replace(_ENTERS_ALTERNATE_SCREEN, _ENTERS_ALTERNATE_SCREEN + _CLEARS_SCREEN)
                self._stream.feed(_UNKNOWN.sub(b"", some))

    def stop_reading(self) -> None:
        """Stops reading the output, like a frozen window."""
        if self._reader.is_alive():
            os.write(self._stopper, b"!")
            self._reader.join()

    def hang_up(self) -> None:
        """Closes the terminal."""
        if self._master >= 0:
            self.stop_reading()
            os.close(self._master)
            self._master = -1

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Changes the size of the window."""
        with self._lock:
            self._screen.resize(rows, columns)
        self._set_size((columns, rows))

    def _set_size(self, size: tuple[int, int]) -> None:
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))

    def shown(self) -> str:
        """The text on the screen."""
        with self._lock:
            return "\n".join(line.rstrip() for line in self._screen.display)

    def wait_for(self, text: str, *, seconds: float = PATIENCE_SECONDS) -> str:
        """Waits until the screen shows this; returns the screen."""
        wait_until(lambda: text in self.shown(), f"{text!r} on the screen", seconds=seconds, report=self.shown)
        return self.shown()

    def wait_until_gone(self, text: str) -> None:
        """Waits until the screen no longer shows this."""
        wait_until(lambda: text not in self.shown(), f"no {text!r} on the screen", report=self.shown)

    def wait_for_written(self, content: bytes, *, after: int = 0) -> None:
        """Waits until these bytes were written; the first `after` bytes do not count."""
        wait_until(
            lambda: content in self.written[after:], f"{content!r} written", report=lambda: repr(self.written[-500:])
        )

    def modes(self) -> set[int]:
        """The private modes that are set."""
        modes = set(_ON_AT_FIRST)
        for numbers, switch in _MODE.findall(self.written):
            for number in map(int, numbers.split(b";")):
                (modes.add if switch == b"h" else modes.discard)(number)
        return modes

    def keyboard_protocols(self) -> int:
        """How many keyboard protocols are pushed and not popped."""
        pushed = [switch == b">" for switch in _KEYBOARD.findall(self.written)]
        return pushed.count(True) - pushed.count(False)

    def is_restored(self) -> bool:
        """Whether all modes and settings are as before the program started."""
        return (
            self.modes() == set(_ON_AT_FIRST)
            and self.keyboard_protocols() <= 0
            and self.settings() == self.settings_before
        )

    def settings(self) -> list[Any]:
        """What `stty -a` shows."""
        return termios.tcgetattr(self._slave)

    def state(self) -> str:
        """What is not restored yet, for messages."""
        return f"modes {self.modes()}, keyboard {self.keyboard_protocols()}, screen:\n{self.shown()}"

    def signal(self, number: int) -> None:
        """Signals the program."""
        assert self._identity is not None
        assert processes.kill(self._identity, number)

    def wait_for_exit(self, *, seconds: float = PATIENCE_SECONDS) -> int:
        """The exit code, as a shell shows it."""

        def exited() -> bool:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self._exit_code = 128 - code if code < 0 else code
            return pid != 0

        if self._exit_code is None:
            wait_until(exited, "the program ended", seconds=seconds, report=self.shown)
        assert self._exit_code is not None
        return self._exit_code

    def lives(self) -> bool:
        """Whether the program is alive."""
        return self._identity is not None and is_alive(self._identity)
