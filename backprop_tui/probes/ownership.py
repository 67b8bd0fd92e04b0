"""Whose a GPU's processes are: the user, and the run of ours that they belong to."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from backprop_tui.domain.telemetry import GpuProcess, GpuReading
from backprop_tui.domain.values import dataclass
from backprop_tui.probes.patience import PatientCall, Unanswered
from backprop_tui.processes.identity import Identity, identify, stat_fields

_RUN_ID = b"BACKPROP_RUN_ID="
_PARENT = 1  # field 4 of proc(5)'s /proc/PID/stat, counted after the name
_WAIT_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """The user's name, or number where it has none, and the id of the run; None where nobody can tell."""

    owner: str | None = None
    run: str | None = None


def find_owner(pid: int) -> Ownership:
    """From /proc and the user database.

    Both may hang: a wedged driver locks a process's memory, a directory server may be away.
    """
    try:
        uid = os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return Ownership()
    return Ownership(owner=_user_name(uid), run=_run_of(pid))


class ProcessOwners:
    """Remembers each process while it stays on a GPU; a look-up that hangs leaves that process unnamed, no more."""

    def __init__(self, look: Callable[[int], Ownership] = find_owner) -> None:
        self._look = look
        self._known: dict[Identity, Ownership] = {}
        self._asked: dict[Identity, PatientCall[Ownership]] = {}

    def name(self, gpus: tuple[GpuReading, ...]) -> tuple[GpuReading, ...]:
        """The readings with owner and run of each process, as far as they are known."""
        seen: set[Identity] = set()
        named = tuple(
            replace(gpu, processes=tuple(self._named(process, seen) for process in gpu.processes))
            if gpu.processes
            else gpu
            for gpu in gpus
        )
        self._known = {identity: known for identity, known in self._known.items() if identity in seen}
        self._asked = {identity: call for identity, call in self._asked.items() if identity in seen}
        return named

    def _named(self, process: GpuProcess, seen: set[Identity]) -> GpuProcess:
        identity = identify(process.pid)
        if identity is None:
            return process
        seen.add(identity)
        known = self._known.get(identity) or self._ask(identity)
        return replace(process, owner=process.owner or known.owner, run=process.run or known.run)

    def _ask(self, identity: Identity) -> Ownership:
        call = self._asked.get(identity)
        wait = 0.0
        if call is None:
            call = self._asked[identity] = PatientCall(lambda: self._look(identity.pid), name=f"owner-{identity.pid}")
            call.ask()
            wait = _WAIT_SECONDS
        found = call.take(wait)
        if isinstance(found, Unanswered):
            return Ownership()
        call.end()
        del self._asked[identity]
        self._known[identity] = found
        return found


def _user_name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _run_of(pid: int) -> str | None:
    """The nearest run among the process and its ancestors: it may have wiped its own environment."""
    while pid > 1:
        run = _run_in_environment(pid)
        if run is not None:
            return run
        fields = stat_fields(pid)
        if fields is None:
            return None
        pid = int(fields[_PARENT])
    return None


def _run_in_environment(pid: int) -> str | None:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return None  # another user's, or gone
    return next((os.fsdecode(one.removeprefix(_RUN_ID)) for one in variables if one.startswith(_RUN_ID)), None)
