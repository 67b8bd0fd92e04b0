"""Locks that die with the process that holds them: flock on an open file description.

They pass to another process by inheritance of the descriptor and are given up by closing it. LOCK_UN would take them
from every holder of the same description: only the supervisor's lease is given up so.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from typing import Self

from backprop_tui.domain.errors import StateUnavailable


class Lock:
    """A held lock; `descriptor` may be handed on to the process that shall hold it from now on."""

    __slots__ = ("descriptor", "path")

    def __init__(self, path: str, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor

    def close(self) -> None:
        """Closes this process's descriptor; another process that inherited it goes on holding the lock."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def release(self) -> None:
        """Gives the lock up for every process that has a copy of the descriptor.

        For the lease at its end: a front end that was stopped while it started this supervisor still has a copy, and
        would keep the lease from everybody.
        """
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def try_lock(path: str) -> Lock | None:
    """The lock, or None while somebody else holds it.

    Raises:
        FileNotFoundError: the directory is gone.
        StateUnavailable: this file system has no locks.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not _flock(path, descriptor):
                os.close(descriptor)
                return None
            # Somebody may have replaced the file between open and lock: then this lock protects nothing.
            if _is_at(path, descriptor):
                return Lock(path, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def wait_for_lock(path: str, *, seconds: float) -> Lock | None:
    """The lock, or None when it stayed busy for `seconds`; only for locks that are held for milliseconds."""
    end = time.monotonic() + seconds
    while True:
        lock = try_lock(path)
        if lock is not None or time.monotonic() >= end:
            return lock
        time.sleep(0.002)


def is_locked(path: str) -> bool:
    """Whether somebody holds the lock; a file that is not there is not locked."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
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
                f"{path}: this file system has no file locks ({error.strerror}); set BACKPROP_HOME to a local directory"
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
