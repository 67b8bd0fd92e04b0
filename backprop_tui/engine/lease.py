"""From taking the lease to giving it up: the first pass, the loop, and a last look so that nothing is left behind."""

from __future__ import annotations

import os
import socket
import sys
import time

from backprop_tui.domain.errors import BackpropError
from backprop_tui.engine.bell import Bell
from backprop_tui.engine.book import UnfinishedRuns
from backprop_tui.engine.guarding import Guard
from backprop_tui.engine.machine import Capacity
from backprop_tui.engine.measuring import ReadingsSource
from backprop_tui.engine.queue_keeper import PassResult, Scheduler
from backprop_tui.engine.sampling import SamplerKeeper
from backprop_tui.engine.supervision import SupervisorParts
from backprop_tui.launchers.launcher import LaunchFailed
from backprop_tui.launchers.lease import sign_lease
from backprop_tui.launchers.local import LocalLauncher
from backprop_tui.launchers.supervisor_process import INHERITED_LOCK, SupervisorProcess
from backprop_tui.processes.detached_log import STDERR, note
from backprop_tui.processes.linux import rename_process
from backprop_tui.store.creation import sweep_unborn
from backprop_tui.store.home import Home
from backprop_tui.store.locks import Lock, try_lock

LARGEST_LOG_BYTES = 1 << 20
UNBORN_SECONDS = 60.0
START_OVER_SECONDS = 1.0  # a fork server that dies again and again must not keep a core busy


def hold_lease(home: Home, config_path: str, lease: Lock, requests: socket.socket) -> None:
    """Supervises until nothing is unfinished; whoever queues a run at the last moment is seen."""
    rename_process("backprop-superv")
    _shorten_log()
    sweep_unborn(home, older_than_seconds=UNBORN_SECONDS)
    measurements = ReadingsSource(home)
    machine = Capacity(home, config_path, measurements)
    book = UnfinishedRuns(home)
    keeper = Scheduler(book, machine, LocalLauncher(requests))
    guard = Guard(home, machine, measurements)
    sampling = SamplerKeeper(home, machine, measurements)
    held: Lock | None = lease
    while held is not None:
        bell = Bell(home)
        try:
            _supervise(SupervisorParts(home, machine, keeper, guard, sampling, bell))
        except* LaunchFailed as errors:
            sampling.stop()
            _start_over(SupervisorProcess(home=home, config_path=config_path), held, errors)
        sampling.stop()
        # A front end marks its run first, then rings, then tries the lease. So either it found the bell down and the
        # lease free and starts the next supervisor, or it came before this look.
        bell.take_down()
        held.release()
        book.refresh()
        held = try_lock(lease.path) if book.runs() else None
        if held is not None:
            sign_lease(held, os.getpid())


def _supervise(supervision: SupervisorParts) -> None:
    first = _first_pass(supervision)
    supervision.sampling.keep(first.runs if first is not None else ())
    # Loaded only now, with the first run on its way.
    import asyncio

    from backprop_tui.engine.supervisor import Supervisor

    async def supervise() -> None:
        await Supervisor(supervision).supervise(first)

    asyncio.run(supervise())


def _first_pass(supervision: SupervisorParts) -> PassResult | None:
    """None where it failed, on a full disk for one: the next pass tries again."""
    try:
        return supervision.keeper.run_pass((), explain=False)
    except BackpropError as error:
        note(str(error))
        return None


def _start_over(supervisor: SupervisorProcess, lease: Lock, errors: BaseExceptionGroup[LaunchFailed]) -> None:
    """Never returns: the fork server is gone, and a process that has threads cannot fork another one safely.

    So this process becomes a new supervisor: its lease stays held, and the orphans it fosters stay its children.
    """
    note(f"{errors.exceptions[0]}; starting over")
    time.sleep(START_OVER_SECONDS)
    os.dup2(lease.descriptor, INHERITED_LOCK)
    os.set_inheritable(INHERITED_LOCK, True)  # dup2 of a descriptor onto itself changes nothing
    os.execv(sys.executable, supervisor.command)  # noqa: S606 - what this process was started with


def _shorten_log() -> None:
    """Stderr is supervisor.log, appended to by every supervisor of this host."""
    try:
        if os.fstat(STDERR).st_size > LARGEST_LOG_BYTES:
            os.ftruncate(STDERR, 0)
    except OSError:
        return
