"""Linux interfaces that Python does not wrap: prctl, exit status of other processes, the tables of mounts and locks."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from functools import cache
from typing import Any

MOUNTS = "/proc/self/mountinfo"
_OCTAL = rb"\\([0-7]{3})"


def mount_points() -> tuple[str, ...]:
    """Returns every mount point; empty if they cannot be read. See proc(5), /proc/PID/mountinfo."""
    try:
        with open(MOUNTS, "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return ()
    fields = (line.split(b" ") for line in lines)
    return tuple(_unescaped(line[4]) for line in fields if len(line) > 4)


def mount_point_of(path: str, points: tuple[str, ...]) -> str:
    """Returns the innermost mount point above an absolute path, without following links; / if none is known."""
    containing = [point for point in points if path == point or path.startswith(point.rstrip("/") + "/")]
    return max(containing, key=len, default="/")


def _unescaped(field: bytes) -> str:
    """Decodes spaces and the like, which are written as three octal digits."""
    return re.sub(_OCTAL, lambda match: bytes([int(match[1], 8) & 0xFF]), field).decode("utf-8", "surrogateescape")


PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

# include/uapi/linux/pidfd.h, Linux 6.15: struct pidfd_info in its first version, 64 bytes.
_PIDFD_INFO_EXIT = 1 << 3
_PIDFD_INFO = "=QQ11Ii"  # mask, cgroup id, pids and credentials, exit status
_PIDFD_INFO_BYTES = 64
_PIDFD_GET_INFO = (3 << 30) | (_PIDFD_INFO_BYTES << 16) | (0xFF << 8) | 11


class _Subreaper:
    is_refused = False


def become_subreaper() -> None:
    """Makes orphaned descendants children of this process, so that it can find, stop and reap them. See prctl(2)."""
    _be_subreaper(1)


def stop_as_subreaper() -> None:
    """Lets orphaned descendants go to the next subreaper above, or to init."""
    _be_subreaper(0)


def _be_subreaper(value: int) -> None:
    try:
        _prctl(PR_SET_CHILD_SUBREAPER, value)
    except OSError:
        _Subreaper.is_refused = True


def is_subreaper_refused() -> bool:
    """Whether a sandbox keeps this process from being a subreaper: orphans are to be found in another way then."""
    return _Subreaper.is_refused


def die_with_parent(signal_number: int) -> None:
    """Makes the kernel send this signal when the parent thread ends; a sandbox may refuse. See prctl(2)."""
    with suppress(OSError):
        _prctl(PR_SET_PDEATHSIG, signal_number)


def _prctl(option: int, value: int) -> None:
    """Raises: OSError."""
    if _quick_prctl(option, value):
        return
    import ctypes  # slow to import: a script would wait for it

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _quick_prctl(option: int, value: int) -> bool:
    """Calls prctl by what is below ctypes, which has no types to prepare; False if that is missing, or it failed."""
    try:
        import _ctypes

        this_program: Any = None
        prctl = _ctypes.dlsym(_ctypes.dlopen(this_program, 0), "prctl")
        return bool(_ctypes.call_function(prctl, (option, value, 0, 0, 0)) == 0)
    except (ImportError, AttributeError, TypeError, OSError):  # it is an implementation detail of CPython
        return False


def existing_directory(path: str) -> str:
    """The path, or the nearest directory above it that exists."""
    path = os.path.abspath(path)
    while not os.path.isdir(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def is_flocked(path: str) -> bool:
    """Whether some process holds a lock on a file that we may not open; only those of this machine are known.

    See proc(5), /proc/locks: the sixth field ends with the inode.
    """
    try:
        inode = str(os.lstat(path).st_ino)
        with open("/proc/locks", encoding="ascii") as file:
            return any(line.split()[5].rpartition(":")[2] == inode for line in file if " FLOCK " in line)
    except (OSError, IndexError):
        return False


@cache
def boot_id() -> str:
    """Returns the id of this boot; process ids and monotonic times of another boot are meaningless."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


@cache
def pid_namespace() -> int | None:
    """Returns a number for the container in which our pids are meant; None if /proc does not tell."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return None


def rename_process(name: str) -> None:
    """Sets the name that `ps -o comm` and `top` show, at most 15 characters. See proc(5), /proc/PID/comm."""
    with open("/proc/self/comm", "w", encoding="ascii") as file:
        file.write(name[:15])


def exit_status_of_nonchild(pidfd: int) -> int | None:
    """Returns the wait status of a process that is not our child; None until it is reaped, or on an older kernel."""
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


_AT_FDCWD, _STATX_BTIME, _STATX_BYTES = -100, 0x800, 256
_STATX_MASK_AT, _STATX_BTIME_AT = 0, 80  # struct statx: stx_mask, and stx_btime as seconds and nanoseconds


def birth_time_ns(path: str) -> int | None:
    """Returns when a file or directory was created (wall-clock time, ns); None if unknown. See statx(2)."""
    import ctypes
    import struct

    status = ctypes.create_string_buffer(_STATX_BYTES)
    statx = getattr(ctypes.CDLL(None), "statx", None)
    if statx is None or statx(_AT_FDCWD, os.fsencode(path), 0, _STATX_BTIME, status) != 0:
        return None
    (mask,) = struct.unpack_from("=I", status, _STATX_MASK_AT)
    seconds, nanoseconds = struct.unpack_from("=qI", status, _STATX_BTIME_AT)
    return int(seconds * 10**9 + nanoseconds) if mask & _STATX_BTIME else None


def return_free_memory() -> None:
    """Gives freed memory back to the system, which takes some milliseconds; see malloc_trim(3), a function of glibc."""
    import ctypes
    import gc

    gc.collect()
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
