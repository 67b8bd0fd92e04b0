"""Starts the one supervisor of this user and machine where none lives, and rings the bell of the one that does."""

from __future__ import annotations

import errno
import os
import sys

from backprop_tui.domain.values import dataclass
from backprop_tui.launchers.lease import NOT_BORN, refuse_other_machine, sign_lease, supervisor_pid
from backprop_tui.store.home import Home
from backprop_tui.store.locks import Lock, is_locked, try_lock
from backprop_tui.store.run_directory import RunDirectory

INHERITED_LOCK = 3  # the descriptor under which a supervisor inherits its lease
_PROGRAM = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "supervise.py")
_TOLD_TO_SCRIPTS = "BACKPROP_RUN_"  # by these variables the processes of a run are found
_started: list[int] = []  # supervisors that are children of this process


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorProcess:
    """How to call the supervisor of a state directory; `config_path` is the user's config.toml, which may not exist."""

    home: Home
    config_path: str

    @property
    def command(self) -> list[str]:
        """What starts it: the standard library alone, in a few milliseconds."""
        return [sys.executable, "-I", "-S", _PROGRAM, self.home.root, self.home.host, self.config_path]

    def lives(self) -> bool:
        """Whether somebody holds the lease; by looking alone: to try it could keep another from starting one."""
        return supervisor_pid(self.home) is not None

    def call(self) -> None:
        """There is unfinished work: a living supervisor looks at once, else one is started, detached.

        Raises:
            StateUnavailable: another machine of the same name holds the lease of this state directory.
        """
        if not self.ring():
            self.ensure()

    def ensure(self) -> None:
        """Starts a supervisor where none lives; one that lives is left in peace.

        Raises:
            StateUnavailable: as `call`.
        """
        reap_ended()
        if self._belongs_to_guarded_run():
            return
        lock = try_lock(self.home.supervisor_lock)
        if lock is None:
            # It is being born, or about to end: then it looks once more after giving up the lease.
            refuse_other_machine(self.home)
            return
        with lock:
            sign_lease(lock, NOT_BORN)
            self._spawn(lock)

    def ring(self) -> bool:
        """Wakes a living supervisor; False where nobody listens. See fifo(7): ENXIO means no reader."""
        try:
            descriptor = os.open(self.home.bell, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in (errno.ENXIO, errno.ENOENT):
                return False
            raise
        try:
            os.write(descriptor, b"!")
        except BlockingIOError:
            pass  # so many rings are waiting that one more says nothing new
        except BrokenPipeError:
            return False
        finally:
            os.close(descriptor)
        return True

    def _belongs_to_guarded_run(self) -> bool:
        """Called from inside of a run: its guardian starts supervisors too, which are not swept with the run."""
        folder = os.environ.get("BACKPROP_RUN_DIR", "")
        return os.path.dirname(folder) == self.home.runs and is_locked(RunDirectory(folder).lock_path)

    def _spawn(self, lock: Lock) -> None:
        """In a session of its own, and without the marks of a run that it may be called from."""
        log = self.home.supervisor_log
        pid = os.posix_spawn(
            sys.executable,
            self.command,
            {name: value for name, value in os.environ.items() if not name.startswith(_TOLD_TO_SCRIPTS)},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, lock.descriptor, INHERITED_LOCK),
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        _started.append(pid)


def reap_ended() -> None:
    """A front end that lives for days starts many supervisors, and each ends before it: leaves no zombies."""
    for pid in [*_started]:
        try:
            if os.waitpid(pid, os.WNOHANG)[0] == 0:
                continue
        except ChildProcessError:
            pass  # of the process that this one was forked from
        _started.remove(pid)
