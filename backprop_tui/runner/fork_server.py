"""The fork server: forks guardians from a process with all their modules loaded, which is faster than a new Python.

It serves one request at a time over a SEQPACKET socket. A request has the run's folder and the descriptor of its held
lock; the reply has the guardian's pid and pidfd. A run that is expected to be next has no lock, and needs no reply. The
server exits when the other end of the socket is closed.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import time
from contextlib import suppress
from typing import Any, Self

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.lazy_dataclass import compile_inits, lazy_dataclass
from backprop_tui.launchers.launcher import EXPECTED, MAX_REQUEST
from backprop_tui.launchers.supervisor_process import SupervisorProcess
from backprop_tui.processes.detached_log import note_exception
from backprop_tui.processes.linux import rename_process
from backprop_tui.processes.requirements import unmet_requirement
from backprop_tui.runner.main import Assignment, become_guardian_and_exit, detach, load_guardian
from backprop_tui.runner.script_child import SpareChild
from backprop_tui.runner.start import load_expected, rehearse
from backprop_tui.store.failures import MAX_PAUSE_SECONDS, SUPERVISOR, failure_of
from backprop_tui.store.hosts import has_work
from backprop_tui.store.run_directory import RunDirectory

REAP_MILLISECONDS = 1000
RESTART_SECONDS = 1.0
SPARES = 2  # guardians that wait: often two runs end together
REHEARSE_SECONDS = 0.1  # a guardian that gets no run so soon has the time to prepare for any
LOAD_SECONDS = 0.05  # after the first start, before this process prepares others: that start needs the cores
SPARE_SECONDS = 0.005  # after a start, before the next one is forked: the script that is being started needs the cores


def serve(requests: socket.socket, announcements: socket.socket, supervisor: SupervisorProcess) -> None:
    """Serves until the supervisor is gone, then starts another one if there is work left.

    Its guardians use the `announcements` to tell the supervisor about their scripts.
    """
    rename_process("backprop-forker")
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _ForkServer(requests, announcements, supervisor).serve()
    announcements.close()
    _replace(supervisor)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class _Spare:
    """A guardian that waits for its run on the other end of `tasks`."""

    pid: int
    pidfd: int
    tasks: socket.socket

    def assign(self, message: bytes, descriptor: int) -> Self:
        """Gives it a run with its lock, or one to load. Raises: OSError, if it was killed."""
        try:
            socket.send_fds(self.tasks, [message], [descriptor])
        except OSError:
            self.close()
            raise
        return self

    def close(self) -> None:
        """Closes our descriptors of it; without a run it ends."""
        self.tasks.close()
        os.close(self.pidfd)


class _ForkServer:
    """Keeps guardians waiting once a run was started: the next start need not wait for a fork."""

    def __init__(self, requests: socket.socket, announcements: socket.socket, supervisor: SupervisorProcess) -> None:
        self._requests = requests
        self._announcements = announcements
        self._supervisor = supervisor
        self._spares: list[_Spare] = []  # the first gets the next run
        self._expected: tuple[bytes, int] | None = None  # what it is to load, with the end of a socket for its child
        self._rehearsed: str | None = None  # the directory of the newest run
        self._has_failed = False  # to fork one in advance
        self._is_ready = False  # to fork guardians that find everything loaded

    def serve(self) -> None:
        """Serves until the supervisor is gone."""
        poll = select.poll()
        poll.register(self._requests, select.POLLIN)
        self._load_until_asked(poll)
        served = 0
        while True:
            ready = poll.poll(self._patience_milliseconds)
            _reap_children()
            if not ready:
                self._prepare()
                continue
            if served and not self._is_ready:
                self._get_ready()
            folder = self._serve_request()
            if folder is None:
                break
            if not folder:
                continue
            self._rehearsed = folder
            served += 1
            if served == 2:  # what is prepared here, no later guardian has to do
                compile_inits()
                _freeze()
        for spare in self._spares:
            spare.close()

    def _load_until_asked(self, poll: select.poll) -> None:
        """Loads what guardians need, while the supervisor, which does not, loads the engine.

        The first run does not wait for all of it: its guardian starts the script, then loads the rest.
        """
        for _ in load_guardian():
            if poll.poll(0):
                return
        _freeze()

    def _get_ready(self) -> None:
        """Loads the rest: from now on, no guardian has to."""
        for _ in load_guardian():
            continue
        if self._rehearsed is not None:
            rehearse(RunDirectory(self._rehearsed))
        _freeze()
        self._is_ready = True

    @property
    def _patience_milliseconds(self) -> float:
        """How long to wait for a request before preparing for others."""
        if self._is_prepared or self._has_failed:
            return REAP_MILLISECONDS
        return (SPARE_SECONDS if self._is_ready else LOAD_SECONDS) * 1000

    @property
    def _is_prepared(self) -> bool:
        is_used = self._rehearsed is not None or self._expected is not None
        return self._expected is None and (len(self._spares) == SPARES or not is_used)

    def _prepare(self) -> None:
        """Gets ready, has the first guardian that waits load the expected run, or forks another in advance."""
        self._has_failed = False
        if not self._is_ready and not self._is_prepared:
            self._get_ready()
        elif self._spares and self._expected is not None:
            try:
                self._spares[0].assign(*self._expected)
            except OSError:  # it was killed
                self._spares.pop(0)
            else:
                self._drop_expected()
        elif not self._is_prepared:
            try:
                self._spares.append(self._fork())
            except OSError:  # the next request says why
                self._has_failed = True

    def _drop_expected(self) -> None:
        if self._expected is not None:
            os.close(self._expected[1])
            self._expected = None

    def _serve_request(self) -> str | None:
        """Gives a run to a guardian and returns its directory; None when the supervisor is gone."""
        try:
            message, descriptors, _, _ = socket.recv_fds(self._requests, MAX_REQUEST, 1)
        except ConnectionResetError:
            return None
        if not message or not descriptors:
            return None
        self._drop_expected()
        if message.startswith(EXPECTED):
            self._expected = message, descriptors[0]
            return ""
        try:
            guardian = self._assign(message, descriptors[0])
        except OSError as error:
            unmet = unmet_requirement()
            reason = error.strerror or str(error) if unmet is None else "; ".join(unmet)
            answer, pidfds = f"it cannot be started: {reason}".encode(), []
        else:
            answer, pidfds = str(guardian.pid).encode("ascii"), [guardian.pidfd]
        finally:
            os.close(descriptors[0])
        try:
            socket.send_fds(self._requests, [answer], pidfds)
        except BrokenPipeError:
            return None
        finally:
            if pidfds:
                guardian.close()
        return str(json.loads(message)["folder"])

    def _assign(self, message: bytes, lock: int) -> _Spare:
        """Gives the run to the guardian that waits, or to a new one if that was killed. Raises: OSError."""
        while self._spares:
            with suppress(OSError):
                return self._spares.pop(0).assign(message, lock)
        return self._fork(lock).assign(message, lock)

    def _fork(self, lock: int | None = None) -> _Spare:
        """Forks a guardian; without a `lock`, which it must not inherit twice, it has to wait. Raises: OSError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                pid = os.fork()
            except OSError:
                ours.close()
                raise
            if pid == 0:
                ours.close()
                self._requests.close()
                if lock is not None:
                    os.close(lock)
                self._drop_expected()
                self._become_guardian_and_exit(theirs, is_spare=lock is None)
        # Children are reaped only by this process, later: so the pidfd is the guardian's even if it has died already.
        return _Spare(pid=pid, pidfd=os.pidfd_open(pid), tasks=ours)

    def _become_guardian_and_exit(self, tasks: socket.socket, *, is_spare: bool) -> None:
        """A spare one forks the child that will be its script in advance, and rehearses its start."""
        try:
            detach()
            child = None
            if is_spare:
                rename_process("backprop-spare")
                for spare in self._spares:
                    spare.close()
                child = SpareChild.fork()
                if self._rehearsed is not None and not select.select([tasks], [], [], REHEARSE_SECONDS)[0]:
                    rehearse(RunDirectory(self._rehearsed))
            task, lock, child = _receive_task(tasks, child)
            become_guardian_and_exit(
                Assignment(
                    lock_descriptor=lock,
                    supervisor=self._supervisor,
                    announcements=self._announcements,
                    child=child,
                    **task,
                )
            )
        except BaseException as error:  # noqa: BLE001 - the boundary of a process
            note_exception(error)
        finally:
            os._exit(70)


