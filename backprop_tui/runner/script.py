"""The script: the forked child writes its pid into script.lock, keeps that lock as its stdin, and execs."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
from collections.abc import Mapping, Sequence

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.run import Process
from backprop_tui.processes.detached_log import STDERR
from backprop_tui.processes.identity import Identity, identify, open_pidfd, wait_status_of_nonchild
from backprop_tui.processes.requirements import attainable
from backprop_tui.store.files import open_own

# The supervisor is the subreaper of orphaned scripts, and keeps their zombies for two seconds so they can be read.
REAPED_WITHIN_SECONDS = 4.0
START_SECONDS = 2.0  # an exec takes some milliseconds


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Everything the forked child needs, prepared before the fork."""

    attempt: int
    arguments: Sequence[str]
    environment: Mapping[str, str]
    cwd: str
    process: Process
    log_path: str


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class CannotStart:
    """The program or its working directory could not be used; `problem` is the system's error message."""

    path: str
    problem: str
    not_found: bool


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The forked child. `report` tells whether it runs the program: None if it does, else a pipe that will say."""

    identity: Identity
    report: int | None = None


def start_script(launch: Launch, script_lock: int) -> Started | CannotStart:
    """Forks and executes; returns once the program is running or has turned out not to start.

    Its directory or the program may be on a disk that does not answer: after some seconds it returns all the same.
    `script_lock` is the descriptor of the held script.lock. The child keeps it as stdin; the caller closes its own.
    """
    log = open_own(launch.log_path, os.O_WRONLY | os.O_APPEND, follow=True)
    os.set_blocking(log, True)  # the script writes to it
    reading, writing = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        _become_script(launch, script_lock, log, writing)
    os.close(log)
    os.close(writing)
    identity = Identity(pid, _start_time(pid))
    if not select.select([reading], [], [], START_SECONDS)[0]:
        return Started(identity=identity, report=reading)
    failure = _read_report(reading)
    if failure is not None:
        os.waitpid(pid, 0)
        return failure
    return Started(identity=identity)


def _read_report(report: int) -> CannotStart | None:
    """What the child wrote before it ended; None if it became the program. Closes the pipe."""
    with os.fdopen(report, "rb") as pipe:
        failure = pipe.read()
    return CannotStart(**json.loads(failure)) if failure else None


def _start_time(pid: int) -> int:
    identity = identify(pid)
    if identity is None:
        raise ProcessLookupError(pid)  # impossible: only this process reaps it
    return identity.start_time


def _become_script(launch: Launch, script_lock: int, log: int, failure: int) -> None:
    """Becomes the script, or writes why it cannot into `failure` and exits; never returns."""
    path = launch.arguments[0]
    try:
        os.setsid()
        _reset_signals()
        record = f"{launch.attempt} {os.getpid()} {_start_time(os.getpid())}\n"
        os.write(script_lock, record.encode("ascii"))
        _close_all_but(script_lock, log, failure)
        os.dup2(script_lock, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        _apply(launch.process)
        path = launch.cwd
        os.chdir(launch.cwd)
        path = launch.arguments[0]
        os.execvpe(path, list(launch.arguments), dict(launch.environment))  # noqa: S606 - the user's command
    except OSError as error:
        report = {"path": path, "problem": error.strerror, "not_found": isinstance(error, FileNotFoundError)}
        os.write(failure, json.dumps(report).encode("ascii"))
    finally:
        os._exit(127)


def _close_all_but(*kept: int) -> None:
    """Closes the guardian's descriptors: a child that hangs before the exec must not keep the run locked."""
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor > STDERR and descriptor not in kept:
            try:
                os.close(descriptor)
            except OSError:
                continue  # the descriptor that was used for listing


def _reset_signals() -> None:
    """Resets all signals: a process started in the background may ignore SIGINT, which would survive the exec."""
    for number in signal.valid_signals():
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            try:
                signal.signal(number, signal.SIG_DFL)
            except OSError:
                continue  # the C library reserves some real-time signals
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _apply(process: Process) -> None:
    """Applies the umask, niceness and limits of the shell in which the run was queued."""
    os.umask(process.umask)
    current = os.nice(0)
    if process.nice > current:  # lowering it would need privileges
        os.nice(process.nice - current)
    for name, soft, hard in process.rlimits:
        number = getattr(resource, name, None)
        if number is None:
            continue
        try:
            resource.setrlimit(number, attainable(number, soft, hard))
        except (ValueError, OSError):
            continue


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How the script's process ended; all None if its exit status is unknown."""

    code: int | None = None
    signal: int | None = None

    @classmethod
    def of(cls, wait_status: int) -> Exit:
        if os.WIFSIGNALED(wait_status):
            return cls(signal=os.WTERMSIG(wait_status))
        return cls(code=os.WEXITSTATUS(wait_status))

    @property
    def is_known(self) -> bool:
        return self.code is not None or self.signal is not None


class ScriptProcess:
    """A script; `pidfd` becomes readable when it dies, and is None for one that is gone.

    `adopted`: it is not our child, so wait(2) does not work.
    """

    def __init__(
        self,
        identity: Identity,
        pidfd: int | None,
        *,
        adopted: bool,
        ended: Exit | None = None,
        report: int | None = None,
    ) -> None:
        self.identity = identity
        self.pidfd = pidfd
        self.adopted = adopted
        self.start_failure: CannotStart | None = None
        self._exit = ended
        self._report = report
        self._poll = select.poll()
        if pidfd is not None:
            self._poll.register(pidfd, select.POLLIN)

    @classmethod
    def child(cls, started: Started) -> ScriptProcess:
        """A child of this process that is not reaped yet."""
        identity = started.identity
        return cls(identity, os.pidfd_open(identity.pid), adopted=False, report=started.report)

    @classmethod
    def adopt(cls, identity: Identity) -> ScriptProcess | None:
        """Another process's child; None if it is gone."""
        pidfd = open_pidfd(identity)
        return None if pidfd is None else cls(identity, pidfd, adopted=True)

    @classmethod
    def ended(cls, identity: Identity, exit_: Exit) -> ScriptProcess:
        """A script that has ended, as an earlier guardian recorded."""
        return cls(identity, None, adopted=True, ended=exit_)

    @property
    def is_reaped(self) -> bool:
        """Whether it was reaped, so that its pid may belong to another process by now."""
        return self._exit is not None

    def is_starting(self) -> bool:
        """Whether it still waits for its directory or program, since their disk does not answer."""
        if self._report is not None and select.select([self._report], [], [], 0)[0]:
            self.start_failure, self._report = _read_report(self._report), None
        return self._report is not None

    def has_died(self) -> bool:
        """Whether the process has ended; it may not be reaped yet."""
        return self._exit is not None or bool(self._poll.poll(0))

    def collect(self) -> Exit | None:
        """Reaps the process if it is ours; returns how it ended, None while that is not known yet."""
        if self._exit is None and self.has_died():
            self._exit = self._reap()
        return self._exit

    def give_up(self) -> Exit:
        """Stops waiting for the exit status: it stays unknown."""
        self._exit = self._exit or Exit()
        return self._exit

    def mark_reaped(self, wait_status: int) -> None:
        """Records its exit status after this process reaped it together with other children."""
        self._exit = Exit.of(wait_status)

    def _reap(self) -> Exit | None:
        if not self.adopted:
            return Exit.of(os.waitpid(self.identity.pid, 0)[1])
        status = None if self.pidfd is None else wait_status_of_nonchild(self.pidfd, self.identity.pid)
        return None if status is None else Exit.of(status)
