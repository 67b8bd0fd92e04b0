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
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Self

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.run import Process
from backprop_tui.processes.detached_log import STDERR
from backprop_tui.processes.identity import Identity, identify
from backprop_tui.processes.requirements import attainable
from backprop_tui.store.files import open_own

if TYPE_CHECKING:
    import socket

_CHUNK_BYTES = 1 << 16
_NOW, _AT_GO_AHEAD = b"!", b"?"  # when to execute
_LENGTH_BYTES = 8


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Everything that the child needs besides the descriptor of the lock."""

    attempt: int
    arguments: Sequence[str]
    environment: Mapping[str, str]
    cwd: str
    log: str
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
    def start(cls, launch: Launch, script_lock: int) -> Self:
        """Forks one that executes this at once, whatever becomes of this process. Raises: OSError."""
        reading, writing = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            _become_script(lambda: (launch, script_lock), writing, script_lock)
        os.close(writing)
        return cls(pid, reading)


class SpareChild(ScriptChild):
    """One that waits for what to execute, and ends if this process ends before it has sent that.

    Until then it holds no lock and nothing of a run.
    """

    def __init__(self, pid: int, report: int, orders: socket.socket) -> None:
        super().__init__(pid, report)
        self.has_orders = False  # what to execute once it gets the go-ahead
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
                _become_script(partial(_await_start_rehearsed, theirs), writing, theirs.fileno())
            os.close(writing)
        return cls(pid, reading, orders)

    def has_died(self) -> bool:
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return bool(poll.poll(0))

    def execute(self, launch: Launch, script_lock: int) -> None:
        """Tells it what to execute now. If it was killed meanwhile it is a script that was killed."""
        with self._orders, suppress(BrokenPipeError, ConnectionResetError):
            _send(self._orders, _NOW, launch, script_lock)

    def expect(self, launch: Launch, go_ahead: int) -> None:
        """Tells it what to execute once this socket gives it the go-ahead, with script.lock and the last variables."""
        self.has_orders = True
        _send(self._orders, _AT_GO_AHEAD, launch, go_ahead)

    def dismiss(self) -> None:
        """Ends it, since there is nothing to execute."""
        self._orders.close()
        os.waitpid(self.identity.pid, 0)
        os.close(self.pidfd)
        os.close(self.report)


def _send(orders: socket.socket, when: bytes, launch: Launch, descriptor: int) -> None:
    import socket

    process = launch.process
    content = marshal.dumps(
        (
            *(launch.attempt, list(launch.arguments), dict(launch.environment), launch.cwd, launch.log),
            *(process.umask, process.nice, process.rlimits),
        )
    )
    socket.send_fds(orders, [when], [descriptor])
    orders.sendall(len(content).to_bytes(_LENGTH_BYTES) + content)


def _receive(orders: socket.socket) -> tuple[bytes, Launch, int]:
    """Waits for what to execute and when, with the lock or the socket of the go-ahead. Raises: EOFError, ValueError."""
    import socket

    when, descriptors, _, _ = socket.recv_fds(orders, 1, 1)
    if not descriptors:
        raise EOFError
    os.set_inheritable(descriptors[0], False)
    length = int.from_bytes(_receive_bytes(orders, _LENGTH_BYTES))
    content = marshal.loads(_receive_bytes(orders, length))  # noqa: S302 - of our parent
    attempt, arguments, environment, cwd, log, umask, nice, rlimits = content
    process = Process(umask=umask, nice=nice, rlimits=rlimits)
    launch = Launch(attempt=attempt, arguments=arguments, environment=environment, cwd=cwd, log=log, process=process)
    return when, launch, descriptors[0]


def _receive_bytes(orders: socket.socket, count: int) -> bytes:
    content = bytearray()
    while len(content) < count:
        chunk = orders.recv(min(_CHUNK_BYTES, count - len(content)))
        if not chunk:
            raise EOFError
        content += chunk
    return bytes(content)


def _await_go_ahead(orders: socket.socket, go_ahead: int) -> tuple[int, dict[str, str]]:
    """Waits for script.lock and the last variables. Raises: EOFError, if supervisor or guardian are gone before."""
    import socket

    poll = select.poll()
    poll.register(go_ahead, select.POLLIN)
    poll.register(orders, 0)
    ready = [descriptor for descriptor, _ in poll.poll()]
    if go_ahead not in ready:
        raise EOFError
    with socket.socket(fileno=go_ahead) as supervisor:
        message, descriptors, _, _ = socket.recv_fds(supervisor, _CHUNK_BYTES, 1)
    if not descriptors:
        raise EOFError
    os.set_inheritable(descriptors[0], False)
    return descriptors[0], marshal.loads(message)  # noqa: S302 - of our supervisor


def _await_start(orders: socket.socket) -> tuple[Launch, int]:
    """Waits for all that is needed; returns also the descriptor of script.lock. Raises: EOFError, ValueError."""
    when, launch, descriptor = _receive(orders)
    if when == _NOW:
        return launch, descriptor
    script_lock, variables = _await_go_ahead(orders, descriptor)
    return replace(launch, environment={**launch.environment, **variables}), script_lock


def _await_start_rehearsed(orders: socket.socket) -> tuple[Launch, int]:
    _rehearse()
    return _await_start(orders)


def _become_script(await_orders: Callable[[], tuple[Launch, int]], failure: int, *kept: int) -> None:
    """Becomes the script that the orders name, or writes why it cannot into `failure` and exits; never returns.

    The orders are what to execute, and the descriptor of script.lock. They may need descriptors that are `kept`.
    """
    path = ""
    try:
        os.setsid()
        _reset_signals()
        _close_all_but(failure, *kept)
        start_time = _start_time(os.getpid())
        launch, script_lock = await_orders()
        # From here on it counts as started, even if its disk does not answer.
        os.write(script_lock, f"{launch.attempt} {os.getpid()} {start_time}\n".encode("ascii"))
        os.dup2(script_lock, 0)
        path = launch.log
        log = open_own(launch.log, os.O_WRONLY | os.O_APPEND, follow=True)
        os.set_blocking(log, True)  # the script writes to it
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


def _rehearse() -> None:
    """Does what it will do with its orders, without any effect: the pages that this needs are copied now."""
    import socket

    process, nothing = Process(umask=0o077, nice=0, rlimits=()), os.devnull
    launch = Launch(
        attempt=1, arguments=(nothing,), environment={"PATH": nothing}, cwd="/", log=nothing, process=process
    )
    ours, theirs = socket.socketpair()
    with ours, theirs:
        _send(ours, _NOW, launch, theirs.fileno())
        launch, descriptor = _await_start(theirs)
        os.close(descriptor)
    with suppress(OSError):
        os.execvpe("", list(launch.arguments), dict(launch.environment))  # noqa: S606 - there is no such program


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
