"""The model as the search takes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tests.model.search import Model, Step
from tests.model.slurm import cluster, login, node
from tests.model.slurm.invariants import IN_EVERY_STATE, is_settled
from tests.model.slurm.rules import SlurmRules
from tests.model.slurm.state import Process, State

STEPS: Mapping[str, Mapping[str, Callable[[State, Process, SlurmRules], Iterator[State]]]] = {
    "supervisor": login.SUPERVISOR_STEPS,
    "command": login.COMMAND_STEPS,
    "program": node.PROGRAM_STEPS,
    "guardian": node.GUARDIAN_STEPS,
    "keeper": node.KEEPER_STEPS,
    "script": node.SCRIPT_STEPS,
}


def steps_from(state: State, rules: SlurmRules) -> Iterator[Step]:
    """All possible next steps."""
    for actor in dict.fromkeys(state.processes):
        for after in STEPS[actor.role][actor.at](state, actor, rules):
            if after != state:
                yield Step(f"{actor.role} {actor.at} ({actor.machine})", actor, after)
    for name, step in cluster.STEPS.items():
        for after in step(state, rules):
            yield Step(f"Slurm {name}", None, after)
    for victim, after in cluster.kills(state):
        yield Step(f"KILL {victim.role} before it {victim.at}", None, after, is_fault=True)
    for name, after in cluster.faults(state, rules):
        yield Step(f"FAULT {name}", None, after, is_fault=True)


SLURM = Model(steps_from=steps_from, in_every_state=IN_EVERY_STATE, is_settled=is_settled)
