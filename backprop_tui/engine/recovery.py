"""Decides what to do with a run whose guardian is gone: another guardian adopts it, or its record is updated."""

from __future__ import annotations

import time
from collections.abc import Callable

from backprop_tui.checkpoints.soundness import newest_sound
from backprop_tui.domain.causes.stops import cause_of_machine_restart, cause_of_recorded_stop, cause_of_unknown_end
from backprop_tui.domain.lifecycle import Outcome, finish_attempt, merge_live, requeue_unstarted
from backprop_tui.domain.run import Cause, Run
from backprop_tui.domain.status import Status
from backprop_tui.processes.linux import boot_id
from backprop_tui.store.locks import try_lock
from backprop_tui.store.run_directory import RunDirectory


def recover(directory: RunDirectory, run: Run) -> Run | None:
    """Updates the record of a run whose script was never started, or ended with the machine; returns the new record.

    None means that the script was started and needs a guardian, which adopts it, or finds out how it ended and cleans
    up after it. The caller holds the run's lock.

    Raises:
        StorageFailed: the record could not be written; nothing else was done.
    """
    if run.attempt.boot_id != boot_id():
        return _record_loss(directory, run, "the machine went down while it ran", cause_of_machine_restart)
    lock = try_lock(directory.script_lock)
    if lock is None:
        return None
    with lock:
        identity = directory.script_identity()
    if identity is not None and identity[0] == run.attempt.number:
        return None
    return _requeue_unstarted(directory, run)


def _requeue_unstarted(directory: RunDirectory, run: Run) -> Run:
    if run.status is not Status.STARTING:
        reason = "script.lock is empty although the script was running"
        return _record_loss(directory, run, reason, cause_of_unknown_end)
    reason = "its guardian died before the script was started"
    requeued = requeue_unstarted(run, now=time.time(), reason=reason)
    directory.write(requeued, durable=True)
    directory.append_event("queued", reason, time=time.time())
    return requeued


def _record_loss(directory: RunDirectory, run: Run, reason: str, cause_of: Callable[[str], Cause]) -> Run:
    """Records an end without a known exit status: lost, unless we were stopping the run at that time."""
    live = directory.read_live()
    stopping = live.stopping if live is not None and live.attempt == run.attempt.number else None
    if stopping is None:
        outcome = Outcome(status=Status.LOST, reason=reason, cause=cause_of(reason))
    else:
        is_final, cause = live is not None and live.is_final, cause_of_recorded_stop(stopping)
        outcome = Outcome(status=stopping.status, reason=stopping.reason, cause=cause, is_final=is_final)
    run = merge_live(run, live)
    # Only a slice is continued. For a lost run no checkpoint is checked: its disk may not answer after a reboot.
    checkpoint = newest_sound(run.checkpoints) if outcome.status is Status.TIMEBOXED else None
    now = time.time()
    concluded = finish_attempt(run, outcome, now=now, resume_from=None if checkpoint is None else checkpoint.path)
    directory.write(concluded, durable=True)
    directory.append_event("ended", outcome.reason or outcome.status, time=now, status=outcome.status)
    if concluded.status is not Status.QUEUED:
        directory.delete_environment()
    return concluded
