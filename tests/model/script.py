"""The script: a child of the runner that becomes the user's program, and may do anything from then on."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.rules import Rules
from tests.model.state import SCRIPT, Process, State


def awaits_orders(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """It has no lock and nothing of a run. Its runner's step tells it what to execute."""
    has_runner = any(process.role == "runner" and process.pid == me.pid for process in state.processes)
    if not has_runner and rules.waiting_child_ends_with_its_runner:
        yield state.move(me)


def awaits_go_ahead(state: State, me: Process, rules: Rules) -> Iterator[State]:
    """It has its orders, and nothing else of a run. Its supervisor's step gives it lock 3."""
    has_runner = any(process.role == "runner" and process.pid == me.pid for process in state.processes)
    has_supervisor = state.find("supervisor", family=me.family) is not None
    if not has_supervisor or (not has_runner and rules.waiting_child_ends_with_its_runner):
        yield state.move(me)


def records_itself(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """Attempt, process id and start time into script.lock, which it holds as its stdin."""
    yield state.move(me, me.to("execs"), disk=state.disk._replace(record=(me.attempt, me.pid)))


def execs(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """From here on it counts as executed. If the program is missing the child reports that to the runner and exits."""
    yield state.move(me, me.to("runs")).recorded_exec(me.attempt)
    yield dies(state, me)


def runs(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """It ends by itself, unless it is endless; and it may close its stdin, and lock 3 with it."""
    if not state.endless:
        yield dies(state, me)
    if state.leaves:
        yield state.move(me, me.to("left"))
    if me.has(SCRIPT):
        yield state.move(me, me.to("runs", drop=SCRIPT))


def left(state: State, me: Process, _rules: Rules) -> Iterator[State]:
    """Its own process has ended, one that it started has not, which inherited its descriptors."""
    yield state.move(me)
    if me.has(SCRIPT):
        yield state.move(me, me.to("left", drop=SCRIPT))


def zombie(_state: State, _me: Process, _rules: Rules) -> Iterator[State]:
    """Waits to be reaped."""
    yield from ()


def dies(state: State, script: Process) -> State:
    """A zombie until its parent reaps it; without its parent no process sees its exit status."""
    if script.at == "left":
        return state.move(script)
    has_parent = any(p.role == "runner" and p.pid == script.pid and _is_parent(p) for p in state.processes)
    after = script.to("zombie")._replace(holds=0)
    is_waiting = script.at in {"awaits_orders", "awaits_go_ahead"}  # nobody asks for the exit status of such a child
    return state.move(script, *([after] if has_parent and not is_waiting else []))


def _is_parent(runner: Process) -> bool:
    """It has forked the script, instead of adopting it."""
    return runner.task == "start" or runner.at == "waits_for_run"


STEPS = {step.__name__: step for step in (awaits_orders, awaits_go_ahead, records_itself, execs, runs, left, zombie)}
