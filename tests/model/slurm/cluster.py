"""Slurm: what it does by itself, its faults, and the faults of machines and processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from tests.model.slurm.rules import SlurmRules
from tests.model.slurm.state import FOREIGN, LOGIN_NODES, NODES, Job, Process, State

# --- what it does by itself ---


def starts_job(state: State, _rules: SlurmRules) -> Iterator[State]:
    """On the first node; on another one too if something of the run is left there."""
    for job in state.jobs:
        if job.at == "pending" and job.number != FOREIGN:
            is_first_free = not any(process.inside for process in state.processes)
            for node in NODES[:1] if is_first_free else NODES:
                program = Process("program", "reads_turn", node, inside=job.id, start=job.starts + 1)
                running = state.change_job(job._replace(starts=job.starts + 1), "running", job)
                yield running._replace(processes=tuple(sorted((*state.processes, program))))


def ends_job(state: State, _rules: SlurmRules) -> Iterator[State]:
    """A job whose program has ended is ending, and over when nothing of it is left."""
    for job in state.jobs:
        if job.at not in {"running", "ending"} or job.number == FOREIGN:
            continue
        left = [process for process in state.processes if process.inside == job.id and process.start == job.starts]
        if not any(process.role == "program" for process in left):
            if left and (job.at == "running" or state.has_cgroups):
                yield state.change_job(job, "ending")
            else:
                yield state.change_job(job, None)


def kills_job(state: State, rules: SlurmRules) -> Iterator[State]:
    """Of an ending job all that is left; at any time what belongs to no job, or to an earlier start of one."""
    for victim in state.processes:
        if not victim.inside:
            continue
        job = next((job for job in state.jobs if job.id == victim.inside and job.number != FOREIGN), None)
        is_current = job is not None and job.at == "running" and job.starts == victim.start
        if not is_current:
            yield _without(state, partial(_is_killed_with, victim=victim, state=state, rules=rules))


def _is_killed_with(other: Process, *, victim: Process, state: State, rules: SlurmRules) -> bool:
    if (other.inside, other.start, other.machine) != (victim.inside, victim.start, victim.machine):
        return False
    # Without cgroups Slurm finds only what descends from the program.
    has_program = any(process.role == "program" and process.start == victim.start for process in state.processes)
    has_guardian = state.find("guardian", machine=other.machine) is not None
    has_parent = other.role != "script" or has_guardian or rules.program_adopts_script
    return state.has_cgroups or (has_program and has_parent)


def next_command(state: State, _rules: SlurmRules) -> Iterator[State]:
    """Starts a supervisor if there is none."""
    if state.record.status != "ended" and state.find("supervisor") is None:
        supervisor = Process("supervisor", "looks", LOGIN_NODES[0])
        yield state._replace(processes=tuple(sorted((*state.processes, supervisor))))


# --- faults ---


def controller_restarts(state: State, _rules: SlurmRules) -> Iterator[State]:
    """It has forgotten that it started a job, which waits again while its first start lives. At most three starts."""
    for job in state.jobs:
        if job.at == "running" and job.starts < 3 and job.number != FOREIGN:
            yield state.change_job(job, "pending")


def controller_forgets(state: State, _rules: SlurmRules) -> Iterator[State]:
    """The last submission; its id is given out again, perhaps to a job that is not ours."""
    for job in state.jobs:
        if job.id == state.next_id - 1 and job.number != FOREIGN:
            yield state.change_job(job, None)._replace(next_id=job.id)
            foreign = Job(job.id, FOREIGN, "running")
            jobs = tuple(sorted([foreign, *(other for other in state.jobs if other != job)]))
            yield state._replace(jobs=jobs)


def node_dies(state: State, _rules: SlurmRules) -> Iterator[State]:
    for node in NODES:
        inside = {(process.inside, process.start) for process in state.processes if process.machine == node}
        if inside:
            left = _without(state, partial(_is_on, node=node))
            jobs = tuple(
                job for job in state.jobs if (job.id, job.starts) not in inside or job.at not in {"running", "ending"}
            )
            yield left._replace(jobs=jobs)


def node_is_cut_off(state: State, _rules: SlurmRules) -> Iterator[State]:
    """Slurm gives up its job, whose processes live on until the node is back."""
    for job in state.jobs:
        if job.at == "running" and job.number != FOREIGN:
            yield state.change_job(job, None)


def user_cancels(state: State, _rules: SlurmRules) -> Iterator[State]:
    for job in state.jobs:
        if job.number != FOREIGN and job.at != "ending":
            yield state.change_job(job, "ending" if job.at == "running" else None)


FAULTS: dict[str, Callable[[State, SlurmRules], Iterator[State]]] = {
    fault.__name__: fault
    for fault in (controller_restarts, controller_forgets, node_dies, node_is_cut_off, user_cancels)
}
STEPS: dict[str, Callable[[State, SlurmRules], Iterator[State]]] = {
    step.__name__: step for step in (starts_job, ends_job, kills_job, next_command)
}


def faults(state: State, rules: SlurmRules) -> Iterator[tuple[str, State]]:
    """The run may then end without having started."""
    if state.slurm_faults_left:
        for name in FAULTS if not state.faults else state.faults:
            for after in FAULTS[name](state, rules):
                yield name, after._replace(slurm_faults_left=state.slurm_faults_left - 1, disturbed=True)


def kills(state: State) -> Iterator[tuple[Process, State]]:
    """SIGKILL for any process but the script, whose death is an end like others."""
    if state.kills_left:
        for victim in dict.fromkeys(state.processes):
            if victim.role != "script":
                is_cause = state.disturbed or victim.role == "program"
                history = state.history._replace(killed=state.history.killed + bool(victim.inside))
                after = state.move(victim, kills_left=state.kills_left - 1, disturbed=is_cause, history=history)
                yield victim, after


def _is_on(process: Process, *, node: str) -> bool:
    return process.machine == node


def _without(state: State, is_killed: Callable[[Process], bool]) -> State:
    return state._replace(processes=tuple(process for process in state.processes if not is_killed(process)))
