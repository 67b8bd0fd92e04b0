"""Identifies processes by pid and start time, because the kernel reuses pids."""

from __future__ import annotations

import os
import signal

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.processes.kernel_files import read_kernel_file
from backprop_tui.processes.linux import exit_status_of_nonchild

_STATE, _START_TIME, _EXIT_CODE = 0, 19, 49  # fields 3, 22 and 52 of proc(5)'s /proc/PID/stat, counted after the name
DEAD_STATES = (b"Z", b"X")


@lazy_dataclass(frozen=True, slots=True)
class Identity:
    """A pid and its start time in clock ticks since boot."""

    pid: int
    start_time: int


def stat_fields(pid: int) -> list[bytes] | None:
    """Returns the fields of /proc/PID/stat after the name (which may contain spaces).

    None if the process is gone, or /proc is mounted with hidepid and it is another user's.
    """
    try:
        content = read_kernel_file(f"/proc/{pid}/stat")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    return content[content.rindex(b")") + 2 :].split()


def identify(pid: int) -> Identity | None:
    """Returns the process with that pid; None if there is none."""
    fields = stat_fields(pid)
    return None if fields is None else Identity(pid, int(fields[_START_TIME]))


def open_pidfd(identity: Identity) -> int | None:
    """Opens a pidfd of exactly that process, alive or zombie; None if it is gone.

    The start time is compared after opening: from then on the descriptor cannot refer to another process.
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
    """Signals exactly that process; returns whether it existed."""
    return signal_and_close(open_pidfd(identity), number)


def signal_and_close(pidfd: int | None, number: int) -> bool:
    """Signals the process of a pidfd and closes it; returns whether the process existed."""
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
    """Returns the state letter of proc(5): R, S, D, T, t, Z, X; None if the process is gone."""
    fields = stat_fields(pid)
    return None if fields is None else fields[_STATE]


def is_alive(identity: Identity) -> bool:
    """Returns whether that process is alive; a zombie is not."""
    fields = stat_fields(identity.pid)
    return fields is not None and int(fields[_START_TIME]) == identity.start_time and fields[_STATE] not in DEAD_STATES


def wait_status_of_nonchild(pidfd: int, pid: int) -> int | None:
    """Returns the wait status of a dead process that is not our child, from pidfd or zombie; None if unknown."""
    status = exit_status_of_nonchild(pidfd)
    if status is not None:
        return status
    fields = stat_fields(pid)
    if fields is None or fields[_STATE] not in DEAD_STATES:
        return None
    return int(fields[_EXIT_CODE])
