"""Creates runs: completely, or not at all."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Self

from backprop_tui.domain.errors import BrokenRecord, StorageFailed, UsageError
from backprop_tui.domain.run import Run
from backprop_tui.store.files import failure, read_bytes, storage, sync_folder, unused_name, write_atomically
from backprop_tui.store.home import Home
from backprop_tui.store.locks import Lock, wait_for_lock
from backprop_tui.store.run_directory import RunDirectory

KEY_LOCK_SECONDS = 10.0
_SEPARATOR = "~"  # in no run id


class IdTaken(UsageError):
    """A run with that id exists already."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"--run-id {run_id}: taken by another run", f"to continue that: backprop-tui resume {run_id}")
        self.run_id = run_id


def create(
    home: Home, run: Run, environment: Mapping[str, str], *, time: float, confirm: Callable[[], object] | None = None
) -> RunDirectory:
    """Queues a run: its directory is built in `new`, marked, then renamed, so that no reader sees half of it.

    `confirm` is called before anybody can see it. If it raises, nothing was queued.

    Raises:
        IdTaken: a run of that id exists; nothing was changed.
        StorageFailed: nothing was queued.
    """
    folder = home.run_folder(run.id)
    if os.path.lexists(folder):
        raise IdTaken(run.id)
    draft = RunDirectory(os.path.join(home.new, f"{run.id}{_SEPARATOR}{os.getpid()}"))
    try:
        with storage(draft.path):
            os.mkdir(draft.path, 0o700)
        draft.write_environment(environment, folder_is_synced_later=True)
        draft.append_event("queued", "queued", time=time)
        draft.write(run, durable=True)
        if confirm is not None:
            confirm()
        mark(home, run.id)
        _move_into_place(draft.path, folder, run.id)
    except BaseException:
        import shutil  # only on failure

        shutil.rmtree(draft.path, ignore_errors=True)
        raise
    with storage(home.runs):
        sync_folder(home.runs)
    return RunDirectory(folder)


def mark(home: Home, run_id: str) -> None:
    """Makes supervisors look at the run; marking twice is harmless. Raises: StorageFailed."""
    marker = home.marker(run_id)
    with storage(marker):
        with suppress(FileExistsError):
            os.close(os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        sync_folder(home.active)


def remove_marker(home: Home, run_id: str) -> None:
    """Removes the marker of a run; a directory in its place is moved out of the folder. Raises: OSError."""
    marker = home.marker(run_id)
    try:
        os.unlink(marker)
    except FileNotFoundError:
        return
    except OSError:
        if not os.path.isdir(marker):
            raise
        os.rename(marker, unused_name(f"{home.active}.{run_id}.set-aside"))


def _move_into_place(draft: str, folder: str, run_id: str) -> None:
    try:
        os.rename(draft, folder)
    except OSError as error:
        if os.path.lexists(folder):
            raise IdTaken(run_id) from error
        raise failure(folder, error) from error


def delete_unfinished_builds(home: Home, *, older_than_seconds: float) -> None:
    """Removes what killed front ends left: half-built runs, and markers without a run.

    The front end may only be suspended. So a draft is renamed before its marker is removed: when continued, the front
    end then fails to move it into place and says so, instead of queueing a run that no supervisor looks at.
    """
    now = time.time()
    for name in os.listdir(home.new):
        draft = os.path.join(home.new, name)
        if now - _changed(draft, now) > older_than_seconds:
            doomed = os.path.join(home.new, f".doomed{_SEPARATOR}{os.urandom(4).hex()}")
            os.rename(draft, doomed)
            import shutil  # only if there are leftovers

            shutil.rmtree(doomed, ignore_errors=True)
    being_built = {name.rpartition(_SEPARATOR)[0] for name in os.listdir(home.new)}
    for run_id in os.listdir(home.active):
        marker = home.marker(run_id)
        is_old = now - _changed(marker, now) > older_than_seconds
        if is_old and run_id not in being_built and not os.path.lexists(home.run_folder(run_id)):
            remove_marker(home, run_id)


def _changed(path: str, now: float) -> float:
    try:
        return os.lstat(path).st_mtime
    except FileNotFoundError:
        return now


class Submission:
    """A submission key, locked while a submission with it is decided: the same key never creates two runs."""

    __slots__ = ("_home", "_lock", "_path")

    def __init__(self, home: Home, key: str) -> None:
        import hashlib  # loads all of OpenSSL, and most submissions have no key

        self._home = home
        self._path = os.path.join(home.keys, hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest())
        lock = wait_for_lock(self._path + ".lock", seconds=KEY_LOCK_SECONDS)
        if lock is None:
            raise StorageFailed(f"--key {key!r}: another submission with this key is still in progress")
        self._lock: Lock = lock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    def earlier(self) -> list[str]:
        """Returns the ids of the runs this key created; empty the first time, or if one was removed."""
        ids = self.recorded()
        return ids if all(_exists(self._home, run_id) for run_id in ids) else []

    def recorded(self) -> list[str]:
        """Returns the ids that were recorded, also those of runs that do not exist."""
        return self._lines()[0].split()

    def requested(self) -> list[dict[str, str]]:
        """Returns the options of each run as it was requested; empty if an older version recorded the key."""
        try:
            return [dict(options) for options in json.loads(self._lines()[1])]
        except (ValueError, TypeError):
            return []

    def _lines(self) -> tuple[str, str]:
        ids, _, options = (read_bytes(self._path) or b"").decode("ascii", "replace").partition("\n")
        return ids, options

    def record(self, run_ids: list[str], requested: Sequence[Mapping[str, str]] = ()) -> None:
        """Records the runs before they are created: after a crash in between, the ids of missing runs are ignored."""
        content = f"{' '.join(run_ids)}\n{json.dumps(requested)}"
        write_atomically(self._path, content.encode("ascii"), durable=True)


def _exists(home: Home, run_id: str) -> bool:
    try:
        RunDirectory(home.run_folder(run_id)).read()
    except BrokenRecord:
        return False
    return True
