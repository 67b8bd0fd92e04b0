"""The runs that Slurm starts: submits their jobs, reads what Slurm says about them, and records what it ended.

A run's record passes from hand to hand. While the run waits unsubmitted, the holder of its lock writes it, as for a
local run. The job is submitted held; it is released when its id is in the record. From then on only the process that
has the claim of the attempt (`RunDirectory.claim`) writes the record: the job on its node, which then starts the
script, or a command or supervisor that cancels it before.

`tests/model/slurm` searches this protocol; the names of its rules are given where they are followed.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import field, replace

from backprop_tui.domain.causes.cause import (
    build_cause,
    cause_of_stop,
    cause_of_unmet_dependency,
)
from backprop_tui.domain.errors import BackpropError, SlurmRefused, SlurmUnavailable
from backprop_tui.domain.formatting import iso
from backprop_tui.domain.governor.reasons import Check, HoldReason
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.lifecycle import is_sliced
from backprop_tui.domain.requests import STOPPED_BY_YOU, StopRequest
from backprop_tui.domain.run import SLURM, Cause, Queued, Run
from backprop_tui.domain.run_changes import sort_queue
from backprop_tui.domain.slurm import JobReport, SlurmEnd, SlurmJob, end_of, end_words
from backprop_tui.domain.slurm_extra import gives_dependency
from backprop_tui.domain.slurm_reasons import expected_start, waiting_words
from backprop_tui.domain.status import ACTIVE, Status
from backprop_tui.engine.queued_runs import UnmetDependency, apply_requests, pending_dependencies, stop_queued
from backprop_tui.engine.slurm_clusters import Clusters
from backprop_tui.engine.unfinished_runs import UnfinishedRuns, try_lock_run
from backprop_tui.launchers.slurm import Slurm, next_job, release_recorded, slurm_of, submit_next_job
from backprop_tui.presentation.durations import clock_of_day
from backprop_tui.processes.detached_log import note
from backprop_tui.processes.identity import Identity, is_alive
from backprop_tui.processes.linux import boot_id
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.files import dump, read_bytes
from backprop_tui.store.home import Home
from backprop_tui.store.hosts import SILENT_SECONDS as HOST_SILENT_SECONDS
from backprop_tui.store.hosts import needs_supervisor
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.watched_file import Signature

LOOK_SECONDS = 30.0  # runs whose jobs wait as before are looked at this often, for requests of other machines
SUBMISSIONS = 50  # in one pass, so that a sweep of thousands keeps nothing else waiting
LATE_SECONDS = 10.0  # after the end of a job, until a network file system shows what its guardian wrote last
SILENT_SECONDS = 30.0  # a node that Slurm has lost may live: a guardian writes every 10 s, other steps are quicker
STOPPED_UNSTARTED = f"{STOPPED_BY_YOU} before it started"
LOG_BYTES = 2000  # of the job's own log, shown when it ended before it began the run


@lazy_dataclass(slots=True)
class Silence:
    """What was written last for a run whose job is not in the queue, and since when nothing has changed (monotonic).

    Guardians write, and so does every process that begins, submits or ends a run.
    """

    signs: list[Signature | None]
    since: float
    report: JobReport | None = None  # the last one on its job: Slurm forgets it after some minutes
    asked_at: float | None = None  # the answer of squeue after which it was asked for

    @property
    def is_program_dead(self) -> bool:
        """Whether Slurm saw the end of the job's program; it has not if it forgot the job, or lost the node."""
        report = self.report
        return not _lives(report) and report is not None and end_of(report) is not SlurmEnd.NODE_FAILED

    @property
    def is_long(self) -> bool:
        """Whether nobody who writes for the run can be alive, unless its job is: nothing changed for long enough."""
        return time.monotonic() - self.since >= (LATE_SECONDS if self.is_program_dead else SILENT_SECONDS)

    @property
    def is_complete(self) -> bool:
        """Whether that is so, and its job is over."""
        return self.is_long and not _lives(self.report)


