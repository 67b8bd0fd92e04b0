"""Starts the supervisor of this user and machine if none lives, and wakes the one that does."""

from __future__ import annotations

import os
import stat
import sys

from backprop_tui.domain.errors import StateUnavailable, SupervisorFailing, SystemUnfit
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.launchers.lease import STARTING, refuse_other_machine, sign_lease, supervisor_pid
from backprop_tui.processes.detached_log import note_exception
from backprop_tui.processes.linux import become_subreaper, stop_as_subreaper
from backprop_tui.store.failures import SUPERVISOR, failure_of
from backprop_tui.store.files import make_writable
from backprop_tui.store.home import Home
from backprop_tui.store.locks import Lock, is_locked, try_lock
from backprop_tui.store.run_directory import RunDirectory

INHERITED_LOCK = 3  # the descriptor under which a supervisor inherits its lease
_PROGRAM = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "supervise.py")
_RUN_VARIABLES = "BACKPROP_RUN_"  # prefix of the variables that identify the processes of a run
_started: list[int] = []  # supervisors that are children of this process


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnd:
    """Why a session ends; `cause` is a kind of cause, None for the usual one."""

    reason: str
    cause: str | None = None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorProcess:
    """The supervisor of a state directory; `config_path` is the user's config.toml, which may not exist."""

    home: Home
    config_path: str

    @property
    def command(self) -> list[str]:
        """Its command line: with the standard library alone it starts in a few milliseconds.

        Names are UTF-8 to it whatever the locale of the shell: runs are queued from others too.
        """
        return [sys.executable, "-I", "-S", "-X", "utf8", _PROGRAM, self.home.root, self.home.host, self.config_path]

    def is_alive(self) -> bool:
        """Returns whether the lease is held, without trying it, which could keep another process from starting one."""
        return supervisor_pid(self.home) is not None

    def call(self) -> None:
        """Wakes the supervisor, or starts one. Raises: StateUnavailable, if another machine has the lease."""
        if not self.ring():
            self.ensure()

    def ensure(self) -> None:
        """Starts a supervisor, detached, unless one is alive.

        Raises: StateUnavailable, as `call`; SupervisorFailing; SystemUnfit.
        """
        reap_ended()
        if self._belongs_to_guarded_run():
            return
        if not os.access(self.home.host_folder, os.W_OK | os.X_OK):
            raise StateUnavailable(f"{self.home.host_folder}: not writable", "backprop-tui doctor says why")
        lock = try_lock(self.home.supervisor_lock)
        if lock is None:
            # One is starting, or ending: then it looks for work once more after giving up the lease.
            refuse_other_machine(self.home)
            return
        with lock:
            self._refuse_failing()
            self.require_fit()
            sign_lease(lock, STARTING)
            self._spawn(lock)

    def require_fit(self) -> None:
        """Makes sure that a supervisor would work, unless one seems to.

        Raises: SystemUnfit; StateUnavailable, if the file system of the store has no named pipes.
        """
        if os.path.exists(self.home.bell):
            return
        from backprop_tui.processes.requirements import unmet_requirement  # only where a supervisor is started

        unmet = unmet_requirement()
        if unmet is not None:
            raise SystemUnfit(*unmet)
        trial = f"{self.home.bell}.{os.getpid()}"
        try:
            os.mkfifo(trial, 0o600)
            os.unlink(trial)
        except OSError as error:
            raise StateUnavailable(
                f"{self.home.host_folder}: no named pipe can be made there ({error.strerror})",
                "set BACKPROP_HOME to a directory on a local disk",
            ) from error

    def _refuse_failing(self) -> None:
        """Raises SupervisorFailing while the pause after repeated failures lasts."""
        failure = failure_of(self.home, SUPERVISOR)
        if failure is not None and failure.seconds_left() > 0:
            raise SupervisorFailing(
                f"the supervisor {failure}", f"runs wait until then; see {self.home.supervisor_log}"
            )

    @property
    def signals_scripts(self) -> bool:
        """Whether the end of a session is signalled to scripts too, which may then exit with any code."""
        return False

    def session_end(self) -> SessionEnd:
        """Why a guardian gets SIGTERM."""
        return SessionEnd(reason="the session or machine is ending")

    def ring(self) -> bool:
        """Wakes a living supervisor; False if there is none. See fifo(7): ENXIO means no reader.

        The bell may be one of root, a file of a copied store, or held open by a foreign process: then a supervisor that
        is started makes another.
        """
        try:
            descriptor = os.open(self.home.bell, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return False
        try:
            if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                return False
            os.write(descriptor, b"!")
        except BlockingIOError:
            pass  # the pipe is full of wake-ups
        except BrokenPipeError:
            return False
        finally:
            os.close(descriptor)
        return self.is_alive()

    def _belongs_to_guarded_run(self) -> bool:
        """Returns whether this process is part of a run, whose guardian can start supervisors that outlive it."""
        folder = os.environ.get("BACKPROP_RUN_DIR", "")
        return os.path.dirname(folder) == self.home.runs and is_locked(RunDirectory(folder).lock_path)

    def _spawn(self, lock: Lock) -> None:
        """Starts it in its own session, without the variables that would make it part of a run."""
        log = self.home.supervisor_log
        make_writable(log)
        variables = {name: value for name, value in os.environ.items() if not name.startswith(_RUN_VARIABLES)}
        actions = [
            (os.POSIX_SPAWN_DUP2, lock.descriptor, INHERITED_LOCK),
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        try:
            pid = os.posix_spawn(sys.executable, self.command, variables, file_actions=actions, setsid=True)
        except OSError as error:
            problem = f"the supervisor cannot be started: {error.strerror}"
            raise SystemUnfit(problem, "backprop-tui doctor says what is in the way") from error
        _started.append(pid)


def reap_ended() -> None:
    """Reaps the supervisors that this process started: a front end that runs for days would collect zombies."""
    for pid in [*_started]:
        try:
            if os.waitpid(pid, os.WNOHANG)[0] == 0:
                continue
        except ChildProcessError:
            pass  # a child of the process this one was forked from
        _started.remove(pid)


def start_supervisor_if_dead(supervisor: SupervisorProcess) -> bool:
    """Starts a supervisor if none is alive; returns whether it did.

    A descendant would be paused and killed together with the run, and with it every guardian that it starts. So a child
    starts the supervisor and exits at once, while this process is no subreaper. Orphans that the script leaves in that
    moment are not adopted by this process either.

    Raises:
        StateUnavailable: it could not be started.
    """
    if supervisor.is_alive():
        return False
    stop_as_subreaper()
    try:
        pid = os.fork()
        if pid == 0:
            _start_and_exit(supervisor)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        become_subreaper()
    if code != 0:
        raise StateUnavailable("the supervisor could not be started", f"see {supervisor.home.supervisor_log}")
    return True


def _start_and_exit(supervisor: SupervisorProcess) -> None:
    code = 70
    try:
        supervisor.ensure()
        code = 0
    except BaseException as error:  # noqa: BLE001 - the boundary of a process: nothing above it but os._exit
        note_exception(error)
    finally:
        os._exit(code)
