"""The fork server: a child of the supervisor that turns a message with a descriptor into a runner."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.front_ends import WAKING
from tests.model.rules import Rules
from tests.model.state import BELL, LEASE, RUN, SOCKET, Process, State


def closes_inherited(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """A fork has every descriptor of its parent, also those with close-on-exec: the lease and the bell among them."""
    dropped = LEASE | BELL if rules.server_closes_what_it_inherited else 0
    yield state.move(me, me.to("serves", drop=dropped))


def serves(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """The supervisor's step makes the requests. An end of file means that the supervisor is gone."""
    if state.find("supervisor", family=me.family) is None:
        wakes = rules.server_wakes and state.disk.has_work
        yield state.move(me, *([me.to("takes_lease", drop=SOCKET)._replace(family=0)] if wakes else []))
    elif state.spares_left and _waiting_runner(state, me) is None:
        spare = Process("runner", "closes_inherited", SOCKET, family=me.family)
        yield state.move(me, me, spare)._replace(spares_left=state.spares_left - 1)


def forks(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """The message holds lock 2 while it is in the socket, and after it was read. A failed fork is reported.

    A runner that waits gets the message instead.
    """
    waiting = _waiting_runner(state, me)
    if waiting is not None:
        passed = waiting.to(waiting.at, take=me.holds & RUN)._replace(attempt=me.attempt, task=me.task)
        yield state.move(waiting, passed).move(me, me.to("replies"))
        return
    runner = Process("runner", "closes_inherited", me.holds, family=me.family, attempt=me.attempt, task=me.task)
    yield state.move(me, me.to("replies"), runner)
    refused = state.move(me, _done(me, rules))
    yield _answered(refused, me)


def replies(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """Closes its copy of lock 2 and sends the runner's pidfd."""
    yield _answered(state.move(me, _done(me, rules)), me)


def _waiting_runner(state: State, me: Process) -> Process | None:
    runners = (p for p in state.processes if p.role == "runner" and p.family == me.family)
    return next((runner for runner in runners if not runner.task), None)


def _done(me: Process, rules: Rules) -> Process:
    return me.to("serves", drop=RUN if rules.server_closes_run_lock else 0)._replace(task="", attempt=0)


def _answered(state: State, me: Process) -> State:
    """The supervisor continues if it is still waiting; whether the script was started, its next pass finds out."""
    supervisor = state.find("supervisor", family=me.family)
    if supervisor is None or supervisor.at != "awaits_reply":
        return state
    return state.move(supervisor, supervisor.to("closes_run_lock"))


STEPS = {step.__name__: step for step in (closes_inherited, serves, forks, replies)} | WAKING
