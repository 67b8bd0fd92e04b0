"""The supervisor's loop: scheduler passes, guard checks and the reaping of orphans, until no work is left."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from backprop_tui import __version__
from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.formatting import iso
from backprop_tui.domain.governor.governor_state import GovernorState, governor_state
from backprop_tui.domain.governor.reasons import HoldReason
from backprop_tui.domain.run import Run
from backprop_tui.domain.status import ACTIVE, ENDED, Status
from backprop_tui.engine.capacity import Capacity
from backprop_tui.engine.finishing_runs import FinishingRuns
from backprop_tui.engine.guard import Guard
from backprop_tui.engine.readings import SamplerKeeper
from backprop_tui.engine.scheduler import PassResult, Scheduler
from backprop_tui.engine.unfinished_runs import index_runs
from backprop_tui.engine.wakeup import Bell
from backprop_tui.launchers.launcher import GuardianHandle, LaunchFailed
from backprop_tui.launchers.supervisor_process import SupervisorProcess
from backprop_tui.processes.detached_log import note, note_exception
from backprop_tui.processes.directory_watch import DirectoryWatch
from backprop_tui.processes.identity import identify, open_pidfd
from backprop_tui.processes.linux import return_free_memory
from backprop_tui.processes.tree import OrphanReaper
from backprop_tui.store.codec import encode
from backprop_tui.store.failures import SUPERVISOR, describe, note_failure
from backprop_tui.store.files import dump, set_aside_report, write_atomically
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory

if TYPE_CHECKING:
    from backprop_tui.engine.slurm_queue import SlurmQueue

FIRST_READINGS_SECONDS = 0.05  # between two passes until the GPUs are known for the first time
PASS_SECONDS = 1.0  # between two passes when nothing wakes the supervisor
QUIET_PASS_SECONDS = 2.0  # the same when no run waits or starts
SUBMITTED_SECONDS = 5.0  # the same when all that waits was submitted to Slurm, which is asked as often
LOOK_SECONDS = 5.0  # local runs that wait are looked at this often, for requests of machines that cannot ring
LOOK_SECONDS_PER_RUN = 0.01  # a look takes about ten microseconds a run, so many thousands are looked at less often
LOOK_AT_OTHERS_SECONDS = 30.0  # the same for runs of another launcher
SIGN_OF_LIFE_SECONDS = 30.0  # other machines see by governor.json that this one is alive
EXPLAIN_SECONDS = 1.0
INDEX_SECONDS = 1.0
REAP_SECONDS = 1.0
CHECKS_PER_SAMPLE = 5  # where new readings do not wake the supervisor
SHORTEST_CHECK_SECONDS = 0.1
SAMPLES_PER_CHECK = 1.5  # where they do, so that this passes only while the sampler is silent
SAMPLES_PER_CHECK_WITHOUT_SAMPLER = 2.0
LINGER_SECONDS = 2.0  # so that a script that runs one thing after another finds the supervisor warm


class GovernorFile:
    """governor.json: what the last pass decided. It is written when that changed, and as a sign of life."""

    def __init__(self, home: Home) -> None:
        self._path = home.governor
        self._decided: tuple[object, ...] = ()
        self._written_at = -SIGN_OF_LIFE_SECONDS

    def is_due(self, result: PassResult, slurm_holds: Mapping[str, Sequence[HoldReason]]) -> bool:
        """Whether `write` has something to do: mostly it has not, and a thread for that would cost more than this."""
        is_old = time.monotonic() - self._written_at >= SIGN_OF_LIFE_SECONDS
        return is_old or _decided(result, slurm_holds) != self._decided

    def write(self, result: PassResult, slurm_holds: Mapping[str, Sequence[HoldReason]]) -> None:
        """Raises: StorageFailed, if the disk is full; the previous file stays."""
        now = time.monotonic()
        state, held, _ = decided = _decided(result, slurm_holds)
        if decided == self._decided:
            with suppress(FileNotFoundError):
                os.utime(self._path)
                self._written_at = now
                return
        content = {
            **encode(state),
            "time": iso(time.time()),
            "pid": os.getpid(),
            "version": __version__,
            "held": {run_id: [encode(reason) for reason in reasons] for run_id, reasons in held.items()},
            "places": result.queue_positions,
        }
        write_atomically(self._path, dump(content), durable=False)
        self._decided, self._written_at = decided, now


def _decided(
    result: PassResult, slurm_holds: Mapping[str, Sequence[HoldReason]]
) -> tuple[GovernorState, dict[str, Sequence[HoldReason]], Mapping[str, int]]:
    state = governor_state(result.snapshot, result.holds.values(), waiting=len(result.queue_positions))
    held: dict[str, Sequence[HoldReason]] = {run_id: hold.reasons for run_id, hold in result.holds.items()}
    return state, held | dict(slurm_holds), result.queue_positions


class RepeatedWork:
    """Work that is tried again after an error: the same one is logged once, one that nobody foresaw is shown as well.

    A full disk or a broken record only delays this work; all other work of the process goes on.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._logged: str | None = None
        self.has_failed = False
        self.pause_seconds = 0.0  # it must not be tried again sooner

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Raises: LaunchFailed."""
        self.has_failed, self.pause_seconds = True, 0.0
        try:
            yield
        except LaunchFailed:
            raise
        except BackpropError as error:
            if str(error) != self._logged:
                note(str(error))
            self._logged = str(error)
        except Exception as error:  # noqa: BLE001 - the other work goes on
            note_exception(error)
            self.pause_seconds = note_failure(self._home, SUPERVISOR, describe(error)).pause_seconds
        else:
            self.has_failed, self._logged = False, None


class Stir:
    """Ends the pauses of those who wait for its event, each only once."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    def set(self) -> None:
        self.event.set()
        self.event = asyncio.Event()


