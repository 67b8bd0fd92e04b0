"""Breadth-first search over everything that can happen, and the shortest story of what should not have."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from tests.model import fork_server, front_ends, runner, script, supervisor
from tests.model.disasters import kills, next_commands, power_cuts
from tests.model.invariants import SAFETY, is_settled
from tests.model.rules import Rules
from tests.model.state import BELL, LEASE, SOCKET, Process, State

STEPS = {
    "command": front_ends.STEPS,
    "supervisor": supervisor.STEPS,
    "fork server": fork_server.STEPS,
    "runner": runner.STEPS,
    "script": script.STEPS,
}

UNSEEN = {"builds", "sweeps"}

NO_WAY_ON = "no_way_to_a_settled_state"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How much was searched, and what was found: the broken invariant's name and the steps that lead there."""

    states: int
    steps: int
    violation: str | None = None
    story: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One step of somebody, or of nobody: then it is a disaster or the user's doing."""

    says: str
    actor: Process | None
    after: State
    is_disaster: bool = False


def explore(start: State, rules: Rules) -> Outcome:
    """All states that can be reached, checked at every step; then whether each can still end well without disasters."""
    came_from: dict[State, tuple[State, str] | None] = {start: None}
    backwards: dict[State, list[State]] = {start: []}
    settled: list[State] = []
    steps = 0
    frontier = deque([start])
    while frontier:
        state = frontier.popleft()
        if is_settled(state):
            settled.append(state)
        for step in steps_from(state, rules):
            steps += 1
            after = step.after
            if after not in came_from:
                came_from[after] = (state, step.says)
                backwards[after] = []
                frontier.append(after)
            if not step.is_disaster:
                backwards[after].append(state)
            for holds in SAFETY:
                if not holds(state, step.actor, after):
                    story = (*_story(came_from, state), step.says)
                    return Outcome(states=len(came_from), steps=steps, violation=holds.__name__, story=story)
    stuck = _first_without_a_way(settled, backwards)
    if stuck is not None:
        story = _story(came_from, stuck)
        return Outcome(states=len(came_from), steps=steps, violation=NO_WAY_ON, story=story)
    return Outcome(states=len(came_from), steps=steps)


def steps_from(state: State, rules: Rules) -> Iterator[Step]:
    """Everything that can happen next; a step that nobody can see and nobody can prevent goes before all others."""
    unseen = next((process for process in state.processes if _goes_unseen(state, process, rules)), None)
    for actor in [unseen] if unseen else dict.fromkeys(state.processes):
        if actor.at == "zombie":
            continue
        for after in STEPS[actor.role][actor.at](state, actor, rules):
            if after != state:
                yield Step(f"{actor.role} {actor.at}", actor, after)
    if unseen:
        return
    for victim, after in kills(state, rules):
        yield Step(f"KILL {victim.role} before it {victim.at}", None, after, is_disaster=True)
    for after in power_cuts(state, rules):
        yield Step("POWER CUT", None, after, is_disaster=True)
    for after in next_commands(state):
        yield Step("the next command", None, after)


def _goes_unseen(state: State, process: Process, rules: Rules) -> bool:
    """Whether it makes no difference when the process takes its next step, nor whether it was killed before it.

    Such a step changes only where the process itself is, and no other process or file decides whether or how.
    """
    if process.at in UNSEEN:
        return True
    if process.at in {"lets_go", "exits"}:
        return not process.has(LEASE | BELL)
    if process.at == "serves" and process.holds == SOCKET and not rules.server_wakes:
        return state.find("supervisor", family=process.family) is None
    return False


def _first_without_a_way(settled: list[State], backwards: dict[State, list[State]]) -> State | None:
    ends_well = set(settled)
    frontier = deque(settled)
    while frontier:
        for before in backwards[frontier.popleft()]:
            if before not in ends_well:
                ends_well.add(before)
                frontier.append(before)
    return next((state for state in backwards if state not in ends_well), None)


def _story(came_from: dict[State, tuple[State, str] | None], state: State) -> tuple[str, ...]:
    says: list[str] = []
    while (link := came_from[state]) is not None:
        state, step = link
        says.append(step)
    return tuple(reversed(says))
