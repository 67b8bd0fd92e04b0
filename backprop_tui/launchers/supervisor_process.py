"""Starts the one supervisor of this user and machine where none lives, and rings the bell of the one that does."""

from __future__ import annotations

import errno
import os
import sys
from dataclasses import dataclass

from backprop_tui.domain.errors import StateUnavailable
from backprop_tui.processes.linux import boot_id
from backprop_tui.store.home import Home
from backprop_tui.store.locks import Lock, is_locked, try_lock

LOCK, BELL, LOG = "supervisor.lock", "bell", "supervisor.log"
INHERITED_LOCK = 3  # the descriptor under which a supervisor inherits its lease
SIGNATURE_BYTES = 64
NOT_BORN = 0  # signed for a supervisor that is being started
_PROGRAM = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "supervise.py")
_TOLD_TO_SCRIPTS = "BACKPROP_RUN_"  # by these variables the processes of a run are found


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
        """Whether somebody holds the lease."""
        return is_locked(self.home.host_file(LOCK))

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
        if self._belongs_to_guarded_run():
            return
        lock = try_lock(self.home.host_file(LOCK))
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
            descriptor = os.open(self.home.host_file(BELL), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
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
        return os.path.dirname(folder) == self.home.runs and is_locked(os.path.join(folder, "lock"))

    def _spawn(self, lock: Lock) -> None:
        """In a session of its own, and without the marks of a run that it may be called from."""
        log = self.home.host_file(LOG)
        os.posix_spawn(
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


def sign_lease(lock: Lock, pid: int) -> None:
    """Writes whose the lease is: pid and boot id, so that a namesake on another machine can be told apart.

    Always of one length and in one write, so that nobody reads half of it, and a full disk has room for all but the
    first. Where it has not, work goes before signatures.
    """
    line = f"{pid} {boot_id()}".ljust(SIGNATURE_BYTES - 1) + "\n"
    try:
        os.pwrite(lock.descriptor, line.encode("ascii"), 0)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise


def refuse_other_machine(home: Home) -> None:
    """Two machines of one name on one state directory would each start the other's runs.

    Raises:
        StateUnavailable: the lease of this host name is held on another machine.
    """
    owner = lease_owner(home)
    if owner is not None and owner[1] != boot_id():
        raise StateUnavailable(
            f"{home.host_file(LOCK)}: held by another machine that is also called {home.host!r}; "
            "set BACKPROP_HOST to a name of its own on one of them"
        )


def lease_owner(home: Home) -> tuple[int, str] | None:
    """Pid (`NOT_BORN` at first) and boot id that the newest supervisor is signed with; None where there was none."""
    try:
        with open(home.host_file(LOCK), encoding="ascii") as file:
            words = file.read().split()
    except FileNotFoundError:
        return None
    return (int(words[0]), words[1]) if len(words) == 2 and words[0].isdigit() else None