class Supervisor:
    """Waits for changes and runs the scheduler; everything that blocks happens in threads."""

    def __init__(
        self,
        process: SupervisorProcess,
        capacity: Capacity,
        scheduler: Scheduler,
        guard: Guard,
        sampler: SamplerKeeper,
        bell: Bell,
        announcements: socket.socket,
    ) -> None:
        self._home = home = process.home
        self._config_path = process.config_path
        self._capacity = capacity
        self._scheduler = scheduler
        self._guard = guard
        self._sampler = sampler
        self._bell = bell
        self._wake = asyncio.Event()
        self._finishing = FinishingRuns(announcements, self._on_free_slot)
        self._is_slot_free = False  # since the last pass
        self._is_done = False
        self._stir = Stir()  # what is done at intervals is done now
        self._readings_stir = Stir()  # the guard looks now
        self._watched: dict[str, int] = {}  # run id -> pidfd of its guardian
        self._runs: list[Run] = []
        self._indexed: dict[str, Run] = {}
        self._settled: list[Run] | None = None  # the runs when all had been in the index for a while
        self._slurm: SlurmQueue | None = None  # made when the first Slurm run is seen
        self._slurm_wake = asyncio.Event()
        self._governor_file = GovernorFile(home)
        self._explain_at = 0.0
        self._look_at = 0.0  # monotonic; when the waiting runs are looked at again
        self._passes = RepeatedWork(home)
        self._readings = DirectoryWatch(os.path.dirname(home.readings))

    async def supervise(self, first_pass: PassResult | None) -> None:
        """Runs until nothing is unfinished and all is indexed; `first_pass` was made before this loop existed."""
        loop = asyncio.get_running_loop()
        reaper, readings = OrphanReaper(self._script_pids), self._readings
        loop.add_reader(self._bell.descriptor, self._on_bell)
        if readings.descriptor is not None:
            loop.add_reader(readings.descriptor, self._on_files)
        self._finishing.start()
        if first_pass is not None:
            self._apply(first_pass)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_queue())
                check = self._check_sampler_and_guard
                tasks.create_task(self._repeat(self._check_seconds, check, stir=self._readings_stir))
                tasks.create_task(self._repeat(lambda: _until_next(INDEX_SECONDS), self._index, self._is_unsettled))
                tasks.create_task(self._repeat(lambda: _until_next(REAP_SECONDS), reaper.reap, reaper.has_work))
                tasks.create_task(self._keep_slurm_queue())
        finally:
            loop.remove_reader(self._bell.descriptor)
            if readings.descriptor is not None:
                loop.remove_reader(readings.descriptor)
                readings.close()
            self._finishing.stop()

    def _script_pids(self) -> set[int]:
        pids: set[int] = set()
        for run in self._runs:
            if run.status in ACTIVE:
                with suppress(BackpropError):
                    identity = RunDirectory(self._home.run_folder(run.id)).script_identity()
                    pids |= set() if identity is None else {identity[1]}
        return pids

    async def _keep_queue(self) -> None:
        idle_since: float | None = None
        while True:
            self._wake.clear()
            while self._is_slot_free:  # the next runs start first; what else has changed is seen by the pass after that
                self._is_slot_free = False
                await self._run_pass(refresh=False)
            await self._run_pass()
            idle_since = None if self._has_work() else idle_since or time.monotonic()
            if idle_since is not None and time.monotonic() - idle_since >= LINGER_SECONDS:
                self._is_done = True
                self._stir_all()
                self._slurm_wake.set()
                return
            await _wait(self._wake, self._pass_seconds(idle=idle_since is not None))

    def _pass_seconds(self, *, idle: bool) -> float:
        """Until the next pass, if nothing wakes it; a login node with nothing but jobs has little to do."""
        if self._passes.has_failed:
            return max(PASS_SECONDS, self._passes.pause_seconds)
        if not self._runs and not idle:
            return SUBMITTED_SECONDS
        if not self._sampler.gpus_known:
            return FIRST_READINGS_SECONDS
        is_calm = all(run.status is Status.RUNNING for run in self._runs) and not idle
        return _until_next(QUIET_PASS_SECONDS if is_calm else PASS_SECONDS)

    def _has_work(self) -> bool:
        return bool(self._runs) or (self._slurm.is_needed if self._slurm is not None else self._scheduler.has_others)

    async def _keep_slurm_queue(self) -> None:
        """Looks after the Slurm runs, in a thread of its own: an answer of the cluster may take half a minute."""
        passes = RepeatedWork(self._home)
        while not self._is_done:
            look = self._slurm_wake.is_set()
            self._slurm_wake.clear()
            if self._slurm is None and self._scheduler.has_others:
                from backprop_tui.engine.slurm_queue import SlurmQueue

                self._slurm = SlurmQueue(home=self._home, config_path=self._config_path)
            if self._slurm is not None:
                before = self._slurm.runs
                with passes.attempt():
                    await asyncio.to_thread(self._slurm.run_pass, look=look)
                if self._slurm.runs != before:
                    self._stir_all()
            is_idle = self._slurm is None or (self._slurm.is_needed and not self._slurm.has_unsubmitted)
            await _wait(self._slurm_wake, max(passes.pause_seconds, SUBMITTED_SECONDS if is_idle else PASS_SECONDS))

    async def _run_pass(self, *, refresh: bool = True) -> None:
        now = time.monotonic()
        explain, look = refresh and now >= self._explain_at, refresh and now >= self._look_at
        if look:
            self._look_at = now + _look_seconds(len(self._runs))
        watched, finishing = tuple(self._watched), self._finishing.run_ids()
        with self._passes.attempt():
            run_pass = partial(self._scheduler.run_pass, watched, finishing, explain=explain, look=look)
            result = await asyncio.to_thread(run_pass, refresh=refresh)
            self._apply(result)
            if self._slurm is None and self._scheduler.has_others:
                self._slurm_wake.set()
            if explain:
                self._explain_at = time.monotonic() + EXPLAIN_SECONDS
                slurm_holds = {} if self._slurm is None else self._slurm.holds
                if self._governor_file.is_due(result, slurm_holds):
                    await asyncio.to_thread(self._governor_file.write, result, slurm_holds)
        if self._passes.has_failed:
            self._look_at = 0.0

    def _apply(self, result: PassResult) -> None:
        is_first, self._runs = not self._runs, result.runs
        if is_first and self._runs:
            self._stir_all()
        for run_id, guardian in result.guardians.items():
            self._watch(run_id, guardian)
        for run_id in result.unwatched:
            known = self._find_guardian(run_id)
            if known is not None:
                self._watch(run_id, known)

    def _find_guardian(self, run_id: str) -> GuardianHandle | None:
        """The guardian that an earlier supervisor started; None until it has written its pid."""
        live = RunDirectory(self._home.run_folder(run_id)).read_live()
        identity = None if live is None else identify(live.runner_pid)
        pidfd = None if identity is None else open_pidfd(identity)
        return None if identity is None or pidfd is None else GuardianHandle(pid=identity.pid, pidfd=pidfd)

    def _watch(self, run_id: str, guardian: GuardianHandle) -> None:
        self._unwatch(run_id)
        self._watched[run_id] = guardian.pidfd
        asyncio.get_running_loop().add_reader(guardian.pidfd, self._on_guardian_end, run_id)

    def _on_guardian_end(self, run_id: str) -> None:
        self._unwatch(run_id)
        self._wake.set()

    def _unwatch(self, run_id: str) -> None:
        pidfd = self._watched.pop(run_id, None)
        if pidfd is not None:
            asyncio.get_running_loop().remove_reader(pidfd)
            os.close(pidfd)

    def _on_free_slot(self) -> None:
        self._is_slot_free = True
        self._wake.set()

    def _on_bell(self) -> None:
        self._bell.drain()
        self._look_at = 0.0
        self._wake.set()
        self._slurm_wake.set()

    def _on_files(self) -> None:
        if os.path.basename(self._home.readings) in self._readings.written():
            self._readings_stir.set()

    def _check_seconds(self) -> float:
        if not self._watched:
            return _until_next(PASS_SECONDS)
        return seconds_to_check(
            self._capacity.limits.sample_seconds,
            has_sampler=self._sampler.has_probe,
            wakes=self._readings.descriptor is not None,
        )

    def _check_sampler_and_guard(self) -> None:
        if self._runs or self._slurm is None:  # a login node that only submits jobs measures nothing
            self._sampler.ensure(self._runs)
        self._guard.check(self._runs)

    def _all_runs(self) -> list[Run]:
        return self._runs if self._slurm is None else [*self._runs, *self._slurm.runs]

    def _is_unsettled(self) -> bool:
        return self._all_runs() != self._settled

    def _index(self) -> None:
        """Indexes what changed. A run that has ended and is still marked is tried again.

        A second after the last change it gives back the memory that the updates of the index needed.
        """
        runs = self._all_runs()
        changed = [run for run in runs if self._indexed.get(run.id) is not run or run.status in ENDED]
        if changed:
            index_runs(self._home, changed)
        else:
            return_free_memory()
        for run in changed:
            if run.status in ENDED:
                self._capacity.vram_history.record(run)
                self._explain_at = 0.0
        self._indexed = {run.id: run for run in runs}
        self._settled = None if changed else runs

    async def _repeat(
        self,
        seconds: Callable[[], float],
        work: Callable[[], None],
        is_due: Callable[[], bool] = lambda: True,
        *,
        stir: Stir | None = None,
    ) -> None:
        """Does the work in a thread if it is due, after so many seconds or a stir, until the supervisor is done.

        A login node on which nothing runs has nothing to do in between: a change there stirs it.
        """
        attempts, stir = RepeatedWork(self._home), stir or self._stir
        while not self._is_done:
            stirred = stir.event
            if is_due():
                with attempts.attempt():
                    await asyncio.to_thread(work)
            if (report := set_aside_report()) is not None:
                note(report)
            is_quiet = not self._runs and self._settled is not None
            pause_seconds = _until_next(SUBMITTED_SECONDS) if is_quiet else seconds()
            await _wait(stirred, max(attempts.pause_seconds, pause_seconds))

    def _stir_all(self) -> None:
        self._stir.set()
        self._readings_stir.set()


def seconds_to_check(sample_seconds: float, *, has_sampler: bool, wakes: bool) -> float:
    """The pause of the guard: where new readings wake it (`wakes`), they come before the pause is over.

    Without a sampler it looks together with a pass.
    """
    if not wakes:
        return _until_next(max(SHORTEST_CHECK_SECONDS, sample_seconds / CHECKS_PER_SAMPLE))
    if not has_sampler:
        return _until_next(SAMPLES_PER_CHECK_WITHOUT_SAMPLER * sample_seconds)
    return SAMPLES_PER_CHECK * sample_seconds


def _look_seconds(runs: int) -> float:
    """Until the runs that wait are looked at again, if nobody rings."""
    return max(LOOK_SECONDS, runs * LOOK_SECONDS_PER_RUN) if runs else LOOK_AT_OTHERS_SECONDS


def _until_next(interval_seconds: float) -> float:
    """To the next multiple of the interval: what is done equally often wakes this process once."""
    return interval_seconds - time.monotonic() % interval_seconds


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
