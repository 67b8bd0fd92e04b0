"""The script: its start by a forked child, how it ended, and the process itself, as a child or adopted."""

from __future__ import annotations

import json
import os
import select
from collections.abc import Callable

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.processes.identity import Identity, open_pidfd, wait_status_of_nonchild
from backprop_tui.runner.script_child import Launch, ScriptChild, SpareChild

# The supervisor is the subreaper of orphaned scripts, and keeps their zombies for two seconds so they can be read.
REAPED_WITHIN_SECONDS = 4.0
START_SECONDS = 2.0  # an exec takes some milliseconds


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
    pidfd: int
    report: int | None = None


def start_script(
    launch: Launch,
    script_lock: int,
    child: SpareChild | None = None,
    announce: Callable[[int], None] = lambda _pidfd: None,
) -> Started | CannotStart:
    """Has a child execute the script; returns once the program is running or has turned out not to start.

    Its directory or the program may be on a disk that does not answer: after some seconds it returns all the same.
    `script_lock` is the descriptor of the held script.lock. The child keeps it as stdin; the caller closes its own.
    `child` was forked in advance. `announce` is called with the pidfd of the child as soon as that is to execute.
    """
    if child is not None and child.has_died():
        child.dismiss()
        child = None
    if child is not None:
        child.execute(launch, script_lock)
    started = child or ScriptChild.start(launch, script_lock)
    announce(started.pidfd)
    return watch_start(started)


def watch_start(child: ScriptChild) -> Started | CannotStart:
    """Waits until the child runs the program, or has turned out not to."""
    report = child.report
    if not select.select([report], [], [], START_SECONDS)[0]:
        return Started(identity=child.identity, pidfd=child.pidfd, report=report)
    failure = _read_report(report)
    if failure is not None:
        os.waitpid(child.identity.pid, 0)
        os.close(child.pidfd)
        return failure
    return Started(identity=child.identity, pidfd=child.pidfd)


def _read_report(report: int) -> CannotStart | None:
    """What the child wrote before it ended; None if it became the program. Closes the pipe."""
    with os.fdopen(report, "rb") as pipe:
        failure = pipe.read()
    return CannotStart(**json.loads(failure)) if failure else None


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
        return cls(identity, started.pidfd, adopted=False, report=started.report)

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
