"""A program that is started without the module `subprocess`, which takes longer to load than the program may run."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Mapping, Sequence

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.processes.linux import die_with_parent

_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)  # by Python, which a program must not inherit
NOT_EXECUTED = 127
LATE_SECONDS = 3.0


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a program ended (below 0: by that signal), and what it wrote."""

    code: int
    output: bytes
    errors: bytes


class Spawned:
    """A child whose input, output and errors are files in memory. It must be finished exactly once."""

    def __init__(
        self, path: str, arguments: Sequence[str], environment: Mapping[str, str], given: bytes, *, bound: bool = False
    ) -> None:
        """`given` is its input. A `bound` one is killed when this thread ends, however that ends. Raises: OSError."""
        self._files = [os.memfd_create(name) for name in ("input", "output", "errors")]
        try:
            os.write(self._files[0], given)
            os.lseek(self._files[0], 0, os.SEEK_SET)
            start = self._fork if bound else self._spawn
            self.pid = start(path, [path, *arguments], environment)
        except OSError:
            self._close()
            raise

    def _spawn(self, path: str, words: list[str], environment: Mapping[str, str]) -> int:
        actions = [(os.POSIX_SPAWN_DUP2, file, number) for number, file in enumerate(self._files)]
        return os.posix_spawn(path, words, environment, file_actions=actions, setsigdef=_IGNORED)

    def _fork(self, path: str, words: list[str], environment: Mapping[str, str]) -> int:
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                die_with_parent(signal.SIGKILL)
                if os.getppid() != parent:
                    os._exit(NOT_EXECUTED)  # it ended before that took effect
                for ignored in _IGNORED:
                    signal.signal(ignored, signal.SIG_DFL)
                for number, file in enumerate(self._files):
                    os.dup2(file, number)
                os.execve(path, words, environment)  # noqa: S606 - no shell is needed
            finally:
                os._exit(NOT_EXECUTED)
        return pid

    def finish(self, seconds: float, *, late: Callable[[], None] = lambda: None) -> Finished | None:
        """Waits for its end; kills it after so many seconds, and returns None then. Calls `late` if it takes long."""
        is_reaped = False
        try:
            pidfd = os.pidfd_open(self.pid)
            try:
                poll = select.poll()
                poll.register(pidfd, select.POLLIN)
                if not poll.poll(min(seconds, LATE_SECONDS) * 1000):
                    late()
                    if not poll.poll(max(0.0, seconds - LATE_SECONDS) * 1000):
                        return None
            finally:
                os.close(pidfd)
            status = os.waitpid(self.pid, 0)[1]
            is_reaped = True
            output, errors = (os.pread(file, os.fstat(file).st_size, 0) for file in self._files[1:])
            return Finished(code=os.waitstatus_to_exitcode(status), output=output, errors=errors)
        finally:
            if not is_reaped:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
            self._close()

    def _close(self) -> None:
        for file in self._files:
            os.close(file)
