"""What must hold in every state, at every step, and in every final state."""

from __future__ import annotations

from tests.model.state import LEASE, RUN, SCRIPT, Process, State


def one_live_script(state: State) -> bool:
    return sum(map(_is_alive_for_a_run, state.processes)) <= 1


def _is_alive_for_a_run(process: Process) -> bool:
    """A script, or what it left running."""
    return process.role == "script" and process.at in {"runs", "left"}


def live_script_is_on_record(state: State) -> bool:
    """A live script can be seen in run.json."""
    run = state.disk.run
    scripts = filter(_is_alive_for_a_run, state.processes)
    return all(run.status in {"starting", "running"} and run.attempt == script.attempt for script in scripts)


def one_end_per_attempt(state: State) -> bool:
    return max(state.history.ends) <= 1


def recorded_exit_status_is_kept(state: State) -> bool:
    return not state.history.forgotten


def executed_only_when_asked(state: State) -> bool:
    """Each attempt is executed at most once, and there are no more attempts than were requested or are slices."""
    executed = state.history.execs
    return max(executed) <= 1 and sum(executed) <= state.disk.run.asked + state.history.slices


def unfinished_run_has_its_marker(state: State) -> bool:
    return state.disk.marker or not state.disk.run.is_unfinished


def run_json_written_under_its_lock(before: State, actor: Process | None, after: State) -> bool:
    """The rename that creates the run needs no lock, since no other process knows the run yet."""
    existed = before.disk.run.status != "absent"
    return actor is None or before.disk.run == after.disk.run or not existed or actor.has(RUN)


def no_start_against_an_old_stop(before: State, _actor: Process | None, after: State) -> bool:
    """A stop that was requested before the last attempt ended prevents the next one."""
    starts = before.disk.run.status == "queued" and after.disk.run.status == "starting"
    if not starts or not before.disk.has_request:
        return True
    unread = before.disk.requests[max(before.disk.offset, before.disk.run.requests_from) :]
    return all(request.ends == sum(before.history.ends) for request in unread)


def no_stop_from_before_the_resume(before: State, _actor: Process | None, after: State) -> bool:
    """A resumed attempt is not stopped by an earlier request."""
    takes_effect = after.disk.intent != before.disk.intent or (
        before.disk.run.status == "queued"
        and after.disk.run.status == "ended"
        and after.disk.run.requests_from > before.disk.run.requests_from
    )
    return not takes_effect or after.disk.requests[-1].asked == before.disk.run.asked


IN_EVERY_STATE = (
    one_live_script,
    live_script_is_on_record,
    one_end_per_attempt,
    recorded_exit_status_is_kept,
    executed_only_when_asked,
    unfinished_run_has_its_marker,
)

AT_EVERY_STEP = (
    run_json_written_under_its_lock,
    no_start_against_an_old_stop,
    no_stop_from_before_the_resume,
)


def is_settled(state: State) -> bool:
    """Whether this is a good end: no process left and the run ended and indexed, or an endless script guarded."""
    disk = state.disk
    if not state.processes:
        was_never_created = disk.run.status == "absent"  # its marker is deleted when it is old
        return was_never_created or (disk.run.status == "ended" and disk.indexed and not disk.marker)
    return state.endless and not disk.has_request and _is_well_guarded(state)


def _is_well_guarded(state: State) -> bool:
    """Running and guarded, with a supervisor ready for the next run, and no other process."""
    idle_steps = {"awaits_orders", "awaits_go_ahead"}
    waiting = [p for p in state.processes if (p.role == "runner" and not p.task) or p.at in idle_steps]
    others = [process for process in state.processes if process not in waiting]
    at = {process.role: process for process in others}
    if len(others) != len(at) or set(at) != {"script", "runner", "supervisor", "fork server"}:
        return False
    guarded = at["runner"].at == "watches" and at["runner"].has(RUN) and at["script"].at == "runs"
    ready = at["supervisor"].at == "looks" and at["supervisor"].has(LEASE) and at["fork server"].at == "serves"
    none_blocks = at["fork server"].holds & (LEASE | RUN | SCRIPT) == 0 == at["runner"].holds & (LEASE | SCRIPT)
    return state.disk.run.status == "running" and guarded and ready and none_blocks
