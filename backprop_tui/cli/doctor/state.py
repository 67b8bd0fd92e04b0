"""The state directory, the settings, the supervisor and the index: whether queued runs get started and recorded."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator, Mapping

from backprop_tui.cli.doctor import Finding, bad, ok, warn
from backprop_tui.client.machine import existing_directory
from backprop_tui.client.runs import guardian_problem, split
from backprop_tui.config.load import read_layers
from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.formatting import counted
from backprop_tui.launchers.lease import is_signed_elsewhere, supervisor_pid
from backprop_tui.presentation import numbers
from backprop_tui.store.files import parse_object, read_bytes
from backprop_tui.store.home import Home

_ELSEWHERE = "set BACKPROP_HOME to a directory on a local disk"
_NETWORK = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "afs", "lustre", "ceph", "beegfs", "gpfs", "glusterfs")
_VOLATILE = ("tmpfs", "ramfs")
MIN_FREE_FILES = 10_000


def check_state(root: str, *, min_free_bytes: int, mounts: str = "/proc/self/mountinfo") -> Iterator[Finding]:
    """Checks the state directory; leaves nothing behind in it."""
    origin = "BACKPROP_HOME" if os.environ.get("BACKPROP_HOME") else "the default"
    if not os.path.isdir(root):
        yield from _check_missing(root, origin)
    else:
        yield from _check_directory(root, origin)
        yield from check_locks(root)
    folder = existing_directory(root)
    yield _check_file_system(folder, mounts)
    yield from check_space(folder, min_free_bytes=min_free_bytes)


def _check_missing(root: str, origin: str) -> Iterator[Finding]:
    above = existing_directory(root)
    if os.path.lexists(root):
        yield bad("state", f"{root} ({origin}) is not a directory", "move it away, or set BACKPROP_HOME")
    elif os.access(above, os.W_OK | os.X_OK):
        yield ok("state", f"{root} ({origin}): created by the first run")
    else:
        yield bad("state", f"{root} ({origin}) cannot be created: {above} is not writable", "set BACKPROP_HOME")


def _check_directory(root: str, origin: str) -> Iterator[Finding]:
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


def check_locks(root: str) -> Iterator[Finding]:
    """Takes a lock twice, which must fail, and makes a named pipe, by which supervisors are woken."""
    path = os.path.join(root, f".doctor-{os.getpid()}")
    try:
        yield _check_lock(path)
        os.unlink(path)
        os.mkfifo(path, 0o600)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EROFS, errno.EPERM):
            yield bad("locks", f"{error.strerror} in {root}", _ELSEWHERE)
    finally:
        if os.path.lexists(path):
            os.unlink(path)


def _check_lock(path: str) -> Finding:
    first = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    second = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return ok("locks", "work")
        return bad("locks", "one lock was taken twice: this file system does not support locking", _ELSEWHERE)
    finally:
        os.close(first)
        os.close(second)


def _check_file_system(folder: str, mounts: str) -> Finding:
    kind = file_system_of(folder, mounts)
    if kind is None:
        return ok("file system", "unknown")
    if kind.startswith(_NETWORK):
        message = f"{kind}: a network file system: slower, and its locks depend on the server"
        return warn("file system", message, f"if locks or speed are a problem: {_ELSEWHERE}")
    if kind in _VOLATILE:
        return warn("file system", f"{kind}: all records are lost at a reboot", _ELSEWHERE)
    if kind == "overlay":
        return warn(
            "file system", "overlay: all records are lost with the container", "mount a volume and set BACKPROP_HOME"
        )
    return ok("file system", kind)


def file_system_of(path: str, mounts: str) -> str | None:
    """The type of the file system that a path is on; None if the mounts cannot be read. See mountinfo in proc(5)."""
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as file:
            lines = [line.split() for line in file]
    except OSError:
        return None
    real, best, kind = os.path.realpath(path), "", None
    for fields in lines:
        if "-" not in fields:
            continue
        point = fields[4].replace("\\040", " ")
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):  # a later mount at the same point covers the earlier
            best, kind = point, fields[fields.index("-") + 1]
    return kind


def check_space(folder: str, *, min_free_bytes: int) -> Iterator[Finding]:
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if free < min_free_bytes:
        keeps = f"governor.min_free_disk_gb keeps {numbers.size(min_free_bytes)} free"
        advice = "backprop-tui clean --older-than 30d removes old runs; or free some space"
        yield bad("disk", f"{numbers.size(free)} free: runs wait, because {keeps}", advice)
    else:
        yield ok("disk", f"{numbers.size(free)} free")
    if disk.f_files > 0 and disk.f_favail < MIN_FREE_FILES:
        yield warn("files", f"room for only {disk.f_favail} more files", "backprop-tui clean --older-than 30d")


def check_settings(user_file: str, directory: str, environment: Mapping[str, str], *, named: bool) -> Iterator[Finding]:
    for layer in read_layers(user_file, directory, environment, named=named):
        for problem in layer.problems:
            yield bad("settings", str(problem), "fix it there; backprop-tui config check lists all problems")
        for remark in layer.remarks:
            yield warn("settings", f"{layer.name}: {remark}", "it has no effect here")
        if not layer.problems:
            yield ok("settings", layer.name)


def check_work(home: Home) -> Iterator[Finding]:
    unfinished, _ = split(home)
    here = [view for view in unfinished if view.run.host == home.host]
    pid = supervisor_pid(home)
    waiting = counted(len(here), "unfinished run")
    if pid is not None:
        yield ok("supervisor", f"alive, pid {pid}, {waiting}")
    elif not here:
        yield ok("supervisor", "none, and nothing is unfinished; the next run starts one")
    elif is_signed_elsewhere(home) and any(view.live is not None for view in here):
        message = f"{waiting} from another boot, or from another machine that is also called {home.host!r}"
        yield warn("supervisor", message, "if it is another machine: set BACKPROP_HOST to another name on one of them")
    else:
        yield warn("supervisor", f"none, and {waiting}", "backprop-tui status starts one")
    for view in here:
        problem = guardian_problem(home, view)
        if problem is not None:
            yield warn(
                "guardian", f"{view.run.id} ({view.run.name}): {problem}", f"backprop-tui continue {view.run.id}"
            )


def check_index(home: Home) -> Iterator[Finding]:
    try:
        content = read_bytes(home.index)
        if content is not None:
            parse_object(home.index, content)
    except BackpropError as error:
        yield warn("index", str(error), "nothing is lost: it is rebuilt when the next run ends")
        return
    size = 0 if content is None else len(content)
    yield ok("index", "none yet" if content is None else f"{os.path.basename(home.index)}, {numbers.size(size)}")
