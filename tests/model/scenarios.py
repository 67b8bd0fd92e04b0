"""Where the searches begin: who is there, and how much may go wrong."""

from __future__ import annotations

from tests.model.state import BELL, LEASE, SOCKET, Disk, Process, RunJson, State

QUEUER = Process("command", "builds")
STOPPER = Process("command", "reads_status")
RESUMER = Process("command", "awaits_end")
SUPERVISOR = Process("supervisor", "looks", holds=LEASE | BELL, family=1)
FORK_SERVER = Process("fork server", "serves", holds=SOCKET, family=1)

QUEUED = Disk(run=RunJson(status="queued"), durable=RunJson(status="queued"), marker=True)


def _begin(*processes: Process, disk: Disk = QUEUED, **budget: int | bool) -> State:
    return State(disk, tuple(sorted(processes)))._replace(**budget)  # type: ignore[arg-type]


SCENARIOS = {
    "a run is queued where nobody is": _begin(QUEUER, disk=Disk(), kills_left=2),
}
