"""The child that becomes the script: it records itself in script.lock, and execs.

One that is forked in advance waits for what to execute. Sockets are loaded only for that.
"""

from __future__ import annotations

import json
import marshal
import os
import resource
import select
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Self

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.run import Process
from backprop_tui.processes.detached_log import STDERR
from backprop_tui.processes.identity import Identity, identify
from backprop_tui.processes.requirements import attainable

if TYPE_CHECKING:
    import socket

_CHUNK_BYTES = 1 << 16


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Everything that the child needs besides the descriptors of lock and log."""

    attempt: int
    arguments: Sequence[str]
    environment: Mapping[str, str]
    cwd: str
    process: Process


class ScriptChild:
    """A child of this process that becomes the script.

    `report` is readable when it has execed or ended: what it could not do is there.
    """

    def __init__(self, pid: int, report: int) -> None:
        self.identity = Identity(pid, _start_time(pid))
        self.pidfd = os.pidfd_open(pid)
        self.report = report

    @classmethod
    def start(cls, launch: Launch, script_lock: int, log: int) -> Self:
        """Forks one that executes this at once, whatever becomes of this process. Raises: OSError."""
        reading, writing = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            _become_script(lambda: (launch, script_lock, log), writing, script_lock, log)
        os.close(writing)
        return cls(pid, reading)


class SpareChild(ScriptChild):
    """One that waits for what to execute, and ends if this process ends before it has sent that.

    Until then it holds no lock and nothing of a run.
    """

    def __init__(self, pid: int, report: int, orders: socket.socket) -> None:
        super().__init__(pid, report)
        self._orders = orders

    @classmethod
    def fork(cls) -> Self:
        """Raises: OSError."""
        import socket

        orders, theirs = socket.socketpair()
        with theirs:
            reading, writing = os.pipe2(os.O_CLOEXEC)
            pid = os.fork()
            if pid == 0:
                _become_script(partial(_receive, theirs), writing, theirs.fileno())
            os.close(writing)
        return cls(pid, reading, orders)

    def has_died(self) -> bool:
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return bool(poll.poll(0))

    def execute(self, launch: Launch, script_lock: int, log: int) -> None:
        """Tells it what to execute. If it was killed meanwhile it is a script that was killed."""
        import socket

        process = launch.process
        orders = (
            *(launch.attempt, list(launch.arguments), dict(launch.environment), launch.cwd),
            *(process.umask, process.nice, process.rlimits),
        )
        with self._orders, suppress(BrokenPipeError, ConnectionResetError):
            socket.send_fds(self._orders, [b"!"], [script_lock, log])
            self._orders.sendall(marshal.dumps(orders))

    def dismiss(self) -> None:
        """Ends it, since there is nothing to execute."""
        self._orders.close()
        os.waitpid(self.identity.pid, 0)
        os.close(self.pidfd)
        os.close(self.report)


def _receive(orders: socket.socket) -> tuple[Launch, int, int]:
    """Waits for what to execute, and for the descriptors of lock and log. Raises: EOFError, ValueError."""
    import socket

    _, descriptors, _, _ = socket.recv_fds(orders, 1, 2)
    script_lock, log = descriptors
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    content = bytearray()
    while chunk := orders.recv(_CHUNK_BYTES):
        content += chunk
    attempt, arguments, environment, cwd, umask, nice, rlimits = marshal.loads(content)  # noqa: S302 - of our parent
    process = Process(umask=umask, nice=nice, rlimits=rlimits)
    launch = Launch(attempt=attempt, arguments=arguments, environment=environment, cwd=cwd, process=process)
    return launch, script_lock, log


def _become_script(await_orders: Callable[[], tuple[Launch, int, int]], failure: int, *kept: int) -> None:
    """Becomes the script that the orders name, or writes why it cannot into `failure` and exits; never returns.

    The orders are what to execute, and the descriptors of lock and log. They may need those that are `kept`.
    """
    path = ""
    try:
        os.setsid()
        _reset_signals()
        _close_all_but(failure, *kept)
        start_time = _start_time(os.getpid())
        launch, script_lock, log = await_orders()
        os.write(script_lock, f"{launch.attempt} {os.getpid()} {start_time}\n".encode("ascii"))
        path = launch.arguments[0]
        os.dup2(script_lock, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        _apply(launch.process)
        path = launch.cwd
        os.chdir(launch.cwd)
        path = launch.arguments[0]
        os.execvpe(path, list(launch.arguments), dict(launch.environment))  # noqa: S606 - the user's command
    except (EOFError, ValueError):
        pass  # the guardian is gone, or needs no script
    except OSError as error:
        report = {"path": path, "problem": error.strerror, "not_found": isinstance(error, FileNotFoundError)}
        os.write(failure, json.dumps(report).encode("ascii"))
    finally:
        os._exit(127)


def _start_time(pid: int) -> int:
    identity = identify(pid)
    if identity is None:
        raise ProcessLookupError(pid)  # impossible: only this process reaps it
    return identity.start_time


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
