"""The initial states of the searches: the record, processes, and how many faults may happen."""

from __future__ import annotations

from dataclasses import dataclass

from tests.model.slurm.state import Process, Record, State

SUPERVISOR = Process("supervisor", "looks", "login1")
SECOND_SUPERVISOR = Process("supervisor", "looks", "login2")
SUBMITTER = Process("command", "reads_to_submit", "login1")
SUBMITTER_ELSEWHERE = Process("command", "reads_to_submit", "login2")
STOPPER = Process("command", "reads_to_stop", "login1")
STOPPER_ELSEWHERE = Process("command", "reads_to_stop", "login2")
EDITOR = Process("command", "reads_to_edit", "login1")
RESUMER = Process("command", "awaits_end", "login1")
RESUMER_THAT_SUBMITS = RESUMER._replace(then="reads_to_submit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """An initial state; a search that reaches fewer than `at_least` states has missed most of the behavior."""

    present: tuple[Process, ...] = (SUPERVISOR,)
    endless: bool = False
    retries: int = 0
    has_cgroups: bool = True
    kills: int = 0
    faults: int = 0
    kinds: tuple[str, ...] = ()
    at_least: int

    @property
    def start(self) -> State:
        return State(
            record=Record(),
            processes=tuple(sorted(self.present)),
            endless=self.endless,
            has_cgroups=self.has_cgroups,
            retries_left=self.retries,
            kills_left=self.kills,
            slurm_faults_left=self.faults,
            faults=self.kinds,
        )


ENDS_OF_JOBS = ("node_dies", "node_is_cut_off", "user_cancels")
SCENARIOS = {
    "run through two kills": Scenario(kills=2, at_least=500),
    "run through two kills without cgroups": Scenario(endless=True, has_cgroups=False, kills=2, at_least=500),
    "run without cgroups through a kill and a fault": Scenario(
        endless=True, has_cgroups=False, kills=1, faults=1, at_least=4_000
    ),
    "run through two kills and a restarted controller": Scenario(
        endless=True, kills=2, faults=1, kinds=("controller_restarts",), at_least=10_000
    ),
    "retry without cgroups through three kills": Scenario(
        endless=True, retries=1, has_cgroups=False, kills=3, at_least=1_000
    ),
    "run without end": Scenario(endless=True, kills=1, faults=1, kinds=("controller_restarts",), at_least=2_000),
    "run through a fault of the cluster": Scenario(faults=1, at_least=1_000),
    "run through a kill and a fault": Scenario(kills=1, faults=1, at_least=5_000),
    "run through two faults of the cluster": Scenario(faults=2, at_least=7_000),
    "a job that is started three times": Scenario(faults=2, kinds=("controller_restarts",), at_least=10_000),
    "a forgotten job whose processes are killed": Scenario(
        endless=True, kills=2, faults=1, kinds=("controller_forgets",), at_least=2_000
    ),
    "stop through a kill and a fault": Scenario(present=(SUPERVISOR, STOPPER), kills=1, faults=1, at_least=30_000),
    "retry": Scenario(retries=1, kills=1, at_least=2_000),
    "retry after a fault of the cluster": Scenario(retries=1, faults=1, kinds=ENDS_OF_JOBS, at_least=2_000),
    "submitted by a command": Scenario(
        present=(SUBMITTER,), kills=1, faults=1, kinds=("controller_forgets",), at_least=4_000
    ),
    "submitted by a command beside a supervisor": Scenario(present=(SUPERVISOR, SUBMITTER), kills=2, at_least=2_000),
    "submitted by a command, and stopped": Scenario(present=(SUBMITTER, STOPPER), kills=2, at_least=15_000),
    "submitted on another login node": Scenario(present=(SUPERVISOR, SUBMITTER_ELSEWHERE), kills=1, at_least=400),
    "two login nodes": Scenario(present=(SUPERVISOR, SECOND_SUPERVISOR), kills=1, at_least=200),
    "stop": Scenario(present=(SUPERVISOR, STOPPER), endless=True, kills=1, at_least=1_000),
    "stop through a fault of the cluster": Scenario(present=(SUPERVISOR, STOPPER), faults=1, at_least=6_000),
    "stop between attempts": Scenario(present=(SUPERVISOR, STOPPER), retries=1, at_least=3_000),
    "stop on another login node": Scenario(present=(SUPERVISOR, STOPPER_ELSEWHERE), kills=1, at_least=1_000),
    "edit": Scenario(present=(SUPERVISOR, EDITOR), kills=1, at_least=700),
    "resumed and submitted by a command": Scenario(
        present=(SUPERVISOR, RESUMER_THAT_SUBMITS), kills=1, at_least=10_000
    ),
    "resumed and submitted by a command, and stopped": Scenario(
        present=(SUPERVISOR, RESUMER_THAT_SUBMITS, STOPPER), at_least=10_000
    ),
    "stop and resume": Scenario(present=(SUPERVISOR, STOPPER, RESUMER), kills=1, at_least=30_000),
}
