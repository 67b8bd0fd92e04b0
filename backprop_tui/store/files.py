"""Reads and writes files so that a reader never sees half of one, and a crash loses nothing that was acknowledged."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from backprop_tui.domain.errors import AccessDenied, BrokenRecord, StorageFailed
from backprop_tui.processes.linux import existing_directory, is_flocked
from backprop_tui.processes.regular_files import WrongFile, open_regular, read_descriptor
from backprop_tui.processes.users import other_owner, user_name, why_closed
from backprop_tui.store.watched_file import Signature

MAX_BYTES = 64 << 20  # of a file that is read as a whole; only an index may be longer
_MISSING = (errno.ENOENT, errno.ENOTDIR)

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode  # made once: lines are short and many


def open_file(path: str, flags: int = os.O_RDONLY, *, follow: bool = False) -> int:
    """Opens a regular file of ours; `follow`: also by a symbolic link. Raises: WrongFile, and other OSErrors."""
    descriptor = open_regular(path, flags, follow=follow)
    try:
        # On some network file systems everything belongs to another user.
        other = other_owner(path, os.fstat(descriptor).st_uid, as_folder=True)
        if other is not None:
            raise WrongFile(path, other)
    except OSError:  # also if its directory is gone by now
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def storage(path: str) -> Iterator[None]:
    """Turns an OSError into a `failure`."""
    try:
        yield
    except OSError as error:
        raise failure(path, error) from error


def failure(path: str, error: OSError) -> StorageFailed:
    """The error of ours for an OSError: that of an inaccessible path or a full disk says how to continue."""
    if isinstance(error, WrongFile):
        return BrokenRecord(path, str(error.strerror), "move it away")
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


def free_disk_bytes(path: str) -> int | None:
    """What is free on the disk of this path; None if that is not known."""
    try:
        disk = os.statvfs(path)
    except OSError:
        return None
    return disk.f_bavail * disk.f_frsize


def write_atomically(path: str, content: bytes, *, durable: bool, folder_is_synced_later: bool = False) -> Signature:
    """Replaces a file as a whole; the caller is its only writer. Returns the signature of the new file.

    A durable write survives a power cut once this returns (fsync of the file, rename, fsync of the directory); others
    survive the death of any process. With `folder_is_synced_later` it survives as soon as the caller has synced the
    directory.

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
            signature = Signature.of(os.fstat(descriptor))
        finally:
            os.close(descriptor)
        replace_by(temporary, path)
        if durable and not folder_is_synced_later:
            sync_folder(folder)
    return signature


def replace_by(temporary: str, path: str) -> None:
    """Renames a complete file to its path; a directory there is set aside. Raises: OSError."""
    try:
        os.rename(temporary, path)
    except OSError:
        if not os.path.isdir(path) or not set_aside(path):
            raise
        os.rename(temporary, path)


def _create(path: str) -> int:
    """Creates a file that nobody else opened before; what a killed writer left there is removed."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileExistsError:
        if not os.path.isdir(path) or os.path.islink(path):
            os.unlink(path)
        elif not set_aside(path):
            raise
        return os.open(path, flags, 0o600)


def open_own(path: str, flags: int, *, follow: bool = False) -> int:
    """Opens a file of ours, or creates it; what cannot be used is made accessible or set aside."""
    flags |= os.O_CREAT
    try:
        return open_file(path, flags, follow=follow)
    except (PermissionError, WrongFile):
        if not set_aside(path):
            raise
        return open_file(path, flags, follow=follow)


_unreported: list[str] = []  # the new names of files that were set aside


def set_aside_report() -> str | None:
    """Says which files this process set aside since the last report; None if none."""
    taken, _unreported[:] = _unreported[:], []
    return f"what is no file of yours, or not accessible to you, was set aside: {', '.join(taken)}" if taken else None


def set_aside(path: str, *, is_folder: bool = False) -> bool:
    """Renames an entry of a directory of ours that is inaccessible, as `sudo` leaves it, or no file (or no folder).

    Returns whether that was possible. What is our own is made accessible instead. A locked file is in use and stays.
    """
    try:
        status = os.lstat(path)
        is_own = status.st_uid == os.geteuid()
        if is_own and (stat.S_ISDIR if is_folder else stat.S_ISREG)(status.st_mode):
            os.chmod(path, 0o700 if is_folder else 0o600)
            return True
        if is_flocked(path):
            return False
        reason = "set-aside" if is_own else f"of-{user_name(status.st_uid).replace(' ', '-')}"
        aside = unused_name(f"{path}.{reason}")
        os.rename(path, aside)
    except OSError:
        return False
    _unreported.append(aside)
    return True


def make_writable(path: str) -> None:
    """Makes sure that a file of ours can be opened for writing, as a child that we start will do. Raises: OSError."""
    os.close(open_own(path, os.O_WRONLY | os.O_APPEND))


def unused_name(path: str) -> str:
    """The path, or if something is there one with a number at its end."""
    names = (path if number == 1 else f"{path}-{number}" for number in count(1))
    return next(name for name in names if not os.path.lexists(name))


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


def read_bytes(path: str, *, most: int = MAX_BYTES) -> bytes | None:
    """Returns the content of a file; None if it does not exist. Raises: BrokenRecord, AccessDenied, StorageFailed."""
    try:
        return read_file(path, most=most)
    except OSError as error:
        if error.errno in _MISSING:
            return None
        raise failure(path, error) from error


def read_file(path: str, *, most: int = MAX_BYTES) -> bytes:
    """As `read_bytes`, with the errors of the system. Raises: OSError, also if the file has more than `most` bytes."""
    descriptor = open_file(path)
    try:
        return read_descriptor(descriptor, path, most)
    finally:
        os.close(descriptor)


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
    return _encode(value).encode("ascii")


def folders_upward(folder: str) -> Iterator[str]:
    """The directory and every one above it."""
    yield folder
    while folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
        yield folder
