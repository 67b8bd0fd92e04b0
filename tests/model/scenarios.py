"""The initial states of the searches: files, processes, and how many faults may happen."""

from __future__ import annotations

from dataclasses import dataclass

from tests.model.state import (
    BELL,
    LEASE,
    RUN,
    SCRIPT,
    SOCKET,
    Disk,
    History,
    Process,
    Request,
    RunJson,
    State,
)

QUEUER = Process("command", "builds")
STOPPER = Process("command", "reads_status")
RESUMER = Process("command", "awaits_end")
SUPERVISOR = Process("supervisor", "looks", holds=LEASE | BELL, family=1)
FORK_SERVER = Process("fork server", "serves", holds=SOCKET, family=1)
RUNNER = Process("runner", "watches", holds=RUN, pid=1, attempt=1, task="start")
SCRIPT_ALIVE = Process("script", "runs", holds=SCRIPT, pid=1, attempt=1)

# A second pair that never took the lease.
SECOND_PAIR = (SUPERVISOR._replace(holds=BELL, family=2), FORK_SERVER._replace(family=2))

NOTHING = Disk()
QUEUED = Disk(run=RunJson(status="queued"), durable=RunJson(status="queued"), marker=True)
RUNNING = Disk(
    run=RunJson(status="running", attempt=1),
    durable=RunJson(status="starting", attempt=1),
    marker=True,
    record=(1, 1),
)
ENDED = Disk(run=RunJson(status="ended", attempt=1), durable=RunJson(status="ended", attempt=1), marker=True)
ENDED_BEFORE_ITS_STOP = ENDED._replace(requests=(Request(asked=1, ends=0),))

NEVER_RAN = History()
RAN = History(execs=(1, 0, 0))
RAN_AND_ENDED = History(execs=(1, 0, 0), ends=(1, 0, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """An initial state; a search that reaches fewer than `at_least` states has missed most of the behavior."""

    disk: Disk
    history: History = NEVER_RAN
    present: tuple[Process, ...]
    endless: bool = False
    leaves: bool = False
    slices: int = 0
    kills: int = 0
    power_cuts: int = 0
    failures: int = 0
    spares: int = 0
    at_least: int

    @property
    def start(self) -> State:
        return State(
            disk=self.disk,
            processes=tuple(sorted(self.present)),
            history=self.history,
            endless=self.endless,
            leaves=self.leaves,
            slices_left=self.slices,
            kills_left=self.kills,
            power_cuts_left=self.power_cuts,
            failures_left=self.failures,
            spares_left=self.spares,
        )


SERVED = (SUPERVISOR, FORK_SERVER)
AT_WORK = (SUPERVISOR, FORK_SERVER, RUNNER, SCRIPT_ALIVE)

SCENARIOS = {
    "queue without a supervisor": Scenario(disk=NOTHING, present=(QUEUER,), kills=2, at_least=12_000),
    "queue while the supervisor exits": Scenario(disk=NOTHING, present=(QUEUER, *SERVED), kills=1, at_least=20_000),
    "run": Scenario(disk=QUEUED, present=SERVED, kills=2, at_least=10_000),
    "run by a runner that waits": Scenario(disk=QUEUED, present=SERVED, spares=1, kills=1, at_least=14_000),
    "run by a runner that waits, on a full disk": Scenario(
        disk=QUEUED, present=SERVED, spares=1, kills=1, failures=1, at_least=20_000
    ),
    "power cut while a runner that waits starts it": Scenario(
        disk=QUEUED, present=SERVED, spares=1, power_cuts=1, at_least=2_000
    ),
    "run again by a runner that waits": Scenario(
        disk=RUNNING, history=RAN, present=AT_WORK, slices=1, spares=1, kills=1, at_least=50_000
    ),
    "run without end, and a runner that waits": Scenario(
        disk=QUEUED, present=SERVED, endless=True, spares=2, kills=1, at_least=20_000
    ),
    "run through three kills": Scenario(disk=QUEUED, present=SERVED, kills=3, at_least=30_000),
    "run without end": Scenario(disk=QUEUED, present=SERVED, endless=True, kills=2, at_least=7_000),
    "run that leaves a process": Scenario(disk=QUEUED, present=SERVED, leaves=True, kills=2, at_least=10_000),
    "stop while a process is left": Scenario(
        disk=RUNNING, history=RAN, present=(STOPPER, *AT_WORK), leaves=True, kills=1, at_least=20_000
    ),
    "run with two supervisors": Scenario(disk=QUEUED, present=(*SERVED, *SECOND_PAIR), kills=2, at_least=30_000),
    "stop while it starts": Scenario(disk=QUEUED, present=(STOPPER, *SERVED), endless=True, kills=1, at_least=20_000),
    "stop while it runs": Scenario(
        disk=RUNNING, history=RAN, present=(STOPPER, *AT_WORK), endless=True, kills=2, at_least=20_000
    ),
    "stop between slices": Scenario(
        disk=RUNNING, history=RAN, present=(STOPPER, *AT_WORK), slices=1, kills=1, at_least=100_000
    ),
    "stop and resume": Scenario(
        disk=RUNNING, history=RAN, present=(STOPPER, RESUMER, *AT_WORK), endless=True, at_least=40_000
    ),
    "resume while it is indexed": Scenario(
        disk=ENDED, history=RAN_AND_ENDED, present=(RESUMER, *SERVED), kills=1, at_least=20_000
    ),
    "resume after a stop that came too late": Scenario(
        disk=ENDED_BEFORE_ITS_STOP, history=RAN_AND_ENDED, present=(RESUMER, *SERVED), endless=True, at_least=1_000
    ),
    "queue, then resume": Scenario(disk=NOTHING, present=(QUEUER, RESUMER), at_least=30_000),
    "power cut while it is queued": Scenario(disk=NOTHING, present=(QUEUER,), kills=1, power_cuts=1, at_least=3_000),
    "power cut while it runs": Scenario(disk=QUEUED, present=SERVED, kills=1, power_cuts=1, at_least=2_000),
}
