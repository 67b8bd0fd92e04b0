"""Starts the guardian of a run: on this machine by asking the fork server; a scheduler would be another launcher."""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from typing import Protocol

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.store.locks import Lock

ANSWER_SECONDS = 10.0
ANSWER_BYTES = 1024


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


class Launcher(Protocol):
    def launch(self, run_folder: str, lock: Lock, *, adopting: bool) -> GuardianHandle:
        """Starts a guardian, which holds the run's lock from now on; the caller closes its copy.

        Raises:
            LaunchFailed: the fork server did not answer.
            LaunchRefused: it could not start a process.
        """


class LocalLauncher:
    """The supervisor's end of the fork server's socket."""

    __slots__ = ("_requests",)

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        requests.settimeout(ANSWER_SECONDS)

    def launch(self, run_folder: str, lock: Lock, *, adopting: bool) -> GuardianHandle:
        message = json.dumps({"folder": run_folder, "adopting": adopting}).encode("ascii")
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
