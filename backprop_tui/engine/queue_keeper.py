"""Keeps the queue: one pass recovers what lost its guardian, decides who starts, and starts it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import field, replace

from backprop_tui.domain.causes.ours import cause_of_stop, cause_of_unmet_dependency
from backprop_tui.domain.edits import edited, with_timebox
from backprop_tui.domain.governor.admission import Hold, decide
from backprop_tui.domain.governor.reasons import Check, HoldReason
from backprop_tui.domain.governor.reservation import HeadOfQueue, head_of_queue, reserve
from backprop_tui.domain.governor.snapshot import AwaitedRun, Candidate, Placement, Snapshot
from backprop_tui.domain.lifecycle import begin
from backprop_tui.domain.queue_order import in_order
from backprop_tui.domain.requests import EditRequest, StopRequest, TimeboxRequest
from backprop_tui.domain.run import Ended, Queued, Run
from backprop_tui.domain.status import Status
from backprop_tui.domain.values import dataclass
from backprop_tui.engine.book import UnfinishedRuns
from backprop_tui.engine.candidates import candidate_of, snapshot_for
from backprop_tui.engine.dependencies import UnmetDependency, awaited
from backprop_tui.engine.handed_over import gpu_environment
from backprop_tui.engine.machine import Capacity
from backprop_tui.engine.recovery import Adopt, recover
from backprop_tui.launchers.launcher import GuardianHandle, Launcher
from backprop_tui.processes.linux import boot_id
from backprop_tui.store.locks import Lock
from backprop_tui.store.run_directory import RunDirectory

# What holds the first in the queue for these holds everybody.
FOR_ALL = frozenset({Check.QUEUE_HELD, Check.STARTS})
# Reasons are worked out for so many; who waits further back waits for these first.
EXPLAINED_RUNS = 100


@dataclass(slots=True)
class PassResult:
    """What one pass found and did."""

    snapshot: Snapshot
    runs: list[Run] = field(default_factory=list)  # all that are marked; unchanged ones are the same objects
    guardians: dict[str, GuardianHandle] = field(default_factory=dict)
    unguarded: list[str] = field(default_factory=list)  # active, and somebody else's guardian has their lock
    holds: dict[str, Hold] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)


class Scheduler:
    """Owns the queue of one host while its process holds the lease."""

    def __init__(self, book: UnfinishedRuns, machine: Capacity, launcher: Launcher) -> None:
        self._book = book
        self._machine = machine
        self._launcher = launcher
        self._head: HeadOfQueue | None = None

    def run_pass(self, watched: Iterable[str], *, explain: bool) -> PassResult:
        """One pass; `watched` are the runs whose guardians are known to live. `explain`: every reason of every run.

        Raises:
            StorageFailed: disk full or the like; what was done before stands.
            LaunchFailed: the launcher is gone.
        """
        self._book.refresh()
        for run in self._book.queued():
            self._listen(run)
        known = set(watched)
        passed = PassResult(snapshot=self._machine.snapshot(self._book.active()))
        for run in self._book.active():
            if run.id not in known:
                self._recover(run, passed)
        if passed.guardians or passed.unguarded:
            passed.snapshot = self._machine.snapshot(self._book.active())
        self._admit(passed, explain=explain)
        passed.runs = self._book.runs()
        return passed

    def _recover(self, run: Run, passed: PassResult) -> None:
        directory = self._book.directory(run.id)
        lock = _try_lock(directory)
        if lock is None:
            passed.unguarded.append(run.id)
            return
        with lock:
            run = directory.read()
            if run.status not in (Status.STARTING, Status.RUNNING):
                self._book.put(run)
                return
            found = recover(directory, run)
            if isinstance(found, Adopt):
                passed.guardians[run.id] = self._launcher.launch(directory.path, lock, adopting=True)
            else:
                self._book.put(found.run)

    def _admit(self, passed: PassResult, *, explain: bool) -> None:
        now = time.time()
        queue = in_order(self._book.queued())
        self._reserve(queue, passed)
        machine_is_full = False
        for place, run in enumerate(queue, start=1):
            passed.places[run.id] = place
            if place > EXPLAINED_RUNS and (machine_is_full or not explain):
                continue
            if machine_is_full and not explain and run.spec.limits.max_parallel is None:
                continue
            hold = self._consider(run, passed, now)
            if hold is None:
                continue
            passed.holds[run.id] = hold
            checks = {reason.check for reason in hold.reasons}
            if checks & FOR_ALL and not explain:
                return
            machine_is_full = machine_is_full or (Check.PARALLEL in checks and run.spec.limits.max_parallel is None)

    def _reserve(self, queue: list[Run], passed: PassResult) -> None:
        """Keeps GPUs for the first run that has waited long for several, so that small ones do not starve it."""
        if not passed.snapshot.readings.gpus:
            self._head = None
            return
        candidates = []
        for run in queue[:EXPLAINED_RUNS]:
            waits_for = awaited(run, self._book)
            if not isinstance(waits_for, UnmetDependency):
                candidates.append(self._candidate(run, waits_for))
        self._head = head_of_queue(self._head, candidates, passed.snapshot)
        passed.snapshot = replace(passed.snapshot, reservation=reserve(self._head, candidates, passed.snapshot))

    def _candidate(self, run: Run, waits_for: tuple[AwaitedRun, ...]) -> Candidate:
        return candidate_of(run, waits_for, self._machine.learned_peak(run), self._machine.mount_of(run))

    def _consider(self, run: Run, passed: PassResult, now: float) -> Hold | None:
        """Starts the run, ends it, or says why it waits."""
        waits_for = awaited(run, self._book)
        if isinstance(waits_for, UnmetDependency):
            self._end_unstarted(run, waits_for.reason)
            return None
        candidate = self._candidate(run, waits_for)
        decision = decide(candidate, snapshot_for(run, passed.snapshot, self._machine.probe))
        backoff = _backoff(run, now)
        if isinstance(decision, Hold) or backoff is not None:
            reasons = decision.reasons if isinstance(decision, Hold) else ()
            return Hold(reasons=(*(() if backoff is None else (backoff,)), *reasons))
        self._start(run, candidate, decision.placement, passed)
        return None

    def _start(self, run: Run, candidate: Candidate, placement: Placement, passed: PassResult) -> None:
        directory = self._book.directory(run.id)
        lock = _try_lock(directory)
        if lock is None:
            return  # a front end edits it this moment
        with lock:
            # Somebody may have edited, stopped or started it since the book was written.
            run = self._obey(directory, directory.read())
            if not isinstance(run.state, Queued) or run.id != candidate.id:
                self._book.put(run)
                return
            starting = begin(
                run,
                now=time.time(),
                boot_id=boot_id(),
                gpus=placement.gpus or (),
                vram_claim_bytes=placement.claim_bytes,
                variables=gpu_environment(run.spec, placement, passed.snapshot.readings),
            )
            directory.write(starting, durable=True)
            directory.append_event("admitted", _where(placement), time=time.time())
            self._book.put(starting)
            passed.snapshot = passed.snapshot.with_started(candidate, placement)
            self._machine.started(passed.snapshot)
            passed.guardians[run.id] = self._launcher.launch(directory.path, lock, adopting=False)

    def _listen(self, run: Run) -> None:
        """A queued run obeys before its turn comes; nearly always there is nothing to obey."""
        directory = self._book.directory(run.id)
        lock = _try_lock(directory) if directory.requests_after(run.requests_offset)[0] else None
        if lock is None:
            return
        with lock:
            run = directory.read()
            self._book.put(self._obey(directory, run) if isinstance(run.state, Queued) else run)

    def _obey(self, directory: RunDirectory, run: Run) -> Run:
        """Requests that were written while a lock was busy; the run is queued, and we hold its lock."""
        requests, offset = directory.requests_after(run.requests_offset)
        if offset == run.requests_offset:
            return run
        run = replace(run, requests_offset=offset)
        for request in requests:
            match request:
                case StopRequest(by=by, reason=reason, cause=kind):
                    cause = cause_of_stop(by=by, reason=reason, kind=kind)
                    end = Ended(at=time.time(), status=Status.STOPPED, reason=reason, cause=cause)
                    return self._end_queued(directory, run, end)
                case EditRequest():
                    run = edited(run, request)
                case TimeboxRequest():
                    run = with_timebox(run, request)
                case _:
                    continue
        directory.write(run, durable=True)
        return run

    def _end_unstarted(self, run: Run, reason: str) -> None:
        directory = self._book.directory(run.id)
        lock = _try_lock(directory)
        if lock is None:
            return
        with lock:
            run = directory.read()
            if isinstance(run.state, Queued):
                cause = cause_of_unmet_dependency(reason)
                end = Ended(at=time.time(), status=Status.STOPPED, reason=reason, cause=cause)
                run = self._end_queued(directory, run, end)
            self._book.put(run)

    def _end_queued(self, directory: RunDirectory, run: Run, end: Ended) -> Run:
        run = run.to(end)
        directory.write(run, durable=True)
        directory.append_event("ended", end.reason or "", time=end.at, status=end.status)
        directory.forget_environment()
        return run


def _try_lock(directory: RunDirectory) -> Lock | None:
    try:
        return directory.try_lock()
    except FileNotFoundError:
        return None  # removed this moment


def _backoff(run: Run, now: float) -> HoldReason | None:
    state = run.state
    if not isinstance(state, Queued) or state.not_before is None or state.not_before <= now:
        return None
    seconds = state.not_before - now
    message = f"{state.reason or 'again'} in {seconds:.0f} s"
    return HoldReason(check=Check.STARTS, figure=round(seconds, 1), limit=0, message=message)


def _where(placement: Placement) -> str:
    if placement.gpus is None:
        return "admitted"
    if not placement.gpus:
        return "admitted without a GPU"
    return "admitted on GPU " + ", ".join(str(gpu.index) for gpu in placement.gpus)
