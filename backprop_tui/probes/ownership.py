"""Determines which user and which run a GPU's processes belong to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.telemetry import GpuProcess, GpuReading
from backprop_tui.processes.hanging_call import HangingCall, Pending
from backprop_tui.processes.identity import Identity, identify

_RUN_ID = "BACKPROP_RUN_ID"
_WAIT_SECONDS = 0.05


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """The user's name (or number if it has none) and the id of the run; None if unknown."""

    owner: str | None = None
    run: str | None = None


def find_owner(pid: int) -> Ownership:
    """Looks up a process in /proc and the user database.

    Both may hang: a stuck driver locks the memory of a process, and a directory server may be unreachable.
    """
    import psutil

    try:
        process = psutil.Process(pid)
        owner: str = process.username()
        ancestors = [process, *process.parents()]
    except psutil.Error:
        return Ownership()
    # The run is that of the nearest ancestor that has one: a process may have cleared its own environment.
    for ancestor in ancestors:
        try:
            run: str | None = ancestor.environ().get(_RUN_ID) if ancestor.pid > 1 else None
        except psutil.Error:
            continue  # it belongs to another user, or has ended
        if run is not None:
            return Ownership(owner=owner, run=run)
    return Ownership(owner=owner)


class ProcessOwners:
    """Caches the owner of each process while it is on a GPU; while a look-up hangs, that process has no owner."""

    def __init__(self, find: Callable[[int], Ownership] = find_owner) -> None:
        self._find_owner = find
        self._known: dict[Identity, Ownership] = {}
        self._pending: dict[Identity, HangingCall[Ownership]] = {}

    def name(self, gpus: tuple[GpuReading, ...]) -> tuple[GpuReading, ...]:
        """Returns the readings with owner and run of each process, as far as they are known."""
        seen: set[Identity] = set()
        named = tuple(
            replace(gpu, processes=tuple(self._with_owner(process, seen) for process in gpu.processes))
            if gpu.processes
            else gpu
            for gpu in gpus
        )
        self._known = {identity: known for identity, known in self._known.items() if identity in seen}
        self._pending = {identity: call for identity, call in self._pending.items() if identity in seen}
        return named

    def _with_owner(self, process: GpuProcess, seen: set[Identity]) -> GpuProcess:
        identity = identify(process.pid)
        if identity is None:
            return process
        seen.add(identity)
        known = self._known.get(identity) or self._look_up(identity)
        return replace(process, owner=process.owner or known.owner, run=process.run or known.run)

    def _look_up(self, identity: Identity) -> Ownership:
        call = self._pending.get(identity)
        seconds = 0.0
        if call is None:
            import psutil  # noqa: F401, here and not in the thread, so that the import is not part of the time limit

            call = self._pending[identity] = HangingCall(
                lambda: self._find_owner(identity.pid), name=f"owner-{identity.pid}"
            )
            call.start()
            seconds = _WAIT_SECONDS
        ownership = call.take(seconds)
        if isinstance(ownership, Pending):
            return Ownership()
        call.end()
        del self._pending[identity]
        self._known[identity] = ownership
        return ownership
