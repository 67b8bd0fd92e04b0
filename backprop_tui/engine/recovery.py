"""What became of a run whose guardian is gone. The caller holds the run's lock."""

from __future__ import annotations

import time
from collections.abc import Callable

from backprop_tui.domain.causes.ours import cause_of_doubt, cause_of_our_stop, cause_of_restart
from backprop_tui.domain.lifecycle import Outcome, conclude, fold, take_back
from backprop_tui.domain.run import Cause, Run
from backprop_tui.domain.status import Status
from backprop_tui.domain.values import dataclass
from backprop_tui.processes.linux import boot_id
from backprop_tui.store.checkpoints import newest_sound
from backprop_tui.store.locks import try_lock
from backprop_tui.store.run_directory import RunDirectory


@dataclass(frozen=True, slots=True)
class Adopt:
    """The script was started: a new guardian takes it over, or finds out how it ended and sweeps what it left."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The record says now what became of it."""

    run: Run


def recover(directory: RunDirectory, run: Run) -> Adopt | Recorded:
    """Tells a script that was started from one that never was, and records what needs no guardian.

    Raises:
        StorageFailed: the record could not be written; nothing else was done.
    """
    if run.attempt.boot_id != boot_id():
        return _lost(directory, run, "the machine went down while it ran", cause_of_restart)
    lock = try_lock(directory.script_lock)
    if lock is None:
        return Adopt()
    with lock:
        named = directory.script_identity()
    if named is not None and named[0] == run.attempt.number:
        return Adopt()
    return _never_started(directory, run)


def _never_started(directory: RunDirectory, run: Run) -> Recorded:
    if run.status is not Status.STARTING:
        return _lost(directory, run, "its script.lock was emptied by somebody", cause_of_doubt)
    back = take_back(run, now=time.time(), reason="its guardian died before the script was started")
    directory.write(back, durable=True)
    directory.append_event("queued", "its guardian died before the script was started", time=time.time())
    return Recorded(back)


def _lost(directory: RunDirectory, run: Run, why: str, cause_of: Callable[[str], Cause]) -> Recorded:
    """An end that was ours is told as such, though nobody saw how it came."""
    live = directory.read_live()
    stopping = live.stopping if live is not None and live.attempt == run.attempt.number else None
    is_final = live is not None and live.is_final
    outcome = (
        Outcome(status=Status.LOST, reason=why, cause=cause_of(why))
        if stopping is None
        else Outcome(
            status=stopping.status, reason=stopping.reason, cause=cause_of_our_stop(stopping), is_final=is_final
        )
    )
    run = fold(run, live)
    # Only a slice goes on by itself; for what is lost no disk is asked, which might not answer after a restart.
    checkpoint = newest_sound(run.checkpoints) if outcome.status is Status.TIMEBOXED else None
    now = time.time()
    concluded = conclude(run, outcome, now=now, resume_from=None if checkpoint is None else checkpoint.path)
    directory.write(concluded, durable=True)
    directory.append_event("ended", outcome.reason or outcome.status, time=now, status=outcome.status)
    if concluded.status is not Status.QUEUED:
        directory.forget_environment()
    return Recorded(concluded)
