"""The supervisor: passes over the queue, recovers orphaned runs, and looks at the queue again before it exits."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.rules import Rules
from tests.model.state import BELL, LEASE, RUN, SCRIPT, SOCKET, Process, State


def opens_bell(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """It has inherited the lease."""
    yield state.move(me, me.to("looks", take=BELL))


def looks(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """The loop: a fork server first, then passes as long as a run is unfinished or not indexed.

    It waits until the fork server is ready, which has the lease too until then: a supervisor that exits meanwhile would
    find the lease busy in its last look, although no supervisor holds it.
    """
    server = state.find("fork server", family=me.family)
    if server is None:
        inherited = me.holds & (LEASE | BELL)
        forked = Process("fork server", "closes_inherited", holds=SOCKET | inherited, family=me.family)
        yield state.move(me, me, forked)
    elif server.at == "closes_inherited" and rules.waits_until_server_is_ready:
        return
    elif not state.disk.has_work:
        yield state.move(me, me.to("closes_bell"))
        if state.disk.marker:
            yield state.move(me, me.to("deletes_build" if rules.build_deleted_before_marker else "deletes_marker"))
    elif state.is_free(RUN):
        yield state.move(me, me.to("reads_run", take=RUN))
        yield from _expects(state, me)


def _expects(state: State, me: Process) -> Iterator[State]:
    """A runner that waits gives its child the orders for the run that will start next. Nobody holds a lock of it."""
    run = state.disk.run
    runners = (p for p in state.processes if p.role == "runner" and p.at == "waits_for_run" and not p.task)
    for child in [state.script(runner.pid) for runner in runners]:
        if run.status == "queued" and child is not None and child.at == "awaits_orders":
            orders = child._replace(at="awaits_go_ahead", family=me.family, attempt=run.attempt + 1, asked=run.asked)
            yield state.move(child, orders)


# --- sweep: an old marker without a run ---


def deletes_build(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """By a rename, so that the command that builds it still has all of it or nothing."""
    yield state.move(me, me.to("looks_for_run"), disk=state.disk._replace(build=False))


def looks_for_run(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """From now on the run cannot be created, but it may have been created before."""
    yield state.move(me, me.to("deletes_marker" if state.disk.run.status == "absent" else "looks"))


def deletes_marker(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    yield state.move(me, me.to("looks"), disk=state.disk._replace(marker=False))


# --- a pass ---


def reads_run(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """Reads the record again under lock 2, together with the requests."""
    run = state.disk.run
    if run.status == "ended":
        yield state.move(me, me.to("indexes"))
    elif run.status == "queued" and state.disk.has_request and rules.pass_reads_requests:
        yield state.move(me, me.to("ends_unstarted"))
    elif run.status == "queued":
        yield from _starts(state, me, rules)
    elif not run.this_boot and rules.boot_is_compared:
        yield state.move(me, me.to("writes_lost"))
    else:
        yield state.move(
            me, me.to("tests_script_lock" if rules.script_lock_tested_before_record_read else "reads_early")
        )


def indexes(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """Writes experiments.json first; the marker is removed afterwards."""
    after = me.to("removes_marker", drop=0 if rules.unmarks_under_run_lock else RUN)
    yield state.move(me, after, disk=state.disk._replace(indexed=True))


def removes_marker(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """Still under lock 2: a resume sets the marker again under the same lock."""
    yield state.move(me, me.to("looks", drop=RUN), disk=state.disk._replace(marker=False))


def ends_unstarted(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """A stop that reached a queued run while its lock was busy."""
    run = state.disk.run._replace(status="ended", requests_from=len(state.disk.requests))
    yield state.move(me, me.to("looks", drop=RUN), disk=state.disk.write(run, durably=True))


# --- start ---


def _starts(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """By the child that has the orders of the run as it is now, or else by none."""
    run, child = state.disk.run, state.expected_script(me.family)
    if child is None:
        yield state.move(me, me.to("writes_starting"))
    elif (child.attempt, child.asked) == (run.attempt + 1, run.asked) and state.is_free(SCRIPT):
        yield state.move(me, me.to("empties_record", take=SCRIPT))
    else:
        yield state.move(child, _without_go_ahead(child)).move(me, me.to("writes_starting"))


def _without_go_ahead(child: Process) -> Process:
    """The other end of its socket is closed."""
    return child._replace(family=0)


def empties_record(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """With locks 2 and 3."""
    after = me.to("writes_starting" if rules.go_ahead_after_record else "gives_go_ahead")
    yield state.move(me, after, disk=state.disk._replace(record=None))


def writes_starting(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """If the disk is full, nothing is started."""
    run = state.disk.run
    run = run._replace(status="starting", attempt=run.attempt + 1, this_boot=True)
    after = me.to("gives_go_ahead" if me.has(SCRIPT) else "hands_over")._replace(task="start")
    yield state.move(me, after, disk=state.disk.write(run, durably=True))
    if state.failures_left:
        child = state.expected_script(me.family) if me.has(SCRIPT) else None
        failed = state if child is None else state.move(child, _without_go_ahead(child))
        yield failed.move(me, me.to("looks", drop=RUN | SCRIPT))._replace(failures_left=state.failures_left - 1)


def gives_go_ahead(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """The child gets lock 3 with it. If it was killed meanwhile, its runner will start another."""
    child = state.expected_script(me.family)
    if child is not None:
        first_step = "records_itself" if rules.child_records_itself else "execs"
        going = child.to(first_step, take=SCRIPT)._replace(family=0, asked=0)
        state = state.move(child, going)
    yield state.move(me, me.to("hands_over" if rules.go_ahead_after_record else "writes_starting", drop=SCRIPT))


def hands_over(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """Sends the descriptor of lock 2 to the fork server; if that is gone, no process gets it."""
    server = state.find("fork server", family=me.family)
    if server is None:
        yield state.move(me, me.to("closes_run_lock"))
    elif server.at == "serves":
        passed = RUN if rules.runner_inherits_run_lock else 0
        job = server.to("forks", take=passed)._replace(task=me.task, attempt=state.disk.run.attempt)
        kept = me.to("awaits_reply", drop=RUN & ~passed)
        yield state.move(me, kept).move(server, job)


def awaits_reply(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """The fork server's step makes the reply. An end of file instead says nothing about the runner."""
    if not any(p.has(SOCKET) and p.family == me.family for p in state.processes):
        keeps_off = rules.keeps_off_when_server_vanished or me.task == "adopt"
        yield state.move(me, me.to("closes_run_lock" if keeps_off else "takes_back"))
    elif rules.may_give_up_waiting:
        yield state.move(me, me.to("closes_run_lock"))