@lazy_dataclass(slots=True)
class SlurmQueue:
    """Looks after all Slurm runs of this host; `holds` are the reasons why runs wait, by run id."""

    home: Home
    config_path: str
    holds: dict[str, tuple[HoldReason, ...]] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)  # all marked ones, as of the last pass
    is_needed: bool = True  # whether a process has to go on for them, as of the last pass
    has_unsubmitted: bool = False  # the same, whether a run still has to be submitted
    _unfinished: UnfinishedRuns | None = None
    _known_clusters: Clusters | None = None
    _silences: dict[str, Silence] = field(default_factory=dict)
    _looked_at: float = -LOOK_SECONDS
    _is_settled: bool = False  # whether all that wait are in Slurm's queue, as of the last look

    @property
    def unfinished(self) -> UnfinishedRuns:
        if self._unfinished is None:
            self._unfinished = UnfinishedRuns(self.home, SLURM)
        return self._unfinished

    @property
    def clusters(self) -> Clusters:
        if self._known_clusters is None:
            self._known_clusters = Clusters(self.home)
        return self._known_clusters

    def run_pass(self, *, look: bool = False) -> None:
        """Takes one step for every run. An error of Slurm or of one run delays only what it concerns.

        Runs that wait in Slurm's queue as before are left out for half a minute, unless somebody rang (`look`).
        """
        now = time.monotonic()
        look = look or not self._is_settled or now - self._looked_at >= LOOK_SECONDS
        self.unfinished.refresh(waiting=look)
        if (runs := self.unfinished.runs()) and self.clusters.poll(runs, now) and not look:
            look = True
            self.unfinished.refresh()
        runs = self.unfinished.runs()
        if look or runs is not self.runs:
            self._looked_at = now
            self._advance(runs)
        for run in runs:
            if run.status in (Status.STARTING, Status.RUNNING):
                with self.unfinished.skipping(run.id), suppress(SlurmUnavailable):
                    self._check_active(run)
        before, self.runs = self.runs, self.unfinished.runs()
        if look or self.runs is not before:
            waiting = {run.id: run for run in self.runs if run.status is Status.QUEUED}
            self.holds = {run_id: reasons for run_id, reasons in self.holds.items() if run_id in waiting}
            self.has_unsubmitted = any(run.submitted_job is None for run in waiting.values())
            self._is_settled = all(map(self._waits_in_slurm, waiting.values()))
        self.is_needed = any(map(self._needs_process, self.runs))

    def _waits_in_slurm(self, run: Run) -> bool:
        report = self.clusters.of(run).report_of(run)
        return run.submitted_job is not None and report is not None and report.state == "PENDING"

    def _needs_process(self, run: Run) -> bool:
        """Whether it waits, may have to be submitted again, is not in the index yet, or may be lost.

        A job that runs needs nobody: its guardian writes its end, and the next command adds it to the index. Commands
        that follow it start a supervisor by the same rule, so none is started again and again.
        """
        return needs_supervisor(self.home, run) or not self._is_alive(run)

    def _advance(self, runs: list[Run]) -> None:
        is_held, submissions = os.path.exists(self.home.queue_held), 0
        for run in sort_queue(run for run in runs if run.status is Status.QUEUED):
            with self.unfinished.skipping(run.id), suppress(SlurmUnavailable):
                if run.submitted_job is not None:
                    self._check_submitted(run, run.submitted_job)
                elif self._may_last_job_submit(run):
                    self._hold(run, Check.SLURM, "Slurm: its last job is ending")
                elif is_held or not self.clusters.of(run).answers:
                    self._keep_waiting(run, is_held=is_held)
                elif submissions < SUBMISSIONS:
                    submissions += self._submit_if_ready(run)

    def submit(self, run_id: str) -> None:
        """Submits one waiting run now, for its last job, which ends with another attempt to come.

        If a job may have been submitted that is not on record, that is left to a supervisor.
        """
        self._submit_if_ready(self.unfinished.directory(run_id).read())

    # Waiting, not submitted

    def _may_last_job_submit(self, run: Run) -> bool:
        """Whether the job of the last attempt may live, and submit the next one itself (awaits_job_before_next)."""
        cluster = self.clusters.of(run)
        if cluster.answers and cluster.report_of(run) is not None:
            return True
        if run.last_end is None or time.time() - run.last_end > HOST_SILENT_SECONDS:
            return False
        silence = self._silence_of(run)
        return not (silence.is_program_dead or silence.is_long)

    def _keep_waiting(self, run: Run, *, is_held: bool) -> None:
        """Only follows requests of those who may not write the run's record, since it cannot be submitted now."""
        if is_held:
            self._hold(run, Check.QUEUE_HELD, "queue held by you, nothing new is submitted")
        else:
            self._hold(run, Check.SLURM, "Slurm does not answer")
        directory = self.unfinished.directory(run.id)
        lock = try_lock_run(directory) if directory.requests_after(run.requests_offset)[0] else None
        if lock is None:
            return
        with lock:
            run = directory.read()
            if isinstance(run.state, Queued) and run.submitted_job is None and self._has_no_job(directory, run):
                run = apply_requests(directory, run)
            self.unfinished.put(run)

    def _has_no_job(self, directory: RunDirectory, run: Run) -> bool:
        """Cancels the job of a process that was killed before it could record it (cancels_unrecorded_job).

        False while nobody knows whether there is one. The caller holds the run's lock.
        """
        if not directory.is_job_announced(run.next_job_number):
            return True
        cluster = self.clusters.of(run)
        if cluster.answered_at is None or cluster.answered_at - self._silence_of(run).since < LATE_SECONDS:
            self._hold(run, Check.SLURM, "Slurm: its job may have been submitted already")
            return False
        unrecorded = cluster.find_unrecorded(run)
        if unrecorded is not None and unrecorded.is_held:
            cluster.slurm.cancel(run.id, next_job(run, self.home.host, unrecorded.id))
        return unrecorded is None or unrecorded.is_held  # otherwise it is on record, which is seen late here

    def _submit_if_ready(self, run: Run) -> bool:
        """Submits the run unless it waits for something here; returns whether sbatch was called."""
        directory = self.unfinished.directory(run.id)
        lock = try_lock_run(directory)
        if lock is None:
            return False
        with lock:
            run = directory.read()
            self.unfinished.put(run)
            if not isinstance(run.state, Queued) or run.submitted_job is not None:
                return False
            if not self._has_no_job(directory, run):
                return False
            run = apply_requests(directory, run)
            self.unfinished.put(run)
            if not isinstance(run.state, Queued):
                return False
            awaited = pending_dependencies(run, self.unfinished)
            if isinstance(awaited, UnmetDependency):
                self._end(directory, run, awaited.reason, cause_of_unmet_dependency(awaited.reason))
                return False
            after = self._job_dependencies(run)
            if len(after) < len(awaited):
                self.holds[run.id] = tuple(
                    HoldReason(check=Check.DEPENDENCY, figure=other.status, message=f"after {other.name}")
                    for other in awaited
                )
                return False
            return self._submit(directory, run, after)

    def _job_dependencies(self, run: Run) -> list[str]:
        """What Slurm can wait for itself: jobs of its cluster that are the only ones of their runs.

        It knows nothing of attempts, and takes one dependency: that of the run, where its options have one.
        """
        after: list[str] = []
        if not run.spec.after or gives_dependency(run.spec.slurm.extra):
            return after
        for dependency in run.spec.after:
            other = self.unfinished.find(dependency.run)
            # The job of a run that was resumed, and is not submitted again yet, has ended.
            job = None if other is None else other.submitted_job or (other.job if other.status in ACTIVE else None)
            if other is None or job is None or job.id is None or other.spec.retries or is_sliced(other.spec):
                continue
            if self.clusters.of(other) is self.clusters.of(run):
                after.append(f"{'afterany' if dependency.any_end else 'afterok'}:{job.id}")
        return after

    def _submit(self, directory: RunDirectory, run: Run, after: list[str]) -> bool:
        """Submits the job, records its id, then lets it start; killed in between, the next pass continues there."""
        try:
            self.unfinished.put(submit_next_job(directory, run, self.home, self.config_path, after=after))
        except SlurmRefused as error:
            self.unfinished.put(record_refusal(directory, run, error))
            self.holds.pop(run.id, None)
            return True
        except SlurmUnavailable as error:
            self.clusters.of(run).answered_at = None  # the job may exist nevertheless: the next answer says so
            self.unfinished.put(directory.read())
            self._hold(run, Check.SLURM, str(error))
            return True
        self._hold(run, Check.SLURM, "Slurm: submitted")
        return True

    # Waiting for Slurm

    def _check_submitted(self, run: Run, job: SlurmJob) -> None:
        directory, cluster = self.unfinished.directory(run.id), self.clusters.of(run)
        report = cluster.report_of(run)
        if report is not None and report.is_held and not self._was_released(run, report.id):
            release_recorded(cluster.slurm, directory, job)  # first: it sees a claim whose holder was killed, and ends
        if any(isinstance(request, StopRequest) for request in directory.requests_after(run.requests_offset)[0]):
            self._end_submitted(run, job, STOPPED_UNSTARTED, None)
            return
        if report is not None:
            self._report(run, job, report)
        elif cluster.answers and time.time() - job.submitted_at > time.monotonic() - (cluster.answered_at or 0.0):
            self._explain_vanished(run, job, directory)

    def _report(self, run: Run, job: SlurmJob, report: JobReport) -> None:
        unmet = pending_dependencies(run, self.unfinished)
        if isinstance(unmet, UnmetDependency):
            self._end_submitted(run, job, unmet.reason, "dependency")
            return
        self.holds[run.id] = (_waiting_reason(report, time.time()),)

    def _was_released(self, run: Run, job_id: str) -> bool:
        """Whether the event that follows the release was recorded: a user may hold a job of ours afterwards."""
        return dump({"job": job_id})[1:-1] in (read_bytes(self.unfinished.directory(run.id).events_path) or b"")

    def _explain_vanished(self, run: Run, job: SlurmJob, directory: RunDirectory) -> None:
        """Ends a run whose job left the queue without starting it."""
        silence = self._silence_of(run)
        report = silence.report
        if _lives(report):
            return
        if directory.claimed(job.number) is not None and not silence.is_complete:
            return  # the job begins it at this moment, or somebody ends it (awaits_silence_of_holder)
        if (directory.claimed(job.number) or {}).get("by") == "client":  # which was killed before it could end the run
            self._end_submitted(run, job, STOPPED_UNSTARTED, None, is_over=True)
            return
        end = end_of(report)
        if end is not None:
            self._end_submitted(run, job, f"{end_words(end)} before it started", end, is_over=True)
            return
        tail = (read_bytes(f"{directory.path}/slurm-{job.number}.log") or b"")[-LOG_BYTES:].decode(errors="replace")
        last = next((line for line in reversed(tail.splitlines()) if line.strip()), "nothing in its log")
        reason = f"Slurm job {job.id} ended before it began the run: {last}"
        self._end_submitted(run, job, reason, None, Status.FAILED, is_over=True)

    def _end_submitted(
        self,
        run: Run,
        job: SlurmJob,
        reason: str,
        kind: str | None,
        status: Status = Status.STOPPED,
        *,
        is_over: bool = False,
    ) -> None:
        """Ends a run whose job has not begun it, unless the job is faster; then the guardian decides.

        If the job `is_over`, another holder of the claim was killed before it used it (settles_claims_of_the_dead).
        """
        directory = self.unfinished.directory(run.id)
        holder: JsonObject = {"by": "supervisor", "host": self.home.host, "time": iso(time.time())}
        lock = try_lock_run(directory)
        if lock is None:
            return  # a command submits it; an unused claim would keep others from ending the run
        with lock:
            if not directory.claim(job.number, holder) and not is_over:
                return
            run = directory.read()
            if run.submitted_job != job:
                self.unfinished.put(run)
                return
            _cancel(self.clusters.of(run).slurm, run, job)
            by = "person" if kind is None and status is Status.STOPPED else "slurm"
            cause = cause_of_stop(by=by, reason=reason, kind=kind)
            self._end(directory, run, reason, cause, status)

    # Active

    def _check_active(self, run: Run) -> None:
        """Records the end of a run whose job is over and whose guardian wrote nothing more (awaits_silence)."""
        if self._is_alive(run) or not self.clusters.of(run).answers:
            self._silences.pop(run.id, None)
            return
        silence = self._silence_of(run)
        directory = self.unfinished.directory(run.id)
        lock = try_lock_run(directory) if silence.is_complete else None
        if lock is None:
            return
        with lock:
            run = directory.read()
            if run.status in (Status.STARTING, Status.RUNNING) and not _kill_script_here(directory, run):
                run = record_job_loss(directory, run, silence.report)
            self.unfinished.put(run)

    def _is_alive(self, run: Run) -> bool:
        return _lives(self.clusters.of(run).report_of(run))

    def _silence_of(self, run: Run) -> Silence:
        """How long nothing was written for a run, and what Slurm said last about its job. Raises: SlurmUnavailable."""
        signs, job = self.unfinished.directory(run.id).signs(), run.job
        silence, cluster = self._silences.get(run.id), self.clusters.of(run)
        if silence is None or silence.signs != signs:
            report = None if silence is None else silence.report
            is_current = report is not None and job is not None and report.carries(run.id, job.number)
            silence = self._silences[run.id] = Silence(signs, time.monotonic(), report if is_current else None)
        is_over = silence.report is not None and silence.report.is_over
        if job is not None and not is_over and cluster.answers and silence.asked_at != cluster.answered_at:
            silence.report = cluster.slurm.job_of(run.id, job) or silence.report
            silence.asked_at = cluster.answered_at
        return silence

    def _hold(self, run: Run, check: Check, message: str) -> None:
        self.holds[run.id] = (HoldReason(check=check, message=message),)

    def _end(
        self, directory: RunDirectory, run: Run, reason: str, cause: Cause, status: Status = Status.STOPPED
    ) -> None:
        self.unfinished.put(stop_queued(directory, run, reason, cause, status))
        self.holds.pop(run.id, None)


