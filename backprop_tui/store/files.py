"""Reads and writes files so that a reader never sees half of one, and a crash loses nothing that was acknowledged."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from backprop_tui.domain.errors import AccessDenied, BrokenRecord, StorageFailed
from backprop_tui.processes.linux import existing_directory, is_flocked
from backprop_tui.processes.users import user_name, why_closed

_MISSING = (errno.ENOENT, errno.ENOTDIR)


@contextmanager
def storage(path: str) -> Iterator[None]:
    """Turns an OSError into a `failure`."""
    try:
        yield
    except OSError as error:
        raise failure(path, error) from error


def failure(path: str, error: OSError) -> StorageFailed:
    """The error of ours for an OSError: that of an inaccessible path or a full disk says how to continue."""
    if isinstance(error, PermissionError):
        reason, command = why_closed(path)
        return AccessDenied(path, f"{error.strerror}, {reason}", command)
    return StorageFailed(f"{path}: {error.strerror or error}", _full_disk_hint(path, error))


def _full_disk_hint(path: str, error: OSError) -> str | None:
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return None
    disk = os.statvfs(existing_directory(path))
    free = f"{disk.f_bavail * disk.f_frsize / 1e6:,.0f} MB free"
    if error.errno == errno.EDQUOT:
        free = f"your quota is used up ({free} on the disk)"
    elif disk.f_files and not disk.f_favail:
        free = f"no more files can be created there ({free})"
    return f"{free}: `backprop-tui clean --older-than 30d` removes old runs; or set BACKPROP_HOME to another disk"


def write_atomically(path: str, content: bytes, *, durable: bool) -> None:
    """Replaces a file as a whole; the caller is its only writer.

    A durable write survives a power cut once this returns (fsync of the file, rename, fsync of the directory); others
    survive the death of any process.

    Raises:
        StorageFailed: disk full, or another input/output error; the old file is untouched.
    """
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.tmp")
    with storage(path):
        descriptor = _create(temporary)
        try:
            write_all(descriptor, content)
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(temporary, path)
        if durable:
            sync_folder(folder)


def _create(path: str) -> int:
    """Creates a file that nobody else opened before; what a killed writer left there is removed."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileExistsError:
        os.unlink(path)
        return os.open(path, flags, 0o600)


def open_own(path: str, flags: int) -> int:
    """Opens a file of ours, or creates it; an inaccessible one is made accessible or set aside."""
    flags |= os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except PermissionError:
        if not set_aside(path):
            raise
        return os.open(path, flags, 0o600)


def make_writable(path: str) -> None:
    """Makes sure that a file of ours can be opened for writing, as a child that we start will do."""
    if os.path.lexists(path) and not os.access(path, os.W_OK):
        set_aside(path)


_unreported: list[str] = []  # the new names of files that were set aside


def set_aside_report() -> str | None:
    """Says which files this process set aside since the last report; None if none."""
    taken, _unreported[:] = _unreported[:], []
    return f"files of another user that you cannot access were set aside: {', '.join(taken)}" if taken else None


def set_aside(path: str) -> bool:
    """Renames an inaccessible entry of a directory of ours, as `sudo` leaves it; returns whether that was possible.

    What is our own is made accessible instead. A locked file is in use and stays.
    """
    try:
        status = os.lstat(path)
        if status.st_uid == os.geteuid():
            os.chmod(path, 0o700 if stat.S_ISDIR(status.st_mode) else 0o600)
            return True
        if is_flocked(path):
            return False
        owner = user_name(status.st_uid)
        aside = f"{path}.of-{owner.replace(' ', '-')}"
        os.rename(path, aside)
    except OSError:
        return False
    _unreported.append(aside)
    return True


def write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_folder(folder: str) -> None:
    """Makes the entries of a directory survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def append_line(path: str, line: bytes) -> None:
    """Appends a line in a single write, so that lines of several writers do not mix.

    If the last line was cut by a full disk, a newline is written first. Raises: StorageFailed.
    """
    with storage(path):
        descriptor = open_own(path, os.O_RDWR | os.O_APPEND)
        try:
            size = os.fstat(descriptor).st_size
            is_torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            write_all(descriptor, (b"\n" if is_torn else b"") + line + b"\n")
        finally:
            os.close(descriptor)


def read_bytes(path: str) -> bytes | None:
    """Returns the content of a file; None if it does not exist. Raises: AccessDenied, StorageFailed."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        if error.errno in _MISSING:
            return None
        raise failure(path, error) from error


def read_object(path: str) -> dict[str, object] | None:
    """Returns the JSON object in a file; None if the file does not exist. Raises: BrokenRecord."""
    content = read_bytes(path)
    return None if content is None else parse_object(path, content)


def parse_object(path: str, content: bytes) -> dict[str, object]:
    """Returns the JSON object in the content of `path`. Raises: BrokenRecord."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BrokenRecord(path, f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BrokenRecord(path, "not a JSON object")
    return value


def dump(value: object) -> bytes:
    """Returns compact ASCII JSON: undecodable bytes of names and paths survive as lone surrogates."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def folders_upward(folder: str) -> Iterator[str]:
    """The directory and every one above it."""
    yield folder
    while folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
        yield folder
