"""The supervisor's process while it holds the lease: first pass, then the loop, then giving the lease up."""

from __future__ import annotations

import os
import socket
import sys
import time

from backprop_tui.domain.run import SLURM
from backprop_tui.engine.capacity import Capacity
from backprop_tui.engine.guard import Guard
from backprop_tui.engine.readings import ReadingsSource, SamplerKeeper
from backprop_tui.engine.scheduler import PassResult, Scheduler
from backprop_tui.engine.unfinished_runs import UnfinishedRuns
from backprop_tui.engine.wakeup import Bell
from backprop_tui.launchers.launcher import LaunchFailed, LocalLauncher
from backprop_tui.launchers.lease import sign_lease
from backprop_tui.launchers.supervisor_process import INHERITED_LOCK, SupervisorProcess
from backprop_tui.processes.detached_log import note
from backprop_tui.processes.linux import rename_process
from backprop_tui.store.creation import delete_unfinished_builds
from backprop_tui.store.failures import SUPERVISOR, describe, forget_failures_of_gone_runs, note_failure
from backprop_tui.store.home import Home
from backprop_tui.store.locks import Lock, try_lock

INTERRUPTED_SECONDS = 60.0  # run directories whose creation was interrupted this long ago are removed
RESTART_SECONDS = 1.0  # a fork server that keeps dying must not keep a core busy


def hold_lease(
    home: Home, config_path: str, lease: Lock, requests: socket.socket, announcements: socket.socket
) -> None:
    """Supervises until no run is unfinished, including runs that are queued at the last moment.

    `requests` go to the fork server, `announcements` come from the guardians that it forks.
    """
    rename_process("backprop-superv")
    try:
        delete_unfinished_builds(home, older_than_seconds=INTERRUPTED_SECONDS)
        forget_failures_of_gone_runs(home)
    except OSError as error:
        note(str(error))
    readings_source = ReadingsSource(home)
    capacity = Capacity(home, config_path, readings_source)
    unfinished = UnfinishedRuns(home)
    scheduler = Scheduler(unfinished, capacity, LocalLauncher(requests))
    guard = Guard(home, capacity, readings_source)
    sampler = SamplerKeeper(home, readings_source)
    process = SupervisorProcess(home=home, config_path=config_path)
    held: Lock | None = lease
    while held is not None:
        bell = Bell(home)
        try:
            _supervise(process, capacity, scheduler, guard, sampler, bell, announcements)
        except* LaunchFailed as errors:
            sampler.stop()
            _restart(process, held, errors)
        sampler.stop()
        # A front end marks its run, then rings, then tries to take the lease. So either it finds no bell and a free
        # lease, and starts the next supervisor; or it marked the run before the following refresh, which then sees it.
        bell.remove()
        held.release()
        unfinished.refresh()
        held = try_lock(lease.path) if unfinished.runs() or _has_unsubmitted(home) else None
        if held is not None:
            sign_lease(held, os.getpid())


def _has_unsubmitted(home: Home) -> bool:
    """Whether a Slurm run waits for its submission."""
    slurm = UnfinishedRuns(home, SLURM)
    slurm.refresh()
    return any(run.submitted_job is None for run in slurm.queued())


def _supervise(
    process: SupervisorProcess,
    capacity: Capacity,
    scheduler: Scheduler,
    guard: Guard,
    sampler: SamplerKeeper,
    bell: Bell,
    announcements: socket.socket,
) -> None:
    first_pass = _first_pass(scheduler)
    sampler.ensure(first_pass.runs if first_pass is not None else ())
    # Loaded only after the first run was started, which therefore need not wait for it.
    import asyncio

    from backprop_tui.engine.supervisor import Supervisor

    async def supervise() -> None:
        supervisor = Supervisor(process, capacity, scheduler, guard, sampler, bell, announcements)
        await supervisor.supervise(first_pass)

    asyncio.run(supervise())


def _first_pass(scheduler: Scheduler) -> PassResult | None:
    """None if the pass failed, for example because the disk is full. The next pass tries again, and records it."""
    try:
        return scheduler.run_pass((), explain=False)
    except LaunchFailed:
        raise
    except Exception as error:  # noqa: BLE001 - see above
        note(describe(error))
        return None


def _restart(supervisor: SupervisorProcess, lease: Lock, errors: BaseExceptionGroup[LaunchFailed]) -> None:
    """Replaces this process by a new supervisor after the fork server died; never returns.

    A process with threads cannot safely fork another fork server. With exec the lease stays held, and the orphans that
    this process has adopted remain its children.
    """
    note(f"{errors.exceptions[0]}; restarting")
    failure = note_failure(supervisor.home, SUPERVISOR, describe(errors))
    time.sleep(max(RESTART_SECONDS, failure.pause_seconds))
    os.dup2(lease.descriptor, INHERITED_LOCK)
    os.set_inheritable(INHERITED_LOCK, True)  # dup2 of a descriptor onto itself changes nothing
    os.execv(sys.executable, supervisor.command)  # noqa: S606 - the command this process was started with