_STATUS_AFTER = {
    SlurmEnd.NODE_FAILED: Status.LOST,
    SlurmEnd.GONE: Status.LOST,
    SlurmEnd.OUT_OF_MEMORY: Status.FAILED,
}


def record_refusal(directory: RunDirectory, run: Run, error: SlurmRefused) -> Run:
    """Records that Slurm refused the job of a run that waits; the caller may write."""
    advice = "change what it asks for with resume --slurm-..."
    cause = build_cause("slurm_refused", summary=str(error), evidence=str(error), advice=advice)
    return stop_queued(directory, run, error.message, cause, Status.FAILED)


def record_job_loss(directory: RunDirectory, run: Run, report: JobReport | None) -> Run:
    """Records that an attempt ended with its job, whose guardian could not write an end; the caller may write."""
    from backprop_tui.engine.scheduler import record_loss  # not needed to submit a run, which has to be quick

    end = end_of(report) or SlurmEnd.GONE
    doubt = _doubt(directory, run, end)
    return record_loss(
        directory,
        run,
        end_words(end) + (", and its guardian wrote no end" if end is SlurmEnd.GONE else "") + doubt,
        lambda reason: _cause_of_loss(reason, end, looks_on=run.host if doubt else None),
        status=_STATUS_AFTER.get(end, Status.STOPPED),
        # Of a failed node that is left to Slurm, which puts it out of use.
        not_again="its script may still run" if doubt and end is SlurmEnd.GONE else None,
    )


