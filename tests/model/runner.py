"""The runner: the guardian of one attempt, as the parent of its script or after adopting it."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.front_ends import WAKING
from tests.model.rules import Rules
from tests.model.script import dies
from tests.model.state import LEASE, NO_PROCESS, RUN, SCRIPT, SOCKET, Process, State, lowest_unused

# --- start ---


def closes_inherited(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """Closes the fork server's end of the socket, which would otherwise stay open after the fork server's death."""
    drop = SOCKET if rules.runner_closes_socket else 0
    if not me.task:
        yield state.move(me, me.to("forks_in_advance", drop=drop))
        return
    first_step = "takes_script_lock" if me.task == "start" else "tests_script_lock"
    if not me.has(RUN):
        first_step = "takes_run_lock"
    yield state.move(me, me.to(first_step, drop=drop)._replace(family=me.family if me.has(SOCKET) and not drop else 0))


def forks_in_advance(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """Without a run, the child has nothing of one."""
    pid = _new_pid(state)
    yield state.move(me, me.to("waits_for_run")._replace(pid=pid), Process("script", "awaits_orders", pid=pid))


def waits_for_run(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """The fork server's step passes it. An end of file means that the fork server is gone."""
    child = state.script(me.pid)
    is_dead = child is not None and child.at == "zombie" and state.disk.record != (me.attempt, me.pid)
    if me.task and child is not None and (is_dead or child.at == "awaits_go_ahead"):
        yield state.move(child).move(me, me._replace(pid=NO_PROCESS))  # killed, or prepared for another start
    elif me.task and child is not None and child.at != "awaits_orders":
        # It has got the go-ahead already, and may have ended.
        step = "awaits_exec" if me.has(RUN) else "takes_run_lock"
        yield state.move(me, me.to(step)._replace(family=me.family if me.has(SOCKET) else 0))
    elif me.task:
        first_step = "takes_script_lock" if me.task == "start" else _first_step_of_adopter(me)
        if not me.has(RUN):
            first_step = "takes_run_lock"
        yield state.move(me, me.to(first_step)._replace(family=me.family if me.has(SOCKET) else 0))
    elif state.find("fork server", family=me.family) is None and rules.waiting_runner_ends_with_its_server:
        yield (state.move(child) if child is not None and child.at == "zombie" else state).move(me)


