"""What must hold in every state, and in every final state."""

from __future__ import annotations

from tests.model.slurm.state import FOREIGN, State


def one_live_script(state: State) -> bool:
    return sum(process.role == "script" for process in state.processes) <= 1


def live_script_is_on_record(state: State) -> bool:
    """An ended run is never started, and a run is never lost while its script lives (but see `is_script_left`)."""
    record = state.record
    scripts = [process for process in state.processes if process.role == "script"]
    are_on_record = all(record.is_active and record.attempts == script.attempt for script in scripts)
    return are_on_record or is_script_left(state)


def is_script_left(state: State) -> bool:
    """Whether program, guardian and keeper were killed, so that nobody knows about the script; the record says so."""
    return state.record.is_doubtful and state.history.killed >= 3


def executed_only_when_asked(state: State) -> bool:
    """Each attempt at most once, and no more attempts than were requested or are retries."""
    execs = state.history.execs
    return max(execs) <= 1 and sum(execs) <= state.record.asked + state.history.retries


def nobody_overwrites_what_it_has_not_read(state: State) -> bool:
    """The record has one writer at a time."""
    return not state.history.overwrote


def unstarted_run_ends_for_a_reason(state: State) -> bool:
    """A stop, a cancellation or a fault of the cluster."""
    return not state.history.ended_without_cause


def only_own_jobs_are_cancelled(state: State) -> bool:
    return not state.history.hurt_foreign_job


IN_EVERY_STATE = (
    one_live_script,
    live_script_is_on_record,
    executed_only_when_asked,
    nobody_overwrites_what_it_has_not_read,
    unstarted_run_ends_for_a_reason,
    only_own_jobs_are_cancelled,
)


def is_settled(state: State) -> bool:
    """Whether this is a good end: the run has ended and nothing of it is left, or its script runs and is guarded."""
    if any(job.number != FOREIGN for job in state.jobs) and not state.endless:
        return False
    busy = [process for process in state.processes if (process.role, process.at) != ("supervisor", "looks")]
    if state.record.status == "ended":
        if is_script_left(state):
            busy = [process for process in busy if process.role != "script"]
        return not busy and not any(job.number != FOREIGN for job in state.jobs)
    busy = [process for process in busy if process.role != "keeper"]
    at = {process.role: process.at for process in busy}
    guarded = {"program": "guards", "guardian": "watches", "script": "runs"}
    return state.endless and not state.stop_asked and len(busy) == len(at) and at == guarded
