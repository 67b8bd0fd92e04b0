"""Locks: one holder at a time, on the file that has the path now, and errors for what cannot be locked."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backprop_tui.domain.errors import AccessDenied, StateUnavailable, StorageFailed
from backprop_tui.store import locks
from backprop_tui.store.locks import Lock, is_locked, try_lock, wait_for_lock


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "lock")


def taken(path: str) -> Lock:
    lock = try_lock(path)
    assert lock is not None
    return lock


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def refuse(number: int) -> Callable[..., int]:
    """A system call that fails."""

    def fail(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    return fail


def test_closing_twice_closes_no_other_file(path: str) -> None:
    lock = taken(path)
    number = lock.descriptor
    lock.close()
    other = os.open(os.devnull, os.O_RDONLY)
    assert other == number, "the system gives the number out again"
    lock.close()
    os.fstat(other)
    os.close(other)


def test_a_lock_with_the_descriptor_zero_is_closed_too(path: str) -> None:
    held = taken(path)
    standard_input = os.dup(0)
    try:
        os.dup2(held.descriptor, 0)
        held.close()
        Lock(path, 0).close()
        assert not is_locked(path)
    finally:
        os.dup2(standard_input, 0)
        os.close(standard_input)


def test_only_a_released_lock_is_free_while_another_process_has_a_copy(path: str) -> None:
    lock = taken(path)
    copy = os.dup(lock.descriptor)
    before = descriptors()
    lock.release()
    assert not is_locked(path)
    assert (descriptors(), lock.descriptor) == (before - 1, -1)
    os.close(copy)


def test_a_lock_is_held_within_its_block(path: str) -> None:
    with taken(path) as lock:
        assert isinstance(lock, Lock)
        assert lock.path == path
        assert is_locked(path) is True
        before = descriptors()
        assert try_lock(path) is None
        assert descriptors() == before
    assert is_locked(path) is False
    assert descriptors() == before - 1


def test_what_is_missing_or_no_file_is_not_locked(path: str) -> None:
    assert is_locked(path) is False
    os.mkfifo(path)
    assert is_locked(path) is False


def test_a_lock_without_its_directory_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        try_lock(str(tmp_path / "gone" / "lock"))


def test_a_busy_lock_is_waited_for_and_given_up_in_time(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    now, held = [100.0], [taken(path)]
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds
        if len(pauses) == 3 and held:
            held.pop().close()

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", pause)
    lock = wait_for_lock(path, seconds=1.0)
    assert lock is not None
    assert pauses == [0.002] * 3
    assert wait_for_lock(path, seconds=0.01) is None
    assert now[0] == pytest.approx(100.0 + 3 * 0.002 + 0.01, abs=0.003)
    lock.close()


def test_a_file_that_is_replaced_while_it_is_locked_is_locked_again(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock on a file that nobody finds by the path any more protects nothing."""
    flock = fcntl.flock
    replaced: list[int] = []

    def replace_once(descriptor: int, operation: int) -> None:
        flock(descriptor, operation)
        if len(replaced) < 2:
            replaced.append(descriptor)
            os.unlink(path)
            if len(replaced) == 1:
                os.close(os.open(path, os.O_CREAT | os.O_WRONLY))

    before = descriptors()
    monkeypatch.setattr(fcntl, "flock", replace_once)
    lock = try_lock(path)
    assert lock is not None
    assert os.path.samestat(os.stat(path), os.fstat(lock.descriptor))
    assert descriptors() == before + 1
    lock.close()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_refused(path: str, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    before = descriptors()
    monkeypatch.setattr(fcntl, "flock", refuse(number))
    with pytest.raises(StateUnavailable, match="no file locks"):
        try_lock(path)
    with pytest.raises(StateUnavailable, match="no file locks"):
        is_locked(path)
    assert descriptors() == before


def test_another_error_of_a_lock_is_not_taken_for_a_busy_one(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = descriptors()
    monkeypatch.setattr(fcntl, "flock", refuse(errno.EIO))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        try_lock(path)
    assert descriptors() == before


@pytest.mark.parametrize("is_held", [True, False])
def test_a_lock_that_may_not_be_opened_is_busy_only_if_somebody_holds_it(
    path: str, *, is_held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "open_own", refuse(errno.EACCES))
    monkeypatch.setattr(locks, "open_file", refuse(errno.EACCES))
    monkeypatch.setattr(locks, "is_flocked", lambda _path: is_held)
    assert is_locked(path) is is_held
    if is_held:
        assert try_lock(path) is None
    else:
        with pytest.raises(AccessDenied):
            try_lock(path)


def test_a_lock_on_a_disk_that_fails_is_an_error_of_the_store(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "open_own", refuse(errno.EIO))
    with pytest.raises(StorageFailed, match=os.strerror(errno.EIO)):
        try_lock(path)
