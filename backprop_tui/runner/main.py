"""The guardian process, from its fork to the start of the script; `guarding` has the rest."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.launchers.supervisor_process import SupervisorProcess, start_supervisor_if_dead
from backprop_tui.processes.detached_log import note_exception
from backprop_tui.processes.linux import become_subreaper, is_subreaper_refused, rename_process
from backprop_tui.runner.script_child import SpareChild
from backprop_tui.runner.start import NeverStarted, adopt, start, verify_resume_checkpoint
from backprop_tui.store.home import Home
from backprop_tui.store.locks import Lock
from backprop_tui.store.run_directory import RunDirectory

if TYPE_CHECKING:
    import socket


# What is loaded after the start of the first script, if that cannot wait.
_PARTS = (
    "backprop_tui.readers.registry",
    "backprop_tui.runner.log_follower",
    "backprop_tui.domain.causes.registry",
    "backprop_tui.runner.finalize",
    "backprop_tui.runner.guardian",
    "ctypes",  # to watch a directory
)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """The run to guard, with its inherited lock; `adopting`: the script was started by an earlier guardian."""

    folder: str
    lock_descriptor: int
    adopting: bool
    supervisor: SupervisorProcess
    announcements: socket.socket | None = None  # to the supervisor of this machine
    child: SpareChild | None = None  # forked in advance

    def announce(self, script_pidfd: int) -> None:
        """Announces the script, if all that it leaves running stays below this process."""
        if self.announcements is not None and not is_subreaper_refused():
            from backprop_tui.launchers.launcher import (
                announce,  # the fork server has loaded it; a Slurm job needs none
            )

            announce(self.announcements, os.path.basename(self.folder), script_pidfd)


def become_guardian_and_exit(assignment: Assignment) -> None:
    """Runs the guardian in this forked and detached process; never returns."""
    code = 70
    try:
        os.set_inheritable(assignment.lock_descriptor, False)
        run_guardian(assignment)
        code = 0
    except BaseException as error:  # noqa: BLE001 - the boundary of a process: nothing above it but os._exit
        note_exception(error)
    finally:
        os._exit(code)


def load_guardian() -> Iterator[None]:
    """Loads all that a guardian needs, for a process that forks some later: an upgrade changes the files meanwhile.

    Yields after each part of some milliseconds.
    """
    for name in _PARTS:
        import_module(name)
        yield
    from backprop_tui.runner.guarding import fill_caches

    fill_caches()
    yield


def run_guardian(assignment: Assignment) -> None:
    """Guards the run until its end is written; only then the run's lock is released."""
    directory = RunDirectory(assignment.folder)
    lock = Lock(directory.file("lock"), assignment.lock_descriptor)
    session_ends = False
    try:
        session_ends = _guard(directory, assignment, _become_guardian())
    except Exception as error:
        _record_failure(directory, error, assignment.supervisor.home)
        raise
    finally:
        lock.close()
        if not session_ends:  # a supervisor would start the next run only to have it killed
            _ensure_supervisor(assignment.supervisor)


def _ensure_supervisor(supervisor: SupervisorProcess) -> None:
    """Makes sure that a supervisor will index this end and start the next run."""
    try:
        start_supervisor_if_dead(supervisor)
    except (BackpropError, OSError) as error:
        note_exception(error)


def detach() -> None:
    """Leaves session and directory of the parent, and becomes the subreaper of what this process will start."""
    os.setsid()
    os.chdir("/")
    os.umask(0o077)
    # An ignored SIGCHLD would survive every exec, and lose the script's exit status.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(ignored, signal.SIG_IGN)
    become_subreaper()


def _become_guardian() -> int:
    """From here on a signal asks for a stop; returns the descriptor that becomes readable when one arrives."""
    reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    for waking in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(waking, lambda _number, _frame: None)
    signal.set_wakeup_fd(writing)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    rename_process("backprop-run")
    return reading


def _guard(directory: RunDirectory, assignment: Assignment, wake: int) -> bool:
    """Guards the run until its end is written; returns whether the session or machine is ending."""
    run = directory.read()
    earlier = directory.read_live()
    checkpoint_change = None
    if not assignment.adopting:
        run, checkpoint_change = verify_resume_checkpoint(directory, run)
    if assignment.adopting:
        result = adopt(directory, run, assignment.child)
    else:
        result = start(directory, run, assignment.child, assignment.announce)
    if isinstance(result, NeverStarted):
        return False
    # The fork server has loaded it already. In a Slurm job the script starts first.
    from backprop_tui.runner.guarding import guard_script

    return guard_script(directory, run, result, earlier, checkpoint_change, assignment, wake)


def _record_failure(directory: RunDirectory, error: Exception, home: Home) -> None:
    """Records why this guardian cannot continue; the next one adopts its script if that is still alive."""
    from backprop_tui.store.failures import describe, note_failure

    reason = describe(error)
    failure = note_failure(home, os.path.basename(directory.path), reason)
    try:
        directory.append_event("guardian_failed", reason, time=time.time(), count=failure.count)
        directory.note_problem(f"its guardian failed: {reason}")
    except BackpropError as problem:
        note_exception(problem)
