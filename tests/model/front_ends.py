"""Commands: they queue, stop and resume, wake a supervisor if none answers, and exit."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.rules import Rules
from tests.model.state import BELL, LEASE, RUN, Process, Request, State, lowest_unused

# --- how any process wakes a supervisor ---


def rings(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """The process with the bell's read end looks at the queue before it exits; without one, start a supervisor."""
    if state.is_free(BELL):
        yield state.move(me, me.to("takes_lease"))
    else:
        yield from _continue(state, me)


def takes_lease(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """Nothing to do without work. If the lease is busy, its holder looks at the queue once more after releasing it."""
    if state.disk.has_work and state.is_free(LEASE):
        yield state.move(me, me.to("spawns_supervisor", take=LEASE))
    else:
        yield from _continue(state, me)


def spawns_supervisor(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """The new process inherits the lease."""
    family = lowest_unused({process.family for process in state.processes})
    supervisor = Process("supervisor", "opens_bell", holds=LEASE, family=family)
    yield state.move(me, me.to("lets_go"), supervisor)


def lets_go(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """Closes its own copy of the lease."""
    yield from _continue(state, me, drop=LEASE)


def _continue(state: State, me: Process, *, drop: int = 0) -> Iterator[State]:
    yield state.move(me, *([me.to(me.then, drop=drop)._replace(then="")] if me.then else []))


def _exit_or_ring(state: State, me: Process) -> State:
    """A command that changes nothing still makes sure that there is a supervisor for the work that exists."""
    return state.move(me, *([me.to("rings", drop=RUN)] if state.disk.has_work else []))


# --- queue ---


def builds(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """In a temporary directory, which no other process reads."""
    after = me.to("marks" if rules.marker_before_run else "renames")
    yield state.move(me, after, disk=state.disk._replace(build=True))


def marks(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """A run must never be without its marker."""
    after = me.to("renames" if rules.marker_before_run else "rings")
    yield state.move(me, after, disk=state.disk._replace(marker=True))


def renames(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """Now the run exists and is queued. If its directory was swept meanwhile, that is an error, and there is no run."""
    if not state.disk.build:
        yield state.move(me)
        return
    after = me.to("rings" if rules.marker_before_run else "marks")
    disk = state.disk.write(state.disk.run._replace(status="queued"), durably=True)
    yield state.move(me, after, disk=disk._replace(build=False))


# --- stop ---


def reads_status(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """Without a lock, so the status may be outdated a moment later."""
    match state.disk.run.status:
        case "absent":
            return
        case "ended":
            yield _exit_or_ring(state, me)
        case "queued":
            yield state.move(me, me.to("takes_queued_run" if rules.stop_edits_under_run_lock else "edits"))
        case _:
            yield state.move(me, me.to("appends"))


def takes_queued_run(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """If the lock is busy, its holder is starting or recovering the run, and will read the request."""
    yield state.move(me, me.to("edits", take=RUN) if state.is_free(RUN) else me.to("appends"))


def edits(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """Under the lock the status is certain: a run that is still queued ends at once."""
    if state.disk.run.status != "queued":
        yield state.move(me, me.to("appends", drop=RUN))
        return
    after = me.to("rings", drop=RUN)
    yield state.move(me, after, disk=state.disk.write(state.disk.run._replace(status="ended"), durably=True))


def appends(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """Appends a line to requests.jsonl, without a lock."""
    request = Request(asked=state.disk.run.asked, ends=sum(state.history.ends))
    after = me.to("rings")._replace(then="waits", attempt=state.disk.run.asked)
    yield state.move(me, after, disk=state.disk._replace(requests=(*state.disk.requests, request)))


def waits(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """The command returns when the effect is recorded; if no process can cause it, it wakes a supervisor."""
    run = state.disk.run
    if run.status == "ended" or run.asked > me.attempt:
        yield _exit_or_ring(state, me)
    elif rules.waiting_command_wakes and state.is_free(LEASE) and state.is_free(BELL):
        yield state.move(me, me.to("takes_lease")._replace(then="waits"))


# --- resume ---


def awaits_end(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """Only ended runs can be resumed; the end may not be indexed yet."""
    if state.disk.run.status == "ended":
        yield state.move(me, me.to("takes_ended_run" if rules.resume_marks_under_run_lock else "marks_early"))


def marks_early(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    yield state.move(me, me.to("takes_ended_run"), disk=state.disk._replace(marker=True))


def takes_ended_run(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """If the lock is busy, the supervisor is indexing the run for a moment, so it tries again."""
    if state.is_free(RUN):
        yield state.move(me, me.to("checks_end", take=RUN))


def checks_end(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """Under the lock the status is certain: another command may have resumed the run."""
    if state.disk.run.status != "ended":
        yield _exit_or_ring(state, me)
    else:
        yield state.move(me, me.to("marks_again" if rules.resume_marks_under_run_lock else "asks_again"))


def marks_again(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """The supervisor may have removed the marker until the lock was taken."""
    yield state.move(me, me.to("asks_again"), disk=state.disk._replace(marker=True))


def asks_again(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """Queues the run again; the same write discards the requests to earlier attempts."""
    run = state.disk.run
    requests_from = len(state.disk.requests) if rules.resume_discards_old_requests else run.requests_from
    run = run._replace(status="queued", asked=run.asked + 1, requests_from=requests_from)
    disk = state.disk.write(run, durably=False)._replace(indexed=False)
    yield state.move(me, me.to("rings", drop=RUN), disk=disk)


STEPS = {
    step.__name__: step
    for step in (
        *(rings, takes_lease, spawns_supervisor, lets_go),
        *(builds, marks, renames),
        *(reads_status, takes_queued_run, edits, appends, waits),
        *(awaits_end, marks_early, takes_ended_run, checks_end, marks_again, asks_again),
    )
}

WAKING = {step.__name__: step for step in (takes_lease, spawns_supervisor, lets_go)}
