"""Memory and CPU use of the supervisor, the guardians and their helpers while runs print ten JSON lines a second."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass

from backprop_tui.launchers.lease import lease_owner
from backprop_tui.processes.tree import children
from benchmarks.measurement import Plan, Result
from benchmarks.sandbox import SCRIPTS, Sandbox, open_sandbox, wait_until
from benchmarks.timing import cpu_seconds

SCRIPT = os.path.join(SCRIPTS, "prints_progress.py")
SETTLE_SECONDS = 12.0  # a run is looked at more often right after its start
GOAL_GUARDIAN_MEBIBYTES, GOAL_SUPERVISOR_MEBIBYTES, GOAL_PERCENT = 8.0, 25.0, 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Memory of one process in MiB, and its CPU use in percent of a core."""

    kind: str
    proportional: float  # PSS: a page shared by n processes counts 1/n
    private: float  # what would be freed if the process exited
    cpu_percent: float


def measure(plan: Plan) -> list[Result]:
    """Measures one run, four runs, and one run with a GPU sampler."""
    return [
        *_measure(plan, "1 run", runs=1, probe="none"),
        *_measure(plan, "4 runs", runs=4, probe="none"),
        *_measure(plan, "1 run, probe auto", runs=1, probe="auto"),
    ]


def _measure(plan: Plan, name: str, *, runs: int, probe: str) -> list[Result]:
    with open_sandbox(parallel=runs, probe=probe) as sandbox:
        run_ids = [sandbox.submit("--python", sys.executable, SCRIPT)[0] for _ in range(runs)]
        wait_until(lambda: all(sandbox.directory(run_id).read_live() for run_id in run_ids), "the runs to start")
        time.sleep(SETTLE_SECONDS)
        processes = _processes(sandbox, run_ids)
        before = {pid: cpu_seconds(pid) for pid in processes}
        start = time.monotonic()
        time.sleep(plan.footprint_seconds)
        elapsed = time.monotonic() - start
        footprints = [
            _footprint(kind, pid, (cpu_seconds(pid) - before[pid]) / elapsed * 100) for pid, kind in processes.items()
        ]
    return [result for kind in dict.fromkeys(processes.values()) for result in _results(name, kind, footprints)]


def _processes(sandbox: Sandbox, run_ids: Iterable[str]) -> dict[int, str]:
    """Returns the kind of each process of backprop-tui by its pid."""
    owner = lease_owner(sandbox.home)
    assert owner is not None
    kinds = {owner[0]: "supervisor"}
    for run_id in run_ids:
        live = sandbox.directory(run_id).read_live()
        assert live is not None
        kinds[live.runner_pid] = "guardian"
    for pid in children(owner[0]):
        kinds.setdefault(pid, "fork server" if _name(pid) == "backprop-forker" else "sampler")
    return kinds


def _name(pid: int) -> str:
    with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
        return file.read().strip()


def proportional_mebibytes(pid: int) -> float:
    """Returns the PSS of a process."""
    return _footprint("", pid, 0.0).proportional


def _footprint(kind: str, pid: int, cpu_percent: float) -> Footprint:
    kibibytes: dict[str, int] = {}
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        next(file)  # the address range
        for line in file:
            name, amount, *_ = line.split()
            kibibytes[name.rstrip(":")] = int(amount)
    private = kibibytes["Private_Clean"] + kibibytes["Private_Dirty"]
    return Footprint(kind=kind, proportional=kibibytes["Pss"] / 1024, private=private / 1024, cpu_percent=cpu_percent)


def _results(name: str, kind: str, footprints: Iterable[Footprint]) -> list[Result]:
    of_kind = [footprint for footprint in footprints if footprint.kind == kind]
    goal = {"guardian": GOAL_GUARDIAN_MEBIBYTES, "supervisor": GOAL_SUPERVISOR_MEBIBYTES}.get(kind)
    private = max(footprint.private for footprint in of_kind)
    memory = [footprint.proportional for footprint in of_kind]
    cpu = [footprint.cpu_percent for footprint in of_kind]
    return [
        _largest(f"{kind}, {name}: PSS", "MiB", memory, goal, f"{private:.1f} private"),
        _largest(f"{kind}, {name}: CPU", "%", cpu, GOAL_PERCENT if goal else None),
    ]


def _largest(name: str, unit: str, values: list[float], goal: float | None, remark: str = "") -> Result:
    return Result(name=name, unit=unit, value=max(values), low=min(values), high=max(values), goal=goal, remark=remark)
