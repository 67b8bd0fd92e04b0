"""Who a process is: its pid and start time together, because the kernel gives pids out again."""

from __future__ import annotations

import os
import signal

from backprop_tui.domain.values import dataclass
from backprop_tui.processes.linux import exit_status_of_stranger

_STATE, _START_TIME, _EXIT_CODE = 0, 19, 49  # fields 3, 22 and 52 of proc(5)'s /proc/PID/stat, counted after the name
DEAD_STATES = (b"Z", b"X")


@dataclass(frozen=True, slots=True)
class Identity:
    """A pid and its start time in clock ticks since boot."""

    pid: int
    start_time: int


def stat_fields(pid: int) -> list[bytes] | None:
    """The fields of /proc/PID/stat behind the name (which may hold spaces and parentheses); None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            content = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return content[content.rindex(b")") + 2 :].split()


def identify(pid: int) -> Identity | None:
    """Who has that pid now; None when nobody has."""
    fields = stat_fields(pid)
    return None if fields is None else Identity(pid, int(fields[_START_TIME]))


def open_pidfd(identity: Identity) -> int | None:
    """A pidfd of exactly that process, dead or alive but not reaped; None when it is gone.

    The start time is compared after opening: from then on the descriptor cannot mean another process.
    """
    try:
        pidfd = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return None
    if identify(identity.pid) != identity:
        os.close(pidfd)
        return None
    return pidfd


def send_signal(identity: Identity, number: int) -> bool:
    """Signals exactly that process; says whether it was there."""
    pidfd = open_pidfd(identity)
    if pidfd is None:
        return False
    try:
        signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(pidfd)
    return True


def state_of(pid: int) -> bytes | None:
    """R, S, D, T, t, Z, X ... of proc(5); None when it is gone."""
    fields = stat_fields(pid)
    return None if fields is None else fields[_STATE]


def is_alive(identity: Identity) -> bool:
    """Whether that process runs; a zombie counts as dead."""
    fields = stat_fields(identity.pid)
    return fields is not None and int(fields[_START_TIME]) == identity.start_time and fields[_STATE] not in DEAD_STATES


def wait_status_of_stranger(pidfd: int, pid: int) -> int | None:
    """The wait status of a dead process that is not our child, from its pidfd or its zombie; None if unknown."""
    status = exit_status_of_stranger(pidfd)
    if status is not None:
        return status
    fields = stat_fields(pid)
    if fields is None or fields[_STATE] not in DEAD_STATES:
        return None
    return int(fields[_EXIT_CODE])
