"""Breadth-first search over everything that can happen, and the shortest story of what should not have."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tests.model import fork_server, front_ends, runner, script, supervisor
from tests.model.disasters import kills, next_commands, power_cuts
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

NO_WAY_ON = "no_way_to_a_settled_state"

PROMISES = frozenset(
    {NO_WAY_ON, *(holds.__name__ for holds in IN_EVERY_STATE), *(holds.__name__ for holds in AT_EVERY_STEP)}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How much was searched, which steps occurred, and the broken invariant's name with the shortest way there."""

    states: int
    steps: int
    taken: frozenset[str]
    violation: str | None = None
    story: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One step of somebody, or of nobody: then it is a disaster or the user's doing."""

    says: str
    actor: Process | None
    after: State
    is_disaster: bool = False


class _Search:
    """What is known so far: of each state, by its number, where it came from and what leads there without disaster."""

    def __init__(self, start: State) -> None:
        self.numbers = {start: 0}
        self.states = [start]
        self.came_from = [(0, "")]
        self.backwards: list[list[int]] = [[]]
        self.settled: list[int] = []
        self.taken: set[str] = set()
        self.steps = 0

    def add(self, before: int, step: Step) -> None:
        self.steps += 1
        self.taken.add(step.says)
        number = self.numbers.setdefault(step.after, len(self.states))
        if number == len(self.states):
            self.states.append(step.after)
            self.came_from.append((before, step.says))
            self.backwards.append([])
        if not step.is_disaster:
            self.backwards[number].append(before)

    def outcome(self, violation: str | None = None, *story: str) -> Outcome:
        taken = frozenset(self.taken)
        return Outcome(states=len(self.states), steps=self.steps, taken=taken, violation=violation, story=story)

    def story(self, number: int) -> list[str]:
        """The steps that lead to a state."""
        says: list[str] = []
        while number:
            number, step = self.came_from[number]
            says.append(step)
        return says[::-1]

    def first_without_a_way(self) -> int | None:
        """A state from which nothing that may happen leads to a settled one, if there is such a state."""
        ends_well = set(self.settled)
        frontier = deque(self.settled)
        while frontier:
            new = [before for before in self.backwards[frontier.popleft()] if before not in ends_well]
            ends_well.update(new)
            frontier.extend(new)
        return next((number for number in range(len(self.states)) if number not in ends_well), None)


def explore(start: State, rules: Rules, *, promises: frozenset[str] = PROMISES) -> Outcome:
    """All states that can be reached, checked at every step; then whether each can still end well without disasters.

    It ends at the first of `promises` that is broken.
    """
    was_enabled = gc.isenabled()
    gc.disable()  # millions of tuples and not one cycle: the collector would take half the time
    try:
        return _explored(_Search(start), rules, promises)
    finally:
        if was_enabled:
            gc.enable()


def _explored(search: _Search, rules: Rules, promises: frozenset[str]) -> Outcome:
    in_every_state = [holds for holds in IN_EVERY_STATE if holds.__name__ in promises]
    at_every_step = [holds for holds in AT_EVERY_STEP if holds.__name__ in promises]
    for number, state in enumerate(search.states):  # which grows meanwhile
        for holds_in in in_every_state:
            if not holds_in(state):
                return search.outcome(holds_in.__name__, *search.story(number))
        if is_settled(state):
            search.settled.append(number)
        for step in steps_from(state, rules):
            search.add(number, step)
            for holds_at in at_every_step:
                if not holds_at(state, step.actor, step.after):
                    return search.outcome(holds_at.__name__, *search.story(number), step.says)
    stuck = search.first_without_a_way() if NO_WAY_ON in promises else None
    return search.outcome() if stuck is None else search.outcome(NO_WAY_ON, *search.story(stuck))


def steps_from(state: State, rules: Rules) -> Iterator[Step]:
    """Everything that can happen next."""
    for actor in dict.fromkeys(state.processes):
        for after in STEPS[actor.role][actor.at](state, actor, rules):
            if after != state:
                yield Step(f"{actor.role} {actor.at}", actor, after)
    for victim, after in kills(state, rules):
        yield Step(f"KILL {victim.role} before it {victim.at}", None, after, is_disaster=True)
    for after in power_cuts(state, rules):
        yield Step("POWER CUT", None, after, is_disaster=True)
    for after in next_commands(state):
        yield Step(NEXT_COMMAND, None, after)
