"""The fork server: forks guardians from a process with all their modules loaded, which is faster than a new Python.

It serves one request at a time over a SEQPACKET socket. A request has the run's folder and the descriptor of its held
lock; the reply has the guardian's pid and pidfd. The server exits when the other end of the socket is closed.
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
from typing import Self

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.lazy_dataclass import compile_inits, lazy_dataclass
from backprop_tui.launchers.supervisor_process import SupervisorProcess
from backprop_tui.processes.detached_log import note_exception
from backprop_tui.processes.linux import rename_process
from backprop_tui.processes.requirements import unmet_requirement
from backprop_tui.runner.main import Assignment, become_guardian_and_exit, detach, load_guardian
from backprop_tui.runner.script_child import SpareChild
from backprop_tui.runner.start import rehearse
from backprop_tui.store.failures import MAX_PAUSE_SECONDS, SUPERVISOR, failure_of
from backprop_tui.store.hosts import has_work
from backprop_tui.store.run_directory import RunDirectory

MAX_REQUEST = 65536
REAP_MILLISECONDS = 1000
RESTART_SECONDS = 1.0


def serve(requests: socket.socket, announcements: socket.socket, supervisor: SupervisorProcess) -> None:
    """Serves until the supervisor is gone, then starts another one if there is work left.

    Its guardians use the `announcements` to tell the supervisor about their scripts.
    What guardians need is loaded here, while the supervisor, which does not, loads the engine.
    """
    rename_process("backprop-forker")
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    load_guardian()
    _freeze()
    _ForkServer(requests, announcements, supervisor).serve()
    announcements.close()
    _replace(supervisor)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class _Spare:
    """A guardian that waits for its run on the other end of `tasks`."""

    pid: int
    pidfd: int
    tasks: socket.socket

    def assign(self, message: bytes, lock: int) -> Self:
        """Gives it a run. Raises: OSError, if it was killed."""
        try:
            socket.send_fds(self.tasks, [message], [lock])
        except OSError:
            self.close()
            raise
        return self

    def close(self) -> None:
        """Closes our descriptors of it; without a run it ends."""
        self.tasks.close()
        os.close(self.pidfd)


class _ForkServer:
    """Keeps one guardian waiting once a run was started: the next start need not wait for a fork."""

    def __init__(self, requests: socket.socket, announcements: socket.socket, supervisor: SupervisorProcess) -> None:
        self._requests = requests
        self._announcements = announcements
        self._supervisor = supervisor
        self._spare: _Spare | None = None

    def serve(self) -> None:
        """Serves until the supervisor is gone."""
        poll = select.poll()
        poll.register(self._requests, select.POLLIN)
        served = 0
        while True:
            ready = poll.poll(REAP_MILLISECONDS)
            _reap_children()
            if not ready:
                continue
            folder = self._serve_request()
            if folder is None:
                break
            served += 1
            if served <= 2:  # what is prepared here, no later guardian has to do
                rehearse(RunDirectory(folder)) if served == 1 else compile_inits()
                _freeze()
            if self._spare is None:
                with suppress(OSError):  # the next request says why
                    self._spare = self._fork()
        if self._spare is not None:
            self._spare.close()

    def _serve_request(self) -> str | None:
        """Gives a run to a guardian and returns its directory; None when the supervisor is gone."""
        try:
            message, descriptors, _, _ = socket.recv_fds(self._requests, MAX_REQUEST, 1)
        except ConnectionResetError:
            return None
        if not message or not descriptors:
            return None
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
        spare, self._spare = self._spare, None
        if spare is not None:
            with suppress(OSError):
                return spare.assign(message, lock)
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
                self._become_guardian_and_exit(theirs, is_spare=lock is None)
        # Children are reaped only by this process, later: so the pidfd is the guardian's even if it has died already.
        return _Spare(pid=pid, pidfd=os.pidfd_open(pid), tasks=ours)

    def _become_guardian_and_exit(self, tasks: socket.socket, *, is_spare: bool) -> None:
        """A spare one forks the child that will be its script in advance."""
        try:
            detach()
            child = None
            if is_spare:
                rename_process("backprop-spare")
                child = SpareChild.fork()
            message, descriptors, _, _ = socket.recv_fds(tasks, MAX_REQUEST, 1)
            tasks.close()
            if not descriptors:
                os._exit(0)  # the fork server is gone
            task = json.loads(message)
            become_guardian_and_exit(
                Assignment(
                    lock_descriptor=descriptors[0],
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
