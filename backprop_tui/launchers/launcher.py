"""Starts the guardian of a run: on this machine by asking the fork server; a scheduler would be another launcher."""

from __future__ import annotations

import json
import marshal
import os
import select
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol, Self

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.store.locks import Lock, try_lock
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.watched_file import Signature

ANSWER_SECONDS = 10.0
ANSWER_BYTES = 1024
MAX_REQUEST = 65536
EXPECTED = b"+"  # the first byte of a request that starts nothing


class LaunchFailed(Exception):
    """It is unknown whether a guardian was started; the run's lock shows it."""


class LaunchRefused(Exception):
    """No guardian was started, and the message says why."""


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GuardianHandle:
    """A guardian process on this machine; `pidfd` becomes readable when it ends, and the holder closes it."""

    pid: int
    pidfd: int


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """A guardian has started its script; both pidfds become readable at the end, and the holder closes them."""

    run_id: str
    guardian_pid: int
    guardian_pidfd: int
    script_pidfd: int


def announce(announcements: socket.socket, run_id: str, script_pidfd: int) -> None:
    """Tells the supervisor the script of this guardian, so that it sees at once that a slot is free.

    Never waits. If the supervisor is gone, or behind, it sees the end of the guardian instead.
    """
    announcements.setblocking(False)
    pidfd = os.pidfd_open(os.getpid())
    message = json.dumps({"run_id": run_id, "guardian_pid": os.getpid()}).encode("ascii")
    with suppress(OSError):
        socket.send_fds(announcements, [message], [pidfd, script_pidfd])
    os.close(pidfd)


def receive_announcement(announcements: socket.socket) -> Announcement | None:
    """Returns None if there will be none any more. Raises: BlockingIOError."""
    message, descriptors, _, _ = socket.recv_fds(announcements, ANSWER_BYTES, 2)
    if not message:
        return None
    guardian_pidfd, script_pidfd = descriptors
    return Announcement(guardian_pidfd=guardian_pidfd, script_pidfd=script_pidfd, **json.loads(message))


class ExpectedStart(Protocol):
    """The script of a run that a guardian has loaded; on leaving the context without `go`, it is not started."""

    number: int | None  # None: nothing is loaded

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def go(self, variables: Mapping[str, str]) -> None:
        """Starts it with these variables, since that is on record; nothing if nothing is loaded."""


class Launcher(Protocol):
    def expect(self, directory: RunDirectory, record: Signature | None) -> None:
        """Has a guardian load a queued run that will probably be the next to start, with its record as it is now.

        It holds no lock and writes nothing. Raises: LaunchFailed.
        """

    def take_expected(self, directory: RunDirectory, record: Signature | None) -> ExpectedStart:
        """The start of a run whose lock the caller holds, if it was loaded with its record as it is now."""

    def launch(self, run_folder: str, lock: Lock, *, adopting: bool, expected: int | None = None) -> GuardianHandle:
        """Starts a guardian, which holds the run's lock from now on; the caller closes its copy.

        `expected` is the number of the start that the caller has let go.

        Raises:
            LaunchFailed: the fork server did not answer.
            LaunchRefused: it could not start a process.
        """


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class _Expected:
    """A queued run that a guardian has loaded; its child waits at the other end of `go_ahead`."""

    path: str
    record: Signature | None
    number: int
    go_ahead: socket.socket

    def has_died(self) -> bool:
        poll = select.poll()
        poll.register(self.go_ahead, 0)
        return bool(poll.poll(0))


class NothingExpected:
    """No guardian has loaded the run: it starts when it is launched."""

    number: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def go(self, variables: Mapping[str, str]) -> None: ...


class _ExpectedStart:
    """The go-ahead, and the lock that the child gets with it. Without the go-ahead it ends."""

    def __init__(self, expected: _Expected, script_lock: Lock) -> None:
        self.number: int | None = expected.number
        self._go_ahead, self._script_lock = expected.go_ahead, script_lock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._go_ahead.close()
        self._script_lock.close()

    def go(self, variables: Mapping[str, str]) -> None:
        """Closes both, so that a guardian whose child is gone by now can start another."""
        with self, suppress(OSError):
            socket.send_fds(self._go_ahead, [marshal.dumps(dict(variables))], [self._script_lock.descriptor])


class LocalLauncher:
    """The supervisor's end of the fork server's socket."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        requests.settimeout(ANSWER_SECONDS)
        self._expected: _Expected | None = None
        self._count = 0

    def expect(self, directory: RunDirectory, record: Signature | None) -> None:
        known = self._expected
        if known is not None and (known.path, known.record) == (directory.path, record):
            return
        if known is not None:
            known.go_ahead.close()
        self._count += 1
        go_ahead, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._expected = _Expected(path=directory.path, record=record, number=self._count, go_ahead=go_ahead)
        message = json.dumps({"folder": directory.path, "expected": self._count}).encode("ascii")
        with theirs:
            try:
                socket.send_fds(self._requests, [EXPECTED + message], [theirs.fileno()])
            except OSError as error:
                raise LaunchFailed(f"the fork server does not answer: {error}") from error

    def take_expected(self, directory: RunDirectory, record: Signature | None) -> ExpectedStart:
        expected, self._expected = self._expected, None
        if expected is None:
            return NothingExpected()
        is_this = (expected.path, expected.record) == (directory.path, record) and not expected.has_died()
        script_lock = try_lock(directory.script_lock) if is_this else None
        if script_lock is None:
            expected.go_ahead.close()
            return NothingExpected()
        os.ftruncate(script_lock.descriptor, 0)  # as its holder may, who also has the lock of the run
        return _ExpectedStart(expected, script_lock)

    def launch(self, run_folder: str, lock: Lock, *, adopting: bool, expected: int | None = None) -> GuardianHandle:
        message = json.dumps({"folder": run_folder, "adopting": adopting, "expected": expected}).encode("ascii")
        try:
            socket.send_fds(self._requests, [message], [lock.descriptor])
            answer, descriptors, _, _ = socket.recv_fds(self._requests, ANSWER_BYTES, 1)
        except OSError as error:
            raise LaunchFailed(f"the fork server does not answer: {error}") from error
        if not answer:
            raise LaunchFailed("the fork server is gone")
        if not descriptors:
            raise LaunchRefused(answer.decode())
        return GuardianHandle(pid=int(answer), pidfd=descriptors[0])
