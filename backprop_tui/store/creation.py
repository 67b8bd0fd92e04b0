"""How a run comes into being: whole, or not at all."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Self

from backprop_tui.domain.errors import BrokenRecord, StorageFailed, UsageError
from backprop_tui.domain.run import Run
from backprop_tui.store.files import read_bytes, storage, sync_folder, write_atomically
from backprop_tui.store.home import Home
from backprop_tui.store.locks import Lock, wait_for_lock
from backprop_tui.store.run_directory import RunDirectory

KEY_LOCK_SECONDS = 10.0
_SEPARATOR = "~"  # in no run id
_DOOMED = ".doomed"


class IdTaken(UsageError):
    """There is a run of that id already."""

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"--run-id {run_id}: taken by another run; go on with that one by: backprop-tui resume {run_id}"
        )
        self.run_id = run_id


def create(home: Home, run: Run, environment: Mapping[str, str], *, time: float) -> RunDirectory:
    """Queues a run: built aside, marked, then renamed into place, so that no reader ever meets half of it.

    Raises:
        IdTaken: a run of that id exists; nothing was changed.
        StorageFailed: nothing was queued.
    """
    folder = home.run_folder(run.id)
    if os.path.lexists(folder):
        raise IdTaken(run.id)
    aside = os.path.join(home.new, f"{run.id}{_SEPARATOR}{os.getpid()}")
    try:
        _build(aside, run, environment, time)
        mark(home, run.id)
        _move_into_place(aside, folder, run.id)
    except BaseException:
        import shutil  # only where it fails

        shutil.rmtree(aside, ignore_errors=True)
        raise
    with storage(home.runs):
        sync_folder(home.runs)
    return RunDirectory(folder)


def _build(aside: str, run: Run, environment: Mapping[str, str], time: float) -> None:
    with storage(aside):
        os.mkdir(aside, 0o700)
    directory = RunDirectory(aside)
    directory.write_environment(environment)
    directory.append_event("queued", "queued", time=time)
    directory.write(run, durable=True)


def mark(home: Home, run_id: str) -> None:
    """Makes the run one that supervisors look at; marking twice does no harm.

    Raises:
        StorageFailed: the marker could not be made.
    """
    marker = home.marker(run_id)
    with storage(marker):
        os.close(os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        sync_folder(home.active)


def _move_into_place(aside: str, folder: str, run_id: str) -> None:
    try:
        os.rename(aside, folder)
    except FileExistsError as error:
        raise IdTaken(run_id) from error
    except OSError as error:
        if os.path.lexists(folder):
            raise IdTaken(run_id) from error
        raise StorageFailed(f"{folder}: {error.strerror}") from error


def sweep_unfinished_builds(home: Home, *, older_than_seconds: float) -> None:
    """Takes away what killed front ends left: half-built runs, and markers without a run.

    A front end may only have been stopped. So a build is renamed away before its marker goes: continued, the front end
    fails to move it into place and says so, instead of leaving a run that nobody looks at.
    """
    now = time.time()
    for name in os.listdir(home.new):
        built = os.path.join(home.new, name)
        if now - _changed(built, now) > older_than_seconds:
            doomed = os.path.join(home.new, f"{_DOOMED}{_SEPARATOR}{os.urandom(4).hex()}")
            os.rename(built, doomed)
            import shutil  # only where something was left

            shutil.rmtree(doomed, ignore_errors=True)
    being_built = {name.rpartition(_SEPARATOR)[0] for name in os.listdir(home.new)}
    for run_id in os.listdir(home.active):
        marker = home.marker(run_id)
        is_old = now - _changed(marker, now) > older_than_seconds
        if is_old and run_id not in being_built and not os.path.lexists(home.run_folder(run_id)):
            os.unlink(marker)


def _changed(path: str, now: float) -> float:
    """When it was last changed; `now` where it is gone."""
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return now


class Submission:
    """A submission key, held while it is decided whether it makes a run: the same key never makes two.

    Raises:
        StorageFailed: somebody held the key for too long.
    """

    __slots__ = ("_home", "_lock", "_path")

    def __init__(self, home: Home, key: str) -> None:
        import hashlib  # only for a key: it loads all of OpenSSL

        self._home = home
        self._path = os.path.join(home.keys, hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest())
        lock = wait_for_lock(self._path + ".lock", seconds=KEY_LOCK_SECONDS)
        if lock is None:
            raise StorageFailed(f"--key {key!r}: another submission with this key has not ended")
        self._lock: Lock = lock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    def earlier(self) -> list[str]:
        """The ids of the runs that this key made; empty the first time, or where its run was removed."""
        ids = (read_bytes(self._path) or b"").decode("ascii", "replace").split()
        return ids if ids and all(_exists(self._home, run_id) for run_id in ids) else []

    def record(self, run_ids: list[str]) -> None:
        """Written before the runs are made: a crash in between leaves ids of no run, which count for nothing."""
        write_atomically(self._path, " ".join(run_ids).encode("ascii"), durable=True)


def _exists(home: Home, run_id: str) -> bool:
    try:
        RunDirectory(home.run_folder(run_id)).read()
    except BrokenRecord:
        return False
    return True