def dismisses_child(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """Another script is alive: the child that was forked in advance is not needed."""
    child = state.script(me.pid)
    state = state if child is None else state.move(child)
    yield state.move(me, me.to("tests_script_lock")._replace(pid=NO_PROCESS))


def takes_run_lock(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """Only of a runner that did not inherit it."""
    if state.is_free(RUN):
        first_step = "takes_script_lock" if me.task == "start" else _first_step_of_adopter(me)
        yield state.move(me, me.to(first_step, take=RUN))


def takes_script_lock(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """If it is busy a script is alive, so no other is started."""
    if not rules.script_lock:
        yield state.move(me, me.to("truncates_record"))
    elif state.is_free(SCRIPT) and _is_recorded(state, me) and rules.starter_reads_record:
        yield state.move(me, me.to(_first_step_of_adopter(me))._replace(task="adopt"))
    elif state.is_free(SCRIPT):
        yield state.move(me, me.to("truncates_record", take=SCRIPT))
    else:
        yield state.move(me, me.to(_first_step_of_adopter(me))._replace(task="adopt"))


def _is_recorded(state: State, me: Process) -> bool:
    """The child of a runner that was killed may have got the go-ahead, and have ended by now."""
    return state.disk.record is not None and state.disk.record[0] == me.attempt


def _first_step_of_adopter(me: Process) -> str:
    return "tests_script_lock" if me.pid == NO_PROCESS else "dismisses_child"


def truncates_record(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    after = me.to("forks" if me.pid == NO_PROCESS else "tells_child")
    yield state.move(me, after, disk=state.disk._replace(record=None))


def forks(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """The child inherits lock 3 and its orders."""
    pid = _new_pid(state)
    child = _with_orders(Process("script", "awaits_orders", pid=pid), me, rules)
    yield state.move(me, me.to("awaits_exec")._replace(pid=pid), child)


def tells_child(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """The child gets its orders and lock 3 in one message. One that was killed while it waited is replaced."""
    child = state.script(me.pid)
    if child is None or child.at == "zombie":
        state = state if child is None else state.move(child)
        yield state.move(me, me.to("forks")._replace(pid=NO_PROCESS))
    else:
        yield state.move(child, _with_orders(child, me, rules)).move(me, me.to("awaits_exec"))


def _with_orders(child: Process, me: Process, rules: Rules) -> Process:
    first_step = "records_itself" if rules.child_records_itself else "execs"
    return child._replace(at=first_step, holds=me.holds & SCRIPT, attempt=me.attempt)


def _new_pid(state: State) -> int:
    recorded = set() if state.disk.record is None else {state.disk.record[1]}
    return lowest_unused({process.pid for process in state.processes} | recorded)


def awaits_exec(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """The close-on-exec pipe ends when the child has execed or died."""
    child = state.script(me.pid)
    if child is None or child.at in {"runs", "zombie"}:
        yield state.move(me, me.to("closes_script_lock" if rules.child_records_itself else "records_child"))


def records_child(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """Only of a runner whose child does not record itself."""
    yield state.move(me, me.to("closes_script_lock"), disk=state.disk._replace(record=(me.attempt, me.pid)))


def closes_script_lock(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    yield state.move(me, me.to("writes_running", drop=SCRIPT))


def writes_running(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    disk = state.disk.write(state.disk.run._replace(status="running"), durably=False)
    yield state.move(me, me.to("watches"), disk=disk)


# --- adopt ---


def tests_script_lock(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """As in recovery, the lock is tested before the record; repeats while a child is alive and not recorded."""
    recorded = state.disk.record is not None and state.disk.record[0] == me.attempt
    if state.is_free(SCRIPT):
        yield state.move(me, me.to("reads_record"))
    elif recorded:
        yield state.move(me, me.to("opens_script"))
    elif not rules.adopter_waits_for_the_record:
        yield state.move(me, me.to("kills_remaining"))


def reads_record(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    if state.disk.record is not None and state.disk.record[0] == me.attempt:
        yield state.move(me, me.to("opens_script"))
    else:
        yield state.move(me, me.to("takes_back"))


def opens_script(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """By pidfd, with the start time compared, unless its end is recorded. A stop that had begun continues."""
    assert state.disk.record is not None
    before = me
    pid = state.disk.record[1]
    if not state.is_alive(pid) and state.disk.script_end == me.attempt and rules.adopter_reads_script_end:
        step = "watches_leftovers"
    elif not state.is_alive(pid):
        step = "kills_remaining"
        me = me._replace(task="lost")
    elif state.disk.intent == me.attempt:
        step = "signals"
    else:
        step = "writes_running" if state.disk.run.status == "starting" else "watches"
    yield state.move(before, me.to(step)._replace(pid=pid))


def takes_back(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """The child died before it recorded itself, so the script never started."""
    run = state.disk.run
    disk = state.disk.write(run._replace(status="queued", attempt=run.attempt - 1), durably=False)
    yield state.move(me, me.to("releases_run"), disk=disk)


# --- watch ---


def watches(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """Handles an exit, a request or a free lease, in any order."""
    if not state.is_alive(me.pid):
        yield state.move(me, me.to("reaps"))
    if state.disk.has_request:
        yield state.move(me, me.to("records_intent" if rules.intent_and_offset_in_one_write else "records_offset"))
    if state.is_free(LEASE) and state.disk.has_work:
        yield state.move(me, me.to("takes_lease")._replace(then="watches"))


def records_offset(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """One write too early: a runner that adopts the script would think that the request was handled."""
    yield state.move(me, me.to("records_intent"), disk=state.disk._replace(offset=len(state.disk.requests)))


def records_intent(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """Records the intent and the offset of the requests in one write of live.json, before the signal."""
    disk = state.disk._replace(intent=me.attempt, offset=len(state.disk.requests))
    yield state.move(me, me.to("signals"), disk=disk)


def signals(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """All stages up to SIGKILL, which differ only in how long they take."""
    script = state.script(me.pid)
    if script is not None and script.at != "zombie":
        state = dies(state, script)
    yield state.move(me, me.to("watches"))


# --- end ---


def reaps(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """A parent sees the exit status; an adopter may not."""
    script = state.script(me.pid)
    if script is not None and script.at == "left":
        yield state.move(me, me.to("records_script_end"))
        return
    state = state if script is None else state.move(script)
    yield state.move(me, me.to("kills_remaining"))


def records_script_end(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """In live.json, before the wait: no other runner can see the exit status."""
    yield state.move(me, me.to("watches_leftovers"), disk=state.disk._replace(script_end=me.attempt))


def watches_leftovers(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """Until they have ended or are idle; a request is handled as while the script runs."""
    yield state.move(me, me.to("kills_remaining"))
    if state.disk.has_request:
        yield state.move(me, me.to("records_intent"))
    if state.is_free(LEASE) and state.disk.has_work:
        yield state.move(me, me.to("takes_lease")._replace(then="watches_leftovers"))


def kills_remaining(state: State, me: Process, rules: Rules) -> Iterator[State]:
    left = [process for process in state.processes if process.at == "left"]
    for process in left if rules.kills_leftovers else []:
        state = state.move(process)
    yield state.move(me, me.to("reads_last_requests"))


def reads_last_requests(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """A run that was asked to stop gets no further slice, nor does one whose script was adopted."""
    asked_to_stop = state.disk.has_request or state.disk.intent == me.attempt
    another = me.task == "start" and state.slices_left > 0 and not asked_to_stop
    yield state.move(me, me.to("writes_slice_end" if another else "writes_end"))


def writes_end(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    disk = state.disk.write(state.disk.run._replace(status="ended"), durably=True)
    after = state.move(me, me.to("releases_run"), disk=disk).recorded_end(me.attempt)
    is_forgotten = me.task == "lost" and state.disk.script_end == me.attempt
    yield after._replace(history=after.history._replace(forgotten=after.history.forgotten or is_forgotten))


def writes_slice_end(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """The attempt ends and the run is queued for its next slice, in one write."""
    disk = state.disk.write(state.disk.run._replace(status="queued"), durably=True)
    after = state.move(me, me.to("releases_run"), disk=disk).recorded_end(me.attempt)
    history = after.history._replace(slices=after.history.slices + 1)
    yield after._replace(slices_left=after.slices_left - 1, history=history)


def releases_run(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """As its last step it wakes a supervisor if there is none, to index the end and start the next run."""
    if rules.runner_wakes_at_its_end:
        yield state.move(me, me.to("takes_lease", drop=RUN))
    else:
        yield state.move(me)


STEPS = WAKING | {
    step.__name__: step
    for step in (
        *(closes_inherited, forks_in_advance, waits_for_run, dismisses_child),
        *(takes_run_lock, takes_script_lock, truncates_record, forks, tells_child),
        *(awaits_exec, records_child, closes_script_lock, writes_running),
        *(tests_script_lock, reads_record, opens_script, takes_back),
        *(watches, records_offset, records_intent, signals),
        *(
            reaps,
            records_script_end,
            watches_leftovers,
            kills_remaining,
            reads_last_requests,
            writes_end,
            writes_slice_end,
            releases_run,
        ),
    )
}
