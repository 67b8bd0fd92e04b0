"""The state directory: whether it can be written, locked and trusted."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator

from backprop_tui.cli.doctor.findings import Finding, bad, ok, warn
from backprop_tui.cli.machine_view import existing
from backprop_tui.presentation import numbers

_ELSEWHERE = "set BACKPROP_HOME to a directory on a local disk"
_NETWORK = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "afs", "lustre", "ceph", "beegfs", "gpfs", "glusterfs")
_VOLATILE = ("tmpfs", "ramfs")
LEAST_FREE_FILES = 10_000


def look_at_state(root: str, *, min_free_bytes: int, mounts: str = "/proc/self/mountinfo") -> Iterator[Finding]:
    """Everything about the state directory; nothing is left behind in it."""
    origin = "BACKPROP_HOME" if os.environ.get("BACKPROP_HOME") else "the usual place"
    if not os.path.isdir(root):
        yield from _look_at_missing(root, origin)
    else:
        yield from _look_at_directory(root, origin)
        yield from look_at_locks(root)
    place = existing(root)
    yield _look_at_file_system(place, mounts)
    yield from look_at_space(place, min_free_bytes=min_free_bytes)


def _look_at_missing(root: str, origin: str) -> Iterator[Finding]:
    above = existing(root)
    if os.path.lexists(root):
        yield bad("state", f"{root} ({origin}) is no directory", "move it away, or set BACKPROP_HOME")
    elif os.access(above, os.W_OK | os.X_OK):
        yield ok("state", f"{root} ({origin}): made by the first run")
    else:
        yield bad("state", f"{root} ({origin}) cannot be made: {above} is not writable", "set BACKPROP_HOME")


def _look_at_directory(root: str, origin: str) -> Iterator[Finding]:
    status = os.stat(root)
    mode = stat.S_IMODE(status.st_mode)
    if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        yield bad("state", f"{root} ({origin}) is not writable by you", "chown or chmod it, or set BACKPROP_HOME")
    elif status.st_uid != os.geteuid():
        yield warn(
            "state", f"{root} ({origin}) belongs to another user", "each user needs a state directory of their own"
        )
    elif mode & 0o077:
        yield warn("state", f"{root} ({origin}) is open to others (mode {mode:03o})", f"chmod 700 {root}")
    else:
        yield ok("state", f"{root} ({origin})")


def look_at_locks(root: str) -> Iterator[Finding]:
    """Takes a lock twice, which must fail, and makes the kind of file that supervisors are woken by."""
    path = os.path.join(root, f".doctor-{os.getpid()}")
    try:
        yield _look_at_lock(path)
        os.unlink(path)
        os.mkfifo(path, 0o600)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EROFS, errno.EPERM):
            yield bad("locks", f"{error.strerror} in {root}", _ELSEWHERE)
    finally:
        if os.path.lexists(path):
            os.unlink(path)


def _look_at_lock(path: str) -> Finding:
    first = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    second = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return ok("locks", "work")
        return bad("locks", "two holders of one lock: this file system pretends to lock", _ELSEWHERE)
    finally:
        os.close(first)
        os.close(second)


def _look_at_file_system(place: str, mounts: str) -> Finding:
    kind = file_system_of(place, mounts)
    if kind is None:
        return ok("file system", "unknown")
    if kind.startswith(_NETWORK):
        message = f"{kind}: a network file system: slower, and locks are as good as its server's"
        return warn("file system", message, f"if locks or speed give trouble: {_ELSEWHERE}")
    if kind in _VOLATILE:
        return warn("file system", f"{kind}: all records are gone after a reboot", _ELSEWHERE)
    if kind == "overlay":
        return warn("file system", "overlay: all records go with the container", "mount a volume and set BACKPROP_HOME")
    return ok("file system", kind)


def file_system_of(path: str, mounts: str) -> str | None:
    """The type of the file system that holds a path; None where the mounts cannot be read. See proc(5), mountinfo."""
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as file:
            lines = [line.split() for line in file]
    except OSError:
        return None
    real, best, kind = os.path.realpath(path), "", None
    for words in lines:
        if "-" not in words:
            continue
        point = words[4].replace("\\040", " ")
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):  # of two at one place the later one covers the earlier
            best, kind = point, words[words.index("-") + 1]
    return kind


def look_at_space(place: str, *, min_free_bytes: int) -> Iterator[Finding]:
    """Bytes and files that are left."""
    found = os.statvfs(place)
    free = found.f_bavail * found.f_frsize
    if free < min_free_bytes:
        message = (
            f"{numbers.size(free)} free: runs wait, governor.min_free_disk_gb keeps {numbers.size(min_free_bytes)}"
        )
        yield bad("disk", message, "backprop-tui clean --older-than 30d removes old runs; or free some space")
    else:
        yield ok("disk", f"{numbers.size(free)} free")
    if found.f_files > 0 and found.f_favail < LEAST_FREE_FILES:
        yield warn("files", f"room for {found.f_favail} more files alone", "backprop-tui clean --older-than 30d")
