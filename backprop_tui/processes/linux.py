"""What Linux offers to a guardian and Python does not wrap: prctl, and an exit status read by a stranger."""

from __future__ import annotations

import os

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

# include/uapi/linux/pidfd.h, Linux 6.15: struct pidfd_info in its first version, 64 bytes.
_PIDFD_INFO_EXIT = 1 << 3
_PIDFD_INFO = "=QQ11Ii"  # mask, cgroup id, pids and credentials, exit status
_PIDFD_INFO_BYTES = 64
_PIDFD_GET_INFO = (3 << 30) | (_PIDFD_INFO_BYTES << 16) | (0xFF << 8) | 11


def become_subreaper() -> None:
    """Orphans below this process become its children, so that it can find, stop and reap them. See prctl(2)."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def cease_as_subreaper() -> None:
    """Orphans below this process go to the next subreaper above it, or to init."""
    _prctl(PR_SET_CHILD_SUBREAPER, 0)


def die_with_parent(signal_number: int) -> None:
    """The kernel sends this signal when the parent's thread ends. See prctl(2)."""
    _prctl(PR_SET_PDEATHSIG, signal_number)


def _prctl(option: int, value: int) -> None:
    import ctypes  # most commands look at processes and change none

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def boot_id() -> str:
    """A new one each boot; process ids and monotonic times of another boot mean nothing."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def rename_process(name: str) -> None:
    """What `ps -o comm` and `top` show: 15 characters at most. See proc(5), /proc/PID/comm."""
    with open("/proc/self/comm", "w", encoding="ascii") as file:
        file.write(name[:15])


def exit_status_of_stranger(pidfd: int) -> int | None:
    """The wait status of a process that is not our child; None while it is not reaped, or on an older kernel."""
    import fcntl
    import struct

    buffer = bytearray(_PIDFD_INFO_BYTES)
    struct.pack_into("=Q", buffer, 0, _PIDFD_INFO_EXIT)
    try:
        fcntl.ioctl(pidfd, _PIDFD_GET_INFO, buffer)
    except OSError:
        return None
    values = struct.unpack(_PIDFD_INFO, buffer)
    return int(values[-1]) if values[0] & _PIDFD_INFO_EXIT else None
