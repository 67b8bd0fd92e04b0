"""What our processes occupy and use while runs print ten JSON lines a second."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass

from backprop_tui.launchers.lease import lease_owner
from backprop_tui.processes.tree import children
from benchmarks.clock import cpu_seconds
from benchmarks.figures import Figure
from benchmarks.place import Place, place, wait_until
from benchmarks.plan import Plan

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scripts", "prints_progress.py")
MEBIBYTE_IN_KIBIBYTES = 1024
SETTLE_SECONDS = 5.0  # the first samples of a run are taken closer together than the later ones
GOAL_GUARDIAN_MEBIBYTES, GOAL_SUPERVISOR_MEBIBYTES, GOAL_PERCENT = 8.0, 25.0, 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Of one process, or the mean of several of a kind; memory in MiB, CPU in percent of one core."""

    kind: str
    proportional: float  # PSS: pages that are shared count by their share
    private: float  # what would be free if it ended
    cpu_percent: float


def measure(plan: Plan) -> list[Figure]:
    """With one run and with four; once with a sampler."""
    return [
        *_measured("1 run", plan, runs=1, probe="none"),
        *_measured("4 runs", plan, runs=4, probe="none"),
        *_measured("1 run, probe auto", plan, runs=1, probe="auto"),
    ]


def _measured(name: str, plan: Plan, *, runs: int, probe: str) -> list[Figure]:
    with place(parallel=runs, probe=probe) as where:
        submitted = [where.submit("--python", sys.executable, SCRIPT)[0] for _ in range(runs)]
        wait_until(lambda: all(where.directory(run_id).read_live() for run_id in submitted), "the runs' starts")
        time.sleep(SETTLE_SECONDS)
        processes = _processes(where, submitted)
        before = {pid: cpu_seconds(pid) for pid in processes}
        began = time.monotonic()
        time.sleep(plan.footprint_seconds)
        seconds = time.monotonic() - began
        found = [
            _footprint(kind, pid, (cpu_seconds(pid) - before[pid]) / seconds * 100) for pid, kind in processes.items()
        ]
    return [figure for kind in dict.fromkeys(processes.values()) for figure in _figures(name, kind, found)]


def _processes(where: Place, run_ids: Iterable[str]) -> dict[int, str]:
    """Pid to kind, of all processes of ours."""
    owner = lease_owner(where.home)
    assert owner is not None
    found = {owner[0]: "supervisor"}
    for run_id in run_ids:
        live = where.directory(run_id).read_live()
        assert live is not None
        found[live.runner_pid] = "guardian"
    for pid in children(owner[0]):
        found.setdefault(pid, "fork server" if _name(pid) == "backprop-forker" else "sampler")
    return found


def _name(pid: int) -> str:
    with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
        return file.read().strip()


def _footprint(kind: str, pid: int, cpu_percent: float) -> Footprint:
    kibibytes: dict[str, int] = {}
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        next(file)  # the address range
        for line in file:
            name, amount, *_ = line.split()
            kibibytes[name.rstrip(":")] = int(amount)
    private = kibibytes["Private_Clean"] + kibibytes["Private_Dirty"]
    return Footprint(
        kind=kind,
        proportional=kibibytes["Pss"] / MEBIBYTE_IN_KIBIBYTES,
        private=private / MEBIBYTE_IN_KIBIBYTES,
        cpu_percent=cpu_percent,
    )


def _figures(name: str, kind: str, found: Iterable[Footprint]) -> list[Figure]:
    of_kind = [one for one in found if one.kind == kind]
    goal = {"guardian": GOAL_GUARDIAN_MEBIBYTES, "supervisor": GOAL_SUPERVISOR_MEBIBYTES}.get(kind)
    private = max(one.private for one in of_kind)
    return [
        _figure(f"{kind}, {name}: PSS", "MiB", [one.proportional for one in of_kind], goal, f"{private:.1f} private"),
        _figure(f"{kind}, {name}: CPU", "%", [one.cpu_percent for one in of_kind], GOAL_PERCENT if goal else None, ""),
    ]


def _figure(name: str, unit: str, values: list[float], goal: float | None, remark: str) -> Figure:
    """The largest counts."""
    return Figure(name=name, unit=unit, value=max(values), low=min(values), high=max(values), goal=goal, remark=remark)
