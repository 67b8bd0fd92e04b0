"""The supervisor: the queue's owner on one host, from the first pass to the moment when nothing is left to do."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.run import Run
from backprop_tui.domain.status import ENDED
from backprop_tui.engine.governor_file import write_governor
from backprop_tui.engine.indexing import index_runs
from backprop_tui.engine.queue_keeper import PassResult
from backprop_tui.engine.strangers import OrphanReaper
from backprop_tui.engine.supervision import SupervisorParts
from backprop_tui.launchers.launcher import GuardianHandle
from backprop_tui.processes.detached_log import note
from backprop_tui.processes.identity import identify, open_pidfd
from backprop_tui.store.run_directory import RunDirectory

FIRST_READING_SECONDS = 0.05  # until the GPUs are known for the first time
PASS_SECONDS = 1.0  # between two passes when nobody rings and no guardian ends
EXPLAIN_SECONDS = 1.0
INDEX_SECONDS = 1.0
LOOKS_A_SAMPLE = 5
LEAST_LOOK_SECONDS = 0.1
LINGER_SECONDS = 2.0  # a script that runs one thing after the other finds the supervisor warm


class Supervisor:
    """Waits for whatever changes and lets the keeper of the queue look; everything that blocks is in threads."""

    def __init__(self, supervision: SupervisorParts) -> None:
        self._home = supervision.home
        self._keeper = supervision.keeper
        self._machine = supervision.machine
        self._guard = supervision.guard
        self._sampling = supervision.sampling
        self._bell = supervision.bell
        self._wake = asyncio.Event()
        self._over = asyncio.Event()
        self._watched: dict[str, int] = {}  # run id -> pidfd of its guardian
        self._runs: list[Run] = []
        self._indexed: dict[str, Run] = {}
        self._explain_at = 0.0

    async def supervise(self, first: PassResult | None) -> None:
        """Until nothing is unfinished and everything is indexed; `first` is the pass made before this loop existed."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._bell.descriptor, self._rung)
        if first is not None:
            self._take_in(first)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_queue())
                tasks.create_task(self._each(self._look_seconds, self._look))
                tasks.create_task(self._each(lambda: INDEX_SECONDS, self._index))
                tasks.create_task(self._each(lambda: 1.0, OrphanReaper().reap))
        finally:
            loop.remove_reader(self._bell.descriptor)

    async def _keep_queue(self) -> None:
        idle_since: float | None = None
        while True:
            self._wake.clear()
            await self._pass()
            if self._runs:
                idle_since = None
            else:
                idle_since = idle_since or time.monotonic()
                if time.monotonic() - idle_since >= LINGER_SECONDS:
                    self._over.set()
                    return
            await _wait(self._wake, PASS_SECONDS if self._sampling.gpus_known else FIRST_READING_SECONDS)

    async def _pass(self) -> None:
        explain = time.monotonic() >= self._explain_at
        try:
            passed = await asyncio.to_thread(self._keeper.pass_over, tuple(self._watched), explain=explain)
            self._take_in(passed)
            if explain:
                self._explain_at = time.monotonic() + EXPLAIN_SECONDS
                await asyncio.to_thread(write_governor, self._home, passed, time.time())
        except BackpropError as error:
            # A full disk or a broken record holds the queue, no more: the next pass tries again.
            note(str(error))

    def _take_in(self, passed: PassResult) -> None:
        self._runs = passed.runs
        for run_id, guardian in passed.guardians.items():
            self._watch(run_id, guardian)
        for run_id in passed.unguarded:
            found = self._guardian_of(run_id)
            if found is not None:
                self._watch(run_id, found)

    def _guardian_of(self, run_id: str) -> GuardianHandle | None:
        """The guardian that another supervisor started; None where it has not said yet who it is."""
        live = RunDirectory(self._home.run_folder(run_id)).read_live()
        identity = None if live is None else identify(live.runner_pid)
        pidfd = None if identity is None else open_pidfd(identity)
        return None if identity is None or pidfd is None else GuardianHandle(pid=identity.pid, pidfd=pidfd)

    def _watch(self, run_id: str, guardian: GuardianHandle) -> None:
        self._forget(run_id)
        self._watched[run_id] = guardian.pidfd
        asyncio.get_running_loop().add_reader(guardian.pidfd, self._guardian_ended, run_id)

    def _guardian_ended(self, run_id: str) -> None:
        self._forget(run_id)
        self._wake.set()

    def _forget(self, run_id: str) -> None:
        pidfd = self._watched.pop(run_id, None)
        if pidfd is not None:
            asyncio.get_running_loop().remove_reader(pidfd)
            os.close(pidfd)

    def _rung(self) -> None:
        self._bell.drain()
        self._wake.set()

    def _look_seconds(self) -> float:
        """Between two questions to the guard whether there is anything new to look at."""
        return max(LEAST_LOOK_SECONDS, self._machine.limits.sample_seconds / LOOKS_A_SAMPLE)

    def _look(self) -> None:
        self._sampling.keep(self._runs)
        self._guard.look(self._runs)

    def _index(self) -> None:
        """What changed since it was indexed; a run whose end was indexed and that is marked still is tried again."""
        runs = self._runs
        changed = [run for run in runs if self._indexed.get(run.id) is not run or run.status in ENDED]
        if changed:
            index_runs(self._home, changed)
            for run in changed:
                if run.status in ENDED:
                    self._machine.learned.learn(run)
        self._indexed = {run.id: run for run in runs}
        if any(run.status in ENDED for run in changed):
            self._explain_at = 0.0

    async def _each(self, seconds: Callable[[], float], do: Callable[[], None]) -> None:
        """Does it in a thread, again and again, until the supervisor is done."""
        while not self._over.is_set():
            try:
                await asyncio.to_thread(do)
            except BackpropError as error:
                note(str(error))
            await _wait(self._over, seconds())


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