def _cause_of_loss(reason: str, end: SlurmEnd, *, looks_on: str | None) -> Cause:
    cause = cause_of_stop(by="slurm", reason=reason, kind=end)
    if looks_on is None:
        return cause
    return replace(cause, advice=f"look whether its script still runs on {looks_on}; if not, resume continues it")


def _kill_script_here(directory: RunDirectory, run: Run) -> bool:
    """Kills a script that its job has left without a guardian; False if none lives on this machine.

    Until it is gone the run is not lost.
    """
    script = directory.script_identity()
    if run.attempt.boot_id != boot_id() or script is None or script[0] != run.attempt.number:
        return False
    if not is_alive(Identity(script[1], script[2])):
        return False
    with suppress(ProcessLookupError):
        os.killpg(script[1], signal.SIGKILL)
    return True


def _doubt(directory: RunDirectory, run: Run, end: SlurmEnd) -> str:
    """What is not known about the script on its node (says_what_is_not_known).

    With cgroups a node kills what a job's program leaves, even if its guardian was killed. A job that Slurm ends while
    its program lives leaves nothing: the script is below that.
    """
    if run.attempt.boot_id == boot_id() or end not in (SlurmEnd.GONE, SlurmEnd.NODE_FAILED):
        return ""
    because = "Slurm does not reach it"
    if end is SlurmEnd.GONE:
        tracking = ""
        with suppress(BackpropError):
            tracking = slurm_of(directory).setting("ProctrackType")
        if tracking.endswith("cgroup"):
            return ""
        because = f"{tracking or 'Slurm'} may have left it"
    return f"; whether its script still runs on {run.host} is not known ({because})"


def _lives(report: JobReport | None) -> bool:
    """Whether the job of an active run may still write: it runs, is ending, or Slurm is about to start it again."""
    return report is not None and (not report.is_over or report.state == "COMPLETING")


def _waiting_reason(report: JobReport, now: float) -> HoldReason:
    """Why Slurm lets a job wait, with its own name for it, and when it expects to start the job."""
    start, words = expected_start(report, now), waiting_words(report)
    words += "" if start is None else f"; starts about {clock_of_day(start, now)}"
    return HoldReason(check=Check.SLURM, figure=report.reason, limit=iso(start), message=words)


def _cancel(slurm: Slurm, run: Run, job: SlurmJob) -> None:
    """Removes a job that has nothing to do any more; if that fails it starts, sees that, and ends."""
    try:
        slurm.cancel(run.id, job)
    except BackpropError as error:
        note(str(error))
