"""Removes runs that have ended: their directory with log and metrics, and their record in the index.

Checkpoints are where the script saved them, and are kept.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress

from backprop_tui.client.runs import all_records, created, lost_hint, whereabouts
from backprop_tui.client.session import ClientSession
from backprop_tui.domain.errors import BackpropError, StorageFailed, UsageError
from backprop_tui.domain.formatting import duration, from_iso
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.run import Run
from backprop_tui.domain.run_names import spelled
from backprop_tui.domain.status import ACTIVE, ENDED, UNFINISHED
from backprop_tui.presentation.durations import ago
from backprop_tui.presentation.states import status_word
from backprop_tui.processes.linux import boot_id
from backprop_tui.store import index
from backprop_tui.store.creation import mark
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.files import storage
from backprop_tui.store.home import Home
from backprop_tui.store.hosts import SILENT_SECONDS, belongs_here, is_silent, seen_at
from backprop_tui.store.locks import is_locked
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.run_view import RunView, marked_views, public_record, read_view, unfinished_views

INDEXED_WITHIN_SECONDS = 5.0
LEFT_OVER_AFTER_SECONDS = 86400.0
_ASIDE = ".removed-"
LEFTOVERS = (_ASIDE, ".tmp-")


@lazy_dataclass(frozen=True, slots=True)
class Removable:
    """A run that may be removed; `bytes` is the size of its directory, 0 if only the index knows the run.

    `lost`: it is unfinished, and no guardian will end it.
    """

    run_id: str
    name: str
    bytes: int
    lost: bool = False


def removable_runs(session: ClientSession, run_ids: Sequence[str]) -> list[Removable]:
    """All of these runs; UsageError if one of them cannot be removed."""
    needed = _needed_runs(session.home)
    runs: list[Removable] = []
    for run_id in run_ids:
        run = _removable(session, run_id, needed.get(run_id))
        if isinstance(run, UsageError):
            raise run
        runs.append(run)
    return runs


def lost_runs(session: ClientSession, run_ids: Sequence[str]) -> list[Removable]:
    """Unfinished runs of hosts that have not been seen for minutes; without ids all of them.

    Raises:
        UsageError: one of the runs has ended, or may still live.
    """
    session.home.require_own()
    home = session.home
    if run_ids:
        views = [_lost(session, run_id) for run_id in run_ids]
    else:
        views = [view for view in unfinished_views(home) if _why_not_lost(home, view.run) is None]
    return [Removable(view.run.id, view.run.label, size_of(home.run_folder(view.run.id)), lost=True) for view in views]


def _lost(session: ClientSession, run_id: str) -> RunView:
    view = read_view(session.home, run_id)
    if view.status in UNFINISHED:
        reason = _why_not_lost(session.home, view.run)
    else:
        reason = f"it has ended ({view.status}): remove it without --lost"
    if reason is not None:
        raise UsageError(f"run {run_id} is not lost: {reason}")
    return view


def _why_not_lost(home: Home, run: Run) -> str | None:
    """Why an unfinished run may still live, or will be ended by this machine; None if its host never answers."""
    if belongs_here(home, run):
        return f"it belongs to this machine; stop it first: backprop-tui stop {run.id}"
    if not is_silent(home, run):
        wait = f"wait until it has been silent for {duration(SILENT_SECONDS)}"
        return f"{run.host} was seen {ago(time.time() - seen_at(home, run))}; {wait}"
    directory = RunDirectory(home.run_folder(run.id))
    is_here = run.status in ACTIVE and run.attempt.boot_id == boot_id()
    if is_here and (is_locked(directory.lock_path) or is_locked(directory.script_lock)):
        return f"its script or guardian holds a lock, so it lives on this machine as {run.host}"
    return None


def removable_before(session: ClientSession, time_limit: float) -> Iterator[Removable | UsageError]:
    """The runs that ended before a wall time, oldest first, and why those that another run needs cannot go."""
    needed = _needed_runs(session.home)
    # The index may have an unfinished run as it was before it was resumed: what has a marker is as it is now.
    for record in sorted(all_records(session.home).values(), key=created):
        ended = from_iso(record["ended_at"] or record["started_at"] or record["created_at"])
        if ended is not None and ended < time_limit and record["status"] in ENDED:
            yield _removable(session, record["id"], needed.get(record["id"]))


def _removable(session: ClientSession, run_id: str, needed_by: str | None) -> Removable | UsageError:
    home = session.home
    if needed_by is not None:
        return UsageError(
            f"run {run_id} cannot be removed: run {needed_by} waits for it", f"first: backprop-tui stop {needed_by}"
        )
    try:
        view = read_view(home, run_id)
    except FileNotFoundError:  # only the index knows it
        return Removable(run_id, spelled(str(public_record(home, run_id)["name"])), 0)
    except BackpropError as error:  # a broken record can be removed like any other
        session.warn(str(error))
        return Removable(run_id, run_id, size_of(home.run_folder(run_id)))
    if view.status in UNFINISHED:
        elsewhere = "" if view.run.host == home.host else f" {whereabouts(home, view.run)}"
        lost = f"; {lost_hint(run_id)}" if elsewhere else ""
        hint = f"stop it first: backprop-tui stop {run_id}{lost}"
        return UsageError(f"run {run_id} is {status_word(view.status)}{elsewhere}", hint)
    return Removable(run_id, view.run.label, size_of(home.run_folder(run_id)))


def _needed_runs(home: Home) -> dict[str, str]:
    """The runs that queued ones wait for, each with one of those that wait."""
    waiting = (view for view in marked_views(home) if view.status in UNFINISHED)
    return {dependency.run: view.run.id for view in waiting for dependency in view.run.spec.after}


def remove(session: ClientSession, runs: Sequence[Removable]) -> int:
    """Removes runs and returns how many bytes that freed; UsageError if one was resumed, or its host seen meanwhile."""
    home = session.home
    home.require_own()
    _wait_until_indexed(session, [run.run_id for run in runs if not run.lost])
    removed: list[str] = []
    freed = 0
    try:
        for run in runs:
            aside = _put_aside_lost(session, run.run_id) if run.lost else _put_aside_ended(home, run.run_id)
            removed.append(run.run_id)
            freed += delete(aside)
    finally:
        # Last, since it needs room on a disk that may be full. A crash before leaves records, to be removed again.
        if removed:
            index.update(home, {}, removed=removed)
    return freed


@lazy_dataclass(frozen=True, slots=True)
class SetAside:
    """A removed run that can still come back; `path` is None if only the index knew it, `record` if it was broken."""

    run_id: str
    path: str | None
    record: JsonObject | None


def set_aside(session: ClientSession, runs: Sequence[Removable]) -> list[SetAside]:
    """Removes ended runs for everybody, but keeps their directories until `restore` or `delete`.

    If this process is killed before, they are leftovers, deleted by `clean` and the next removal after a day.

    Raises:
        UsageError: a run was resumed meanwhile; those before it are back.
    """
    home = session.home
    home.require_own()
    _wait_until_indexed(session, [run.run_id for run in runs])
    aside: list[SetAside] = []
    try:
        for run in runs:
            record = _known_record(home, run.run_id)
            path = next(iter(_put_aside_ended(home, run.run_id, to_keep=True)), None)
            aside.append(SetAside(run.run_id, path, record))
        index.update(home, {}, removed=[run.run_id for run in aside])
    except BackpropError:
        for removed in aside:
            restore(session, removed)
        raise
    return aside


def restore(session: ClientSession, run: SetAside) -> None:
    """Puts back a run that was set aside; killed in between it is either still removed, or back and indexed later."""
    home = session.home
    home.require_own()
    folder = home.run_folder(run.run_id)
    if os.path.lexists(folder):
        raise UsageError(f"run {run.run_id} exists again", "the new run has its id; the removed one cannot come back")
    if run.path is not None:
        if run.record is not None:
            mark(home, run.run_id)  # first: a run without a marker and without a record in the index would be hidden
        with storage(run.path):
            os.rename(run.path, folder)
    if run.record is not None:
        index.update(home, {run.run_id: run.record})
        session.wake_supervisor()  # removes the marker


def _known_record(home: Home, run_id: str) -> JsonObject | None:
    try:
        return public_record(home, run_id)
    except BackpropError:
        return None


def _wait_until_indexed(session: ClientSession, run_ids: Collection[str]) -> None:
    """A supervisor that has just seen a run end would put it back into the index."""
    home = session.home
    if not any(os.path.exists(home.marker(run_id)) for run_id in run_ids):
        return
    session.wake_supervisor()
    end = time.monotonic() + INDEXED_WITHIN_SECONDS
    while time.monotonic() < end and any(os.path.exists(home.marker(run_id)) for run_id in run_ids):
        time.sleep(0.02)


def _put_aside_ended(home: Home, run_id: str, *, to_keep: bool = False) -> list[str]:
    directory = RunDirectory(home.run_folder(run_id))
    try:
        lock = directory.try_lock()
    except FileNotFoundError:
        return []
    if lock is None:
        raise UsageError(f"run {run_id} is in use", "try again")
    with lock:
        if _is_unfinished(directory):
            raise UsageError(f"run {run_id} was resumed; it is kept")
        return [put_aside(home, run_id, to_keep=to_keep)]


def _put_aside_lost(session: ClientSession, run_id: str) -> list[str]:
    _lost(session, run_id)  # its host may have come back
    return [put_aside(session.home, run_id)]


def put_aside(home: Home, run_id: str, *, to_keep: bool = False) -> str:
    """Renames the directory, so that the run is gone for everybody at once; the new path. Needs the run's lock.

    `to_keep`: it is not deleted at once, so it goes where directories are not counted as runs.
    """
    aside = os.path.join(home.removed if to_keep else home.runs, f"{_ASIDE}{run_id}-{os.getpid()}")
    with storage(home.run_folder(run_id)):
        os.makedirs(os.path.dirname(aside), mode=0o700, exist_ok=True)
        os.utime(home.run_folder(run_id))  # its age as a leftover counts from now
        os.rename(home.run_folder(run_id), aside)
    try:
        os.unlink(home.marker(run_id))
    except FileNotFoundError:
        pass
    return aside


def _is_unfinished(directory: RunDirectory) -> bool:
    try:
        return directory.read().status in UNFINISHED
    except BackpropError:
        return False


def leftovers(home: Home, now: float) -> list[str]:
    """What killed removals and submissions left a day ago or earlier; `now` is a wall time."""
    paths: list[str] = []
    with suppress(FileNotFoundError):
        paths += [os.path.join(home.runs, name) for name in os.listdir(home.runs) if name.startswith(LEFTOVERS)]
        paths += [os.path.join(home.removed, name) for name in os.listdir(home.removed)]
    return [path for path in paths if now - _changed_at(path) > LEFT_OVER_AFTER_SECONDS]


def delete(paths: Iterable[str]) -> int:
    """Deletes directories and returns how many bytes that freed."""
    freed = 0
    for path in paths:
        freed += size_of(path)
        try:
            shutil.rmtree(path)
        except OSError as error:
            where = error.filename or path
            raise StorageFailed(f"{where}: {error.strerror}; the run is removed, but this file is left") from error
    return freed


def _changed_at(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return float("inf")


def size_of(path: str) -> int:
    """The size of a directory on disk in bytes; files that vanish meanwhile count as 0."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
            except FileNotFoundError:
                continue
    return total