def closes_run_lock(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """The runner has the lock, or no process does, and the next pass recovers the run."""
    yield state.move(me, me.to("looks", drop=RUN)._replace(task=""))


def takes_back(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """The run certainly never started: it is queued again, and the attempt's number is free."""
    run = state.disk.run
    run = run._replace(status="queued", attempt=run.attempt - 1)
    yield state.move(me, me.to("closes_run_lock"), disk=state.disk.write(run, durably=False))


# --- recover ---


def tests_script_lock(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """Before the record is read: a script that is alive and not recorded yet has the lock now."""
    if state.is_free(SCRIPT):
        yield state.move(me, me.to("reads_record"))
    else:
        yield state.move(me, me.to("hands_over")._replace(task="adopt"))


def reads_record(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """Lock 3 is free. A record of an earlier attempt does not count.

    A dead script is given to a runner too, which ends its remaining processes and may learn how it ended.
    """
    record = state.disk.record
    if record is None or record[0] != state.disk.run.attempt:
        yield state.move(me, me.to("takes_back"))
        return
    yield state.move(me, me.to("hands_over")._replace(task="adopt"))
    if not rules.dead_script_has_a_runner and not state.is_alive(record[1]):
        yield state.move(me, me.to("writes_lost"))


def reads_early(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """The wrong order: the script may record itself, run and exit before the lock is tested."""
    record = state.disk.record
    if record is None or record[0] != state.disk.run.attempt:
        yield state.move(me, me.to("tests_late"))
    else:
        yield state.move(me, me.to("tests_script_lock"))


def tests_late(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    if state.is_free(SCRIPT):
        yield state.move(me, me.to("takes_back"))
    else:
        yield state.move(me, me.to("hands_over")._replace(task="adopt"))


def writes_lost(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """It ran, and no process saw how it ended."""
    run = state.disk.run
    after = state.move(me, me.to("looks", drop=RUN), disk=state.disk.write(run._replace(status="ended"), durably=True))
    yield after.recorded_end(run.attempt)


# --- exit ---


def closes_bell(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """First, so that a process that rings from now on starts a supervisor itself."""
    yield state.move(me, me.to("releases_lease", drop=BELL if rules.bell_closed_before_the_last_look else 0))


def releases_lease(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """Second, so that a process that finds it busy can rely on the look at the queue that follows.

    It is unlocked: closing it releases nothing while the process that spawned this supervisor has its copy open.
    """
    after = state.move(me, me.to("looks_again" if rules.looks_again_before_exit else "exits", drop=LEASE))
    if me.has(LEASE) and rules.lease_is_unlocked:
        after = after._replace(processes=tuple(sorted(p.to(p.at, drop=LEASE) for p in after.processes)))
    yield after


def looks_again(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """Continues if work arrived in between, unless another supervisor has the lease."""
    if state.disk.has_work and state.is_free(LEASE):
        yield state.move(me, me.to("opens_bell", take=LEASE))
    else:
        yield state.move(me, me.to("exits"))


def exits(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """Looks at nothing any more; its descriptors are closed."""
    yield state.move(me)


STEPS = {
    step.__name__: step
    for step in (
        *(opens_bell, looks, deletes_build, looks_for_run, deletes_marker),
        *(reads_run, indexes, removes_marker, ends_unstarted),
        *(empties_record, writes_starting, gives_go_ahead, hands_over, awaits_reply, closes_run_lock, takes_back),
        *(tests_script_lock, reads_record, reads_early, tests_late, writes_lost),
        *(closes_bell, releases_lease, looks_again, exits),
    )
}
