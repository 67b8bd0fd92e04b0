"""Locks that end with the process that holds them: flock on an open file description.

A lock passes to another process by inheriting the descriptor, and is released by closing it. LOCK_UN would release it
for every process with a copy of the descriptor: only the supervisor's lease is released that way.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from typing import Self

from backprop_tui.domain.errors import StateUnavailable
from backprop_tui.processes.linux import is_flocked
from backprop_tui.processes.regular_files import WrongFile
from backprop_tui.store.files import failure, open_file, open_own


class Lock:
    """A held lock; `descriptor` may be passed to the process that is to hold it from now on."""

    __slots__ = ("descriptor", "path")

    def __init__(self, path: str, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor

    def close(self) -> None:
        """Closes this process's descriptor; another process that inherited it continues to hold the lock."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def release(self) -> None:
        """Releases the lock for every process that has a copy of the descriptor.

        For the lease only: a front end that was stopped while it started this supervisor still has a copy, and would
        keep the lease forever.
        """
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def try_lock(path: str) -> Lock | None:
    """Takes the lock; None if another process holds it.

    Raises:
        FileNotFoundError: the directory is gone.
        StateUnavailable: this file system has no locks.
        StorageFailed: the file cannot be opened.
    """
    while True:
        try:
            descriptor = open_own(path, os.O_RDWR)
        except FileNotFoundError:
            raise
        except OSError as error:
            if is_flocked(path):
                return None  # by a process of another user
            raise failure(path, error) from error
        try:
            if not _flock(path, descriptor):
                os.close(descriptor)
                return None
            # If the file was replaced between open and lock, this lock protects nothing.
            if _is_at(path, descriptor):
                return Lock(path, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def wait_for_lock(path: str, *, seconds: float) -> Lock | None:
    """Takes the lock; None if it stayed busy for `seconds`. Only for locks that are held for milliseconds."""
    end = time.monotonic() + seconds
    while True:
        lock = try_lock(path)
        if lock is not None or time.monotonic() >= end:
            return lock
        time.sleep(0.002)


def is_locked(path: str) -> bool:
    """Returns whether a process holds the lock; a missing file is not locked."""
    try:
        descriptor = open_file(path, os.O_RDWR)
    except (FileNotFoundError, WrongFile):
        return False
    except PermissionError:
        return is_flocked(path)
    try:
        return not _flock(path, descriptor)
    finally:
        os.close(descriptor)


def _flock(path: str, descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN):
            return False
        if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            raise StateUnavailable(
                f"{path}: this file system has no file locks ({error.strerror})",
                "set BACKPROP_HOME to a local directory",
            ) from error
        raise
    return True


def _is_at(path: str, descriptor: int) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    here = os.fstat(descriptor)
    return (there.st_ino, there.st_dev) == (here.st_ino, here.st_dev)
