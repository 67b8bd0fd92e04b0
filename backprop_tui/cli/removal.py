"""Removes runs that have ended: their directory with log and figures, and their record in the index.

Checkpoints lie where the script put them and stay.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Collection, Iterable, Sequence

from backprop_tui.cli import diagnostics, output
from backprop_tui.cli.exit_codes import OK
from backprop_tui.cli.session import Session
from backprop_tui.domain.errors import BackpropError, StorageFailed, UsageError
from backprop_tui.domain.formatting import counted
from backprop_tui.domain.status import UNFINISHED
from backprop_tui.domain.values import dataclass
from backprop_tui.presentation import numbers
from backprop_tui.store import index
from backprop_tui.store.files import storage
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.views import marked, view

INDEXED_WITHIN_SECONDS = 5.0
_ASIDE = ".removed-"
LEFTOVERS = (_ASIDE, ".tmp-")
LEFT_OVER_AFTER_SECONDS = 86400.0


@dataclass(frozen=True, slots=True)
class Removable:
    """A run that may go; `bytes` is what its directory takes, 0 where only the index knows it."""

    run_id: str
    name: str
    bytes: int


def removable(home: Home, run_id: str, name: str, needed_by: str | None) -> Removable | UsageError:
    """The run, or why it has to stay."""
    if needed_by is not None:
        return UsageError(f"run {run_id} has to stay: run {needed_by} waits for it")
    try:
        found = view(home, run_id)
    except FileNotFoundError:
        return Removable(run_id, name, 0)
    except BackpropError as error:  # a broken record is worth removing for that alone
        diagnostics.complain(str(error))
        return Removable(run_id, name, size_of(home.run_folder(run_id)))
    if found.status in UNFINISHED:
        return UsageError(f"run {run_id} is {found.status}: backprop-tui stop {run_id} ends it first")
    return Removable(run_id, found.run.name, size_of(home.run_folder(run_id)))


def needed(home: Home) -> dict[str, str]:
    """Runs that queued ones wait for, each with one of those."""
    waiting = (one for one in marked(home) if one.status in UNFINISHED)
    return {dependency.run: one.run.id for one in waiting for dependency in one.run.spec.after}


def remove(session: Session, runs: Sequence[Removable]) -> int:
    """Removes them; how many bytes that freed.

    Raises:
        UsageError: one goes on again, since `resume` was quicker.
        StorageFailed: the index or a directory could not be changed.
    """
    home = session.home
    _wait_until_indexed(session, [run.run_id for run in runs])
    gone: list[str] = []
    aside: list[str] = []
    try:
        for run in runs:
            aside += _put_aside(home, run.run_id)
            gone.append(run.run_id)
    finally:
        # A crash before this leaves records of runs that can be removed again; one after it, rubbish for `clean`.
        index.update(home, {}, removed=gone)
    return sum(_delete(path) for path in aside)


def _wait_until_indexed(session: Session, run_ids: Collection[str]) -> None:
    """A supervisor that has just seen a run end would put it into the index again."""
    home = session.home
    if not any(os.path.exists(home.marker(run_id)) for run_id in run_ids):
        return
    session.supervisor.call()
    end = time.monotonic() + INDEXED_WITHIN_SECONDS
    while time.monotonic() < end and any(os.path.exists(home.marker(run_id)) for run_id in run_ids):
        time.sleep(0.02)


def _put_aside(home: Home, run_id: str) -> list[str]:
    """Renames the directory, so that the run is gone for everybody at once; the new path, none where it has none."""
    directory = RunDirectory(home.run_folder(run_id))
    try:
        lock = directory.try_lock()
    except FileNotFoundError:
        return []
    if lock is None:
        raise UsageError(f"run {run_id} is being worked on; try again")
    with lock:
        if _goes_on(directory):
            raise UsageError(f"run {run_id} goes on again; it stays")
        aside = os.path.join(home.runs, f"{_ASIDE}{run_id}-{os.getpid()}")
        with storage(directory.path):
            os.rename(directory.path, aside)
        _unmark(home, run_id)
    return [aside]


def _goes_on(directory: RunDirectory) -> bool:
    try:
        return directory.read().status in UNFINISHED
    except BackpropError:
        return False


def _unmark(home: Home, run_id: str) -> None:
    try:
        os.unlink(home.marker(run_id))
    except FileNotFoundError:
        return


def _delete(path: str) -> int:
    """Deletes a directory; how many bytes that freed."""
    freed = size_of(path)
    try:
        shutil.rmtree(path)
    except OSError as error:
        raise StorageFailed(f"{error.filename or path}: {error.strerror}; the run is removed, this is left") from error
    return freed


def told(session: Session, runs: Sequence[Removable], size: int) -> int:
    """Says what went, or with `--dry-run` would go; the exit code."""
    if session.json:
        output.json_value({"removed": [run.run_id for run in runs], "bytes": size, "dry_run": session.dry_run})
        return OK
    done, freed = ("would be removed", "to free") if session.dry_run else ("removed", "freed")
    for run in runs:
        output.line(f"{run.run_id} {run.name}: {done}")
    output.line(f"{counted(len(runs), 'run')} {done}, {numbers.size(size)} {freed}")
    return OK


def leftovers(home: Home, now: float) -> list[str]:
    """What removals and submissions that were killed have left, a day later; `now` is a wall time."""
    try:
        names = [name for name in os.listdir(home.runs) if name.startswith(LEFTOVERS)]
    except FileNotFoundError:
        return []
    paths = [os.path.join(home.runs, name) for name in names]
    return [path for path in paths if now - _changed_at(path) > LEFT_OVER_AFTER_SECONDS]


def sweep(paths: Iterable[str]) -> int:
    """Deletes leftovers; how many bytes that freed."""
    return sum(_delete(path) for path in paths)


def _changed_at(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return float("inf")


def size_of(path: str) -> int:
    """What a directory takes on disk; files that vanish meanwhile take nothing."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
            except FileNotFoundError:
                continue
    return total
