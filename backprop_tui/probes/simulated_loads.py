"""Finds the runs on simulated GPUs by the environment of their processes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from backprop_tui.domain.values import dataclass
from backprop_tui.probes.simulated_gpu import SimulatedLoad
from backprop_tui.processes.identity import DEAD_STATES, state_of

MEMORY_VARIABLE = "BACKPROP_SIMULATED_VRAM_MB"
SCANS_PER_PROCESS = 5  # a process may first be seen before its exec, with the environment of its parent

_MEGABYTE = 1_000_000
_STOPPED = (b"T", b"t")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """A process of a run, with the settings from its environment."""

    run: str
    uuids: tuple[str, ...]
    memory_bytes: int | None


class LoadScanner:
    """Scans all processes when called; remembers those it has scanned while they are alive."""

    def __init__(self) -> None:
        self._scans: dict[int, int] = {}
        self._members: dict[int, _Member] = {}

    def __call__(self, uuids: Sequence[str]) -> Mapping[str, Sequence[SimulatedLoad]]:
        """The loads by GPU. A run has one load per GPU, with its first pid, busy unless all processes are stopped."""
        self._scan()
        loads: dict[str, dict[str, SimulatedLoad]] = {uuid: {} for uuid in uuids}
        for pid in sorted(self._members):
            member, state = self._members[pid], state_of(pid)
            if state is None or state in DEAD_STATES:
                continue
            for uuid in member.uuids:
                if uuid in loads:
                    known = loads[uuid].get(member.run)
                    loads[uuid][member.run] = SimulatedLoad(
                        run=member.run,
                        pid=pid if known is None else known.pid,
                        busy=state not in _STOPPED or (known is not None and known.busy),
                        memory_bytes=member.memory_bytes,
                    )
        return {uuid: tuple(by_run.values()) for uuid, by_run in loads.items()}

    def _scan(self) -> None:
        pids = {int(name) for name in os.listdir("/proc") if name.isdecimal()} - {os.getpid()}
        self._scans = {pid: count for pid, count in self._scans.items() if pid in pids}
        self._members = {pid: member for pid, member in self._members.items() if pid in pids}
        for pid in pids:
            count = self._scans.get(pid, 0)
            if count < SCANS_PER_PROCESS:
                self._scans[pid] = count + 1
                member = _read_member(pid)
                if member is not None:
                    self._members[pid] = member


def _read_member(pid: int) -> _Member | None:
    """None if the process does not belong to a run with GPUs, belongs to another user, or has ended."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return None
    environment = dict(variable.split(b"=", 1) for variable in variables if b"=" in variable)
    run, visible = environment.get(b"BACKPROP_RUN_ID"), environment.get(b"CUDA_VISIBLE_DEVICES", b"")
    if not run or not visible:
        return None
    megabytes = environment.get(MEMORY_VARIABLE.encode(), b"")
    return _Member(
        run=os.fsdecode(run),
        uuids=tuple(os.fsdecode(visible).split(",")),
        memory_bytes=int(megabytes) * _MEGABYTE if megabytes.isdigit() else None,
    )
