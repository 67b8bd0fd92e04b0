"""The scheduler: one pass recovers runs without a guardian, decides which queued runs start, and starts them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from typing import TYPE_CHECKING

from backprop_tui.domain.causes.cause import (
    cause_of_machine_restart,
    cause_of_recorded_stop,
    cause_of_unknown_end,
    cause_of_unmet_dependency,
)
from backprop_tui.domain.errors import StateUnavailable
from backprop_tui.domain.formatting import duration
from backprop_tui.domain.governor.admission import Decisions, Hold
from backprop_tui.domain.governor.placement import HeadOfQueue, head_of_queue, reserve
from backprop_tui.domain.governor.reasons import Check, HoldReason
from backprop_tui.domain.governor.snapshot import Candidate, MachineSnapshot, Placement
from backprop_tui.domain.invocation import start_variables
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.lifecycle import (
    Outcome,
    begin_attempt,
    finish_attempt,
    is_sliced,
    merge_live,
    requeue_unstarted,
)
from backprop_tui.domain.run import Cause, Queued, Run
from backprop_tui.domain.status import Status
from backprop_tui.engine.capacity import Capacity, snapshot_for
from backprop_tui.engine.gpu_environment import gpu_environment
from backprop_tui.engine.queued_runs import UnmetDependency, apply_requests, pending_dependencies, stop_queued
from backprop_tui.engine.unfinished_runs import UnfinishedRuns, try_lock_run
from backprop_tui.launchers.launcher import GuardianHandle, Launcher, LaunchRefused
from backprop_tui.processes.linux import boot_id, pid_namespace
from backprop_tui.processes.tree import run_marker, with_marker
from backprop_tui.store.failures import Failure
from backprop_tui.store.locks import Lock, try_lock
from backprop_tui.store.run_directory import RunDirectory

if TYPE_CHECKING:
    from backprop_tui.checkpoints.choice import Choice

CHECKPOINT_SECONDS = 5.0
LOCKLESS_SECONDS = 3.0  # a guardian whose lock was deleted makes it again within a second
QUICK_SECONDS = 1.0  # a guardian that is gone this soon without an end counts as a failure


def recover(directory: RunDirectory, run: Run, *, lock_was_gone: bool = False) -> Run | None:
    """Decides what to do about an active run without a guardian; returns its new record.

    The run is lost if the machine went down, and queued again if its script was never started. None means that the
    script was started and needs a guardian, which adopts it, or finds out how it ended and cleans up after it. The
    caller holds the run's lock; if that was deleted before, the script may have run without leaving its name.

    Raises:
        StorageFailed: the record could not be written; nothing else was done.
        StateUnavailable: the script lives where its pid cannot be seen, so only another supervisor can look after it.
    """
    if run.attempt.boot_id != boot_id():
        doing = "started" if run.status is Status.STARTING else "ran"
        return record_loss(directory, run, f"the machine went down while it {doing}", cause_of_machine_restart)
    lock = try_lock(directory.script_lock)
    if lock is None:
        if run.attempt.pid_namespace not in (None, pid_namespace()):
            problem = "its script lives in another container (PID namespace), where nobody guards it"
            directory.note_problem(problem)
            raise StateUnavailable(problem, "backprop-tui list, executed there, starts a supervisor")
        return None
    with lock:
        identity = directory.script_identity()
    if identity is not None and identity[0] == run.attempt.number:
        return None
    return _requeue_or_record_loss(directory, run, lock_was_gone=lock_was_gone)


def _requeue_or_record_loss(directory: RunDirectory, run: Run, *, lock_was_gone: bool) -> Run:
    if run.status is not Status.STARTING:
        reason = "script.lock does not name the script although it was running"
        return record_loss(directory, run, reason, cause_of_unknown_end)
    if lock_was_gone:
        reason = "its lock file was deleted while it started, so whether its script ran is not known"
        return record_loss(directory, run, reason, cause_of_unknown_end)
    reason = "its guardian died before the script was started"
    requeued = requeue_unstarted(run, now=time.time(), reason=reason)
    directory.write(requeued, durable=True)
    directory.append_event("queued", reason, time=time.time())
    return requeued


def record_loss(
    directory: RunDirectory,
    run: Run,
    reason: str,
    cause_of: Callable[[str], Cause],
    *,
    status: Status = Status.LOST,
    not_again: str | None = None,
) -> Run:
    """Records an end without a known exit status: with `status`, unless the stop of the run had begun.

    The run is queued again if it has retries left or a further slice, and the cause is an interruption; `not_again`
    says why that is left to a person.
    """
    live = directory.read_live()
    stopping = live.stopping if live is not None and live.attempt == run.attempt.number else None
    if stopping is None:
        outcome = Outcome(status=status, reason=reason, cause=cause_of(reason))
    else:
        is_final, cause = live is not None and live.is_final, cause_of_recorded_stop(stopping)
        outcome = Outcome(status=stopping.status, reason=stopping.reason, cause=cause, is_final=is_final)
    run = merge_live(run, live)
    choice = _choose_checkpoint(run)
    now = time.time()
    concluded = finish_attempt(run, outcome, now=now, resume_from=choice.path, advice=not_again or choice.advice())
    directory.write(concluded, durable=True)
    state, message = concluded.state, outcome.reason or outcome.status
    event = "attempt_ended" if isinstance(state, Queued) else "ended"
    directory.append_event(event, message, time=now, status=outcome.status)
    if isinstance(state, Queued):
        directory.append_event("queued", f"{state.reason or 'queued again'}{choice.message()}", time=now)
    else:
        directory.delete_environment(concluded)
    return concluded


def _choose_checkpoint(run: Run) -> Choice:
    """The checkpoint from which a lost run may continue."""
    # The first start of an idle machine does not wait for their patterns.
    from backprop_tui.checkpoints.choice import NO_CHOICE, choose, choose_without_disk
    from backprop_tui.processes.hanging_call import call_within

    # Its disk may not answer after a reboot.
    may_continue = run.spec.retries or is_sliced(run.spec)
    choice = call_within(CHECKPOINT_SECONDS, partial(choose, run.checkpoints)) if may_continue else NO_CHOICE
    return choice or choose_without_disk(run.checkpoints)


# A run that is held for one of these reasons holds every run behind it.
HOLDS_WHOLE_QUEUE = frozenset({Check.QUEUE_HELD, Check.STARTS})
# What lasts until another run ends.
HELD_BY_OTHERS = frozenset({Check.PARALLEL, Check.GPU_COUNT, Check.GPU_MEMORY})
# Only the first runs of the queue get their reasons worked out; those further back wait for these first.
EXPLAINED_RUNS = 100


@lazy_dataclass(slots=True)
class PassResult:
    snapshot: MachineSnapshot
    runs: list[Run] = field(default_factory=list)  # all unfinished runs; unchanged ones are the same objects as before
    guardians: dict[str, GuardianHandle] = field(default_factory=dict)  # launched in this pass
    unwatched: list[str] = field(default_factory=list)  # active, guarded by a guardian that was launched by another
    holds: dict[str, Hold] = field(default_factory=dict)
    queue_positions: Mapping[str, int] = field(default_factory=dict)


class Scheduler:
    """Owns the queue of one host while its process holds the lease."""

    def __init__(self, unfinished: UnfinishedRuns, capacity: Capacity, launcher: Launcher) -> None:
        self._unfinished = unfinished
        self._capacity = capacity
        self._launcher = launcher
        self._head: HeadOfQueue | None = None
        self._decisions = Decisions()
        self._repaired: str | None = None  # a run whose record its guardian is writing again
        self._launched: dict[str, float] = {}  # run id -> monotonic time of its newest guardian's start
        self._lockless: dict[str, float] = {}  # run id -> since when the lock of an active run is gone (monotonic)
        self._failures: dict[str, Failure] = {}  # of the guardians of unfinished runs
        self._backoffs: dict[str, tuple[Queued, float]] = {}  # run id -> the state that waits, until a monotonic time

    @property
    def has_others(self) -> bool:
        """Whether the last pass saw runs that another launcher starts."""
        return self._unfinished.has_others

    def run_pass(
        self,
        watched: Iterable[str],
        finishing: Collection[str] = (),
        *,
        explain: bool,
        look: bool = True,
        refresh: bool = True,
    ) -> PassResult:
        """Makes one pass over the queue; the guardians of the `watched` run ids are known to be alive.

        Nothing of the `finishing` ones is left but the guardians, which write how they ended.
        With `explain` it works out every reason of every held run, for display. Without `look` it reads nothing of the
        runs that waited before, and without `refresh` nothing at all: a run is read again before it starts.

        Raises:
            StorageFailed: for example, the disk is full; what was done before the error remains.
            LaunchFailed: the launcher is gone.
        """
        watched_ids = set(watched)
        if refresh:
            self._unfinished.refresh(watched_ids, waiting=look)
            self._forget_ended()
        for run in self._unfinished.queued() if refresh and look else ():
            with self._unfinished.skipping(run.id):
                self._handle_requests(run)
        guardians: dict[str, GuardianHandle] = {}
        guarded: list[str] = []
        for run in self._unfinished.active():
            if run.id not in watched_ids:
                with self._unfinished.skipping(run.id):
                    if not self._recover(run, guardians):
                        guarded.append(run.id)
        snapshot = self._capacity.snapshot(self._occupying(finishing))
        result = PassResult(snapshot=snapshot, guardians=guardians, unwatched=guarded)
        self._admit(result, explain=explain)
        if refresh:
            self._expect_next(result)
        result.runs = self._unfinished.runs()
        return result

    def _forget_ended(self) -> None:
        """Forgets what is kept of runs that are gone, such as one that was stopped while it waited."""
        if self._backoffs or self._failures:
            unfinished = {run.id for run in self._unfinished.runs()}
            self._backoffs = {run_id: known for run_id, known in self._backoffs.items() if run_id in unfinished}
            for run_id in self._failures.keys() - unfinished:
                del self._failures[run_id]
                self._unfinished.forget_failures(run_id)

    def _expect_next(self, result: PassResult) -> None:
        """Has a guardian load the first run that waits for nothing but the end of another one.

        A checkpoint to resume from is looked at when the run starts.
        """
        for run_id, hold in result.holds.items():
            run = self._unfinished.find(run_id) if {reason.check for reason in hold.reasons} <= HELD_BY_OTHERS else None
            if run is not None and isinstance(run.state, Queued) and run.state.resume_from is None:
                self._launcher.expect(self._unfinished.directory(run.id), self._unfinished.signature(run.id))
                return

    def _occupying(self, finishing: Collection[str]) -> Sequence[Run]:
        """The active runs that have a slot: finishing ones have none, unless their end decides which run is next."""
        active = self._unfinished.active()
        if not finishing:
            return active
        awaited = {dependency.run for run in self._unfinished.queued() for dependency in run.spec.after}
        return [
            run
            for run in active
            if run.id not in finishing or run.id in awaited or run.spec.retries or is_sliced(run.spec)
        ]

    def _recover(self, run: Run, guardians: dict[str, GuardianHandle]) -> bool:
        """Takes care of an active run, adding a guardian if it needs one; False if another process guards it."""
        directory = self._unfinished.directory(run.id)
        lock_was_gone = not os.path.lexists(directory.lock_path)
        if not lock_was_gone:
            self._lockless.pop(run.id, None)
        elif self._may_be_guarded(directory, run):
            return False
        lock = try_lock_run(directory)
        if lock is None:
            return False
        with lock:
            run = directory.read()
            if run.status not in (Status.STARTING, Status.RUNNING):
                self._unfinished.put(run)
                return True
            is_failing = self._is_failing(run.id)
            recovered = recover(directory, self._unfinished.take_over(run), lock_was_gone=lock_was_gone)
            if recovered is not None:
                self._unfinished.put(recovered)
            elif not is_failing:
                self._launch(directory, lock, guardians, adopting=True)
        return True

    def _may_be_guarded(self, directory: RunDirectory, run: Run) -> bool:
        """Whether a process of the run may live although its lock was deleted: it must not be started beside it."""
        since = self._lockless.setdefault(run.id, time.monotonic())
        if time.monotonic() - since < LOCKLESS_SECONDS:
            return True
        return run.attempt.boot_id == boot_id() and bool(with_marker(run_marker(directory.path)))

    def _launch(
        self,
        directory: RunDirectory,
        lock: Lock,
        guardians: dict[str, GuardianHandle],
        *,
        adopting: bool,
        expected: int | None = None,
    ) -> None:
        """Launches a guardian and adds it; one that cannot be started has failed."""
        run_id, now = os.path.basename(directory.path), time.monotonic()
        self._launched = {other: at for other, at in self._launched.items() if now - at < QUICK_SECONDS} | {run_id: now}
        try:
            guardians[run_id] = self._launcher.launch(directory.path, lock, adopting=adopting, expected=expected)
        except LaunchRefused as error:
            del self._launched[run_id]
            self._failures[run_id] = self._unfinished.note_failure(run_id, str(error), self._failures.get(run_id))

    def _is_failing(self, run_id: str) -> bool:
        """Whether the next guardian of an active run, which has none, must wait because several have failed."""
        launched_at = self._launched.pop(run_id, -QUICK_SECONDS)
        known = self._failures.pop(run_id, None)
        failure = self._unfinished.failure_of(run_id) or known
        is_noted = failure is not None and failure.mark > launched_at
        if is_noted and failure is not None and known is not None and known.mark < failure.mark and not known.is_over:
            # The guardian may have been unable to read how often others failed before it.
            failure = replace(failure, count=max(failure.count, known.count + 1))
        if not is_noted and time.monotonic() - launched_at < QUICK_SECONDS:
            failure = self._unfinished.note_failure(run_id, "it was killed as soon as it was started", failure)
        if failure is None or failure.is_over:
            return False
        self._failures[run_id] = failure
        return failure.seconds_left() > 0

    def _admit(self, result: PassResult, *, explain: bool) -> None:
        now = time.time()
        queue = self._unfinished.queued()
        self._repaired = self._unfinished.being_repaired() if queue else None
        result.queue_positions = self._unfinished.by_state().positions
        self._reserve(queue, result)
        machine_is_full = queue_is_held = False
        for position, run in enumerate(queue, start=1):
            if position > EXPLAINED_RUNS and (machine_is_full or queue_is_held or not explain):
                return
            if machine_is_full and not explain and run.spec.limits.max_parallel is None:
                continue
            hold: Hold | None = None
            with self._unfinished.skipping(run.id) as problems:
                hold = self._start_or_hold(run, result, now)
            if problems:
                reason = HoldReason(check=Check.RECORD, message=f"cannot be started: {problems[0]}")
                hold = Hold(reasons=(reason,))
            if hold is None:
                continue
            result.holds[run.id] = hold
            checks = {reason.check for reason in hold.reasons}
            queue_is_held = queue_is_held or bool(checks & HOLDS_WHOLE_QUEUE)
            if queue_is_held and not explain:
                return
            machine_is_full = machine_is_full or (Check.PARALLEL in checks and run.spec.limits.max_parallel is None)

    def _reserve(self, queue: Sequence[Run], result: PassResult) -> None:
        """Reserves GPUs for the first run that has waited long for several, so that small runs do not starve it."""
        if not result.snapshot.readings.gpus:
            self._head = None
            return
        candidates = []
        for run in queue[:EXPLAINED_RUNS]:
            with self._unfinished.skipping(run.id):
                dependencies = pending_dependencies(run, self._unfinished)
                if not isinstance(dependencies, UnmetDependency):
                    candidates.append(self._capacity.candidate(run, dependencies))
        self._head = head_of_queue(self._head, candidates, result.snapshot)
        result.snapshot = replace(result.snapshot, reservation=reserve(self._head, candidates, result.snapshot))

    def _start_or_hold(self, run: Run, result: PassResult, now: float) -> Hold | None:
        """Starts the run, or ends it if it can never start; otherwise returns why it is held."""
        dependencies = pending_dependencies(run, self._unfinished)
        if isinstance(dependencies, UnmetDependency):
            self._end_unstarted(run, dependencies.reason)
            return None
        candidate = self._capacity.candidate(run, dependencies)
        decision = self._decisions.decide(candidate, snapshot_for(run, result.snapshot, self._capacity.probe))
        pause = (*self._backoff(run, now), *self._hold_of_failing(run.id), *self._hold_of_repair())
        if isinstance(decision, Hold) or pause:
            return Hold(reasons=(*pause, *(decision.reasons if isinstance(decision, Hold) else ())))
        self._start(run, candidate, decision.placement, result)
        return None

    def _backoff(self, run: Run, now: float) -> tuple[HoldReason, ...]:
        """Why a retry waits. The wall clock may be set meanwhile, so it is asked once."""
        state = run.state
        if not isinstance(state, Queued) or state.not_before is None:
            return ()
        known, until = self._backoffs.get(run.id, (None, 0.0))
        if known != state:
            until = time.monotonic() + state.not_before - max(now, state.since)
            self._backoffs[run.id] = state, until
        seconds = until - time.monotonic()
        if seconds <= 0:
            return ()
        message = f"{state.reason or 'again'} in {duration(seconds)}"
        return (HoldReason(check=Check.STARTS, figure=round(seconds, 1), limit=0, message=message),)

    def _hold_of_failing(self, run_id: str) -> tuple[HoldReason, ...]:
        """Why a run waits whose guardians failed before they started the script."""
        failure = self._failures.get(run_id)
        if failure is None or failure.seconds_left() <= 0:
            return ()
        seconds = round(failure.seconds_left(), 1)
        return (HoldReason(check=Check.STARTS, figure=seconds, limit=0, message=f"its guardian {failure}"),)

    def _hold_of_repair(self) -> tuple[HoldReason, ...]:
        """Why all runs wait for a moment after the start of a supervisor that cannot read which GPUs are in use."""
        if self._repaired is None:
            return ()
        message = f"the record of {self._repaired} is damaged, its guardian is writing it again"
        return (HoldReason(check=Check.RECORD, message=message),)

    def _start(self, run: Run, candidate: Candidate, placement: Placement, result: PassResult) -> None:
        directory = self._unfinished.directory(run.id)
        lock = try_lock_run(directory)
        if lock is None:
            return  # a front end is editing it at this moment
        with lock:
            # The run may have been edited, stopped or started since it was read.
            run = apply_requests(directory, self._unfinished.current(run.id))
            if not isinstance(run.state, Queued):
                self._unfinished.put(run)
                return
            starting = begin_attempt(
                run,
                now=time.time(),
                boot_id=boot_id(),
                pid_namespace=pid_namespace(),
                gpus=placement.gpus or (),
                vram_claim_bytes=placement.claim_bytes,
                variables=gpu_environment(run.spec, placement, result.snapshot.readings),
            )
            with self._launcher.take_expected(directory, self._unfinished.signature(run.id)) as expected:
                directory.write(starting, durable=True)
                expected.go(start_variables(starting))
            directory.append_event("admitted", _admission_message(placement), time=time.time())
            self._unfinished.put(starting)
            self._launch(directory, lock, result.guardians, adopting=False, expected=expected.number)
            started = result.snapshot.with_started(candidate, placement)
            result.snapshot = self._capacity.record_start(starting, started)
            self._backoffs.pop(run.id, None)

    def _handle_requests(self, run: Run) -> None:
        """Handles the requests to a queued run, of which there are nearly always none."""
        directory = self._unfinished.directory(run.id)
        lock = try_lock_run(directory) if directory.requests_after(run.requests_offset)[0] else None
        if lock is None:
            return
        with lock:
            run = directory.read()
            self._unfinished.put(apply_requests(directory, run) if isinstance(run.state, Queued) else run)

    def _end_unstarted(self, run: Run, reason: str) -> None:
        directory = self._unfinished.directory(run.id)
        lock = try_lock_run(directory)
        if lock is None:
            return
        with lock:
            run = directory.read()
            if isinstance(run.state, Queued):
                run = stop_queued(directory, run, reason, cause_of_unmet_dependency(reason))
            self._unfinished.put(run)


def _admission_message(placement: Placement) -> str:
    if placement.gpus is None:
        return "admitted"
    if not placement.gpus:
        return "admitted without a GPU"
    return "admitted on GPU " + ", ".join(str(gpu.index) for gpu in placement.gpus)