def _receive_task(tasks: socket.socket, child: SpareChild | None) -> tuple[dict[str, Any], int, SpareChild | None]:
    """Waits for a run, and loads those that are expected to be it.

    Returns also its lock, and the child if that is, or may become, its script.
    """
    expected = None
    while True:
        message, descriptors, _, _ = socket.recv_fds(tasks, MAX_REQUEST, 1)
        if not descriptors:
            os._exit(0)  # the fork server is gone
        task = json.loads(message.removeprefix(EXPECTED))
        number = task.pop("expected")
        if not message.startswith(EXPECTED):
            break
        if child is not None and (child.has_orders or child.has_died()):
            child.dismiss()
            child = None
        child = child or SpareChild.fork()
        load_expected(RunDirectory(task["folder"]), child, descriptors[0])
        os.close(descriptors[0])
        expected = number
    tasks.close()
    if child is not None and child.has_orders and number != expected:
        child.dismiss()
        child = None
    return task, descriptors[0], child


def _freeze() -> None:
    """Collected once, then frozen: a collection in a child would copy every page that it shares with this process."""
    gc.collect()
    gc.freeze()


def _replace(supervisor: SupervisorProcess) -> None:
    """Starts another supervisor if there is work left, later if supervisors keep failing."""
    time.sleep(RESTART_SECONDS)
    while has_work(supervisor.home):
        try:
            supervisor.ensure()
        except (BackpropError, OSError) as error:
            failure = failure_of(supervisor.home, SUPERVISOR)
            if failure is None:
                note_exception(error)
            time.sleep(RESTART_SECONDS + (MAX_PAUSE_SECONDS if failure is None else failure.seconds_left()))
        else:
            return


def _reap_children() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return
