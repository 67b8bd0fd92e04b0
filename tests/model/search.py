"""Breadth-first search over all behaviors; finds the shortest trace that violates an invariant."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.model import fork_server, front_ends, runner, script, supervisor
from tests.model.faults import kills, next_commands, power_cuts
from tests.model.invariants import AT_EVERY_STEP, IN_EVERY_STATE, is_settled
from tests.model.rules import Rules
from tests.model.state import Process, State

STEPS: Mapping[str, Mapping[str, Callable[[State, Process, Rules], Iterator[State]]]] = {
    "command": front_ends.STEPS,
    "supervisor": supervisor.STEPS,
    "fork server": fork_server.STEPS,
    "runner": runner.STEPS,
    "script": script.STEPS,
}

NEXT_COMMAND = "the next command"

NO_GOOD_END = "no_path_to_a_settled_state"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How much was searched, which steps occurred, and the violated invariant with the shortest trace to it."""

    states: int
    steps: int
    taken: frozenset[str]
    violation: str | None = None
    trace: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a process; without an actor it is a fault or a new command."""

    label: str
    actor: Any
    after: Any
    is_fault: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What is searched: the possible next steps of a state, what must hold, and which states are good ends."""

    steps_from: Callable[[Any, Any], Iterator[Step]]
    in_every_state: Sequence[Callable[[Any], bool]]
    at_every_step: Sequence[Callable[[Any, Any, Any], bool]] = ()
    is_settled: Callable[[Any], bool]

    @property
    def invariants(self) -> frozenset[str]:
        return frozenset({NO_GOOD_END, *(holds.__name__ for holds in (*self.in_every_state, *self.at_every_step))})


class _Search:
    """The states reached so far, by number: each with its predecessor, and all that lead to it without a fault."""

    def __init__(self, start: Any) -> None:
        self.numbers = {start: 0}
        self.states = [start]
        self.came_from = [(0, "")]
        self.backwards: list[list[int]] = [[]]
        self.settled: list[int] = []
        self.taken: set[str] = set()
        self.steps = 0

    def add(self, before: int, step: Step) -> None:
        self.steps += 1
        self.taken.add(step.label)
        number = self.numbers.setdefault(step.after, len(self.states))
        if number == len(self.states):
            self.states.append(step.after)
            self.came_from.append((before, step.label))
            self.backwards.append([])
        if not step.is_fault:
            self.backwards[number].append(before)

    def outcome(self, violation: str | None = None, *trace: str) -> Outcome:
        taken = frozenset(self.taken)
        return Outcome(states=len(self.states), steps=self.steps, taken=taken, violation=violation, trace=trace)

    def trace(self, number: int) -> list[str]:
        """The steps that lead to a state."""
        labels: list[str] = []
        while number:
            number, step = self.came_from[number]
            labels.append(step)
        return labels[::-1]

    def first_without_good_end(self) -> int | None:
        """A state from which no settled state can be reached; None if there is none."""
        ends_well = set(self.settled)
        frontier = deque(self.settled)
        while frontier:
            new = [before for before in self.backwards[frontier.popleft()] if before not in ends_well]
            ends_well.update(new)
            frontier.extend(new)
        return next((number for number in range(len(self.states)) if number not in ends_well), None)


def explore(start: Any, rules: Any, *, invariants: frozenset[str] | None = None, model: Model | None = None) -> Outcome:
    """Checks all reachable states at every step; then whether each can still reach a settled state without faults.

    Stops at the first violation of one of `invariants`.
    """
    was_enabled = gc.isenabled()
    gc.disable()  # millions of tuples without cycles: the collector would take half the time
    try:
        model = model or ONE_MACHINE
        checked = model.invariants if invariants is None else invariants
        return _explore_from(_Search(start), rules, checked, model)
    finally:
        if was_enabled:
            gc.enable()


def _explore_from(search: _Search, rules: Any, invariants: frozenset[str], model: Model) -> Outcome:
    in_every_state = [holds for holds in model.in_every_state if holds.__name__ in invariants]
    at_every_step = [holds for holds in model.at_every_step if holds.__name__ in invariants]
    for number, state in enumerate(search.states):  # which grows during the loop
        for holds_in in in_every_state:
            if not holds_in(state):
                return search.outcome(holds_in.__name__, *search.trace(number))
        if model.is_settled(state):
            search.settled.append(number)
        for step in model.steps_from(state, rules):
            search.add(number, step)
            for holds_at in at_every_step:
                if not holds_at(state, step.actor, step.after):
                    return search.outcome(holds_at.__name__, *search.trace(number), step.label)
    stuck = search.first_without_good_end() if NO_GOOD_END in invariants else None
    return search.outcome() if stuck is None else search.outcome(NO_GOOD_END, *search.trace(stuck))


def steps_from(state: State, rules: Rules) -> Iterator[Step]:
    """All possible next steps."""
    for actor in dict.fromkeys(state.processes):
        for after in STEPS[actor.role][actor.at](state, actor, rules):
            if after != state:
                yield Step(f"{actor.role} {actor.at}", actor, after)
    for victim, after in kills(state, rules):
        yield Step(f"KILL {victim.role} before it {victim.at}", None, after, is_fault=True)
    for after in power_cuts(state, rules):
        yield Step("POWER CUT", None, after, is_fault=True)
    for after in next_commands(state):
        yield Step(NEXT_COMMAND, None, after)


ONE_MACHINE = Model(
    steps_from=steps_from, in_every_state=IN_EVERY_STATE, at_every_step=AT_EVERY_STEP, is_settled=is_settled
)
INVARIANTS = ONE_MACHINE.invariants
