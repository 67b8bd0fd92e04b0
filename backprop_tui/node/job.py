"""A Slurm job on its node: claims the attempt, checks the node, starts the guardian, and stays until the end.

Its script waits for what is imported before the guardian is forked: the rest is loaded afterwards, by `_load_rest`.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, NoReturn, Self, TypeVar

from backprop_tui.domain.errors import BackpropError, BrokenRecord
from backprop_tui.domain.formatting import iso
from backprop_tui.domain.governor.disk_forecast import full_disk
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.lifecycle import begin_attempt
from backprop_tui.domain.requests import StopRequest
from backprop_tui.domain.run import SLURM, Ended, Gpu, Queued, Run
from backprop_tui.domain.slurm import JobReport, SlurmEnd, end_of, end_words, preemption_grace
from backprop_tui.domain.status import ACTIVE, Status
from backprop_tui.launchers.supervisor_process import SessionEnd, SupervisorProcess
from backprop_tui.processes.detached_log import note
from backprop_tui.processes.identity import Identity, identify, is_alive
from backprop_tui.processes.linux import become_subreaper, boot_id, die_with_parent, rename_process
from backprop_tui.runner.main import Assignment, become_guardian_and_exit, detach, load_guardian
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.files import free_disk_bytes
from backprop_tui.store.home import Home
from backprop_tui.store.locks import Lock, wait_for_lock
from backprop_tui.store.run_directory import RunDirectory

if TYPE_CHECKING:
    from backprop_tui.launchers.slurm import Slurm
    from backprop_tui.node.watch import NodeWatch

TURN_SECONDS = 30.0  # a network file system may show a record that late
LOCK_SECONDS = 60.0
SILENT_SECONDS = 20.0  # an earlier start of this job is gone when it wrote nothing this long; a supervisor waits longer
ACT_SECONDS = 15.0  # between two signs of a start that begins the attempt: those who wait for its silence wait longer
SUBMIT_SECONDS = 20.0  # in which the next attempt is submitted here, or left to a supervisor, which waits longer
TICK_SECONDS = 1.0
START_SECONDS = 0.2  # in which this process leaves the cores to the script and its guardian
END_SECONDS = 2.0  # to kill what is left of a script and to write its end
STATE_SECONDS = 5.0  # how long Slurm may take to say why it ends the job
ResultT = TypeVar("ResultT")
_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD)
_GPU_VARIABLES = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL")


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class JobEnvironment:
    """What Slurm tells a job; `gpus` are the indices of its GPUs as nvidia-smi shows them, where Slurm names them."""

    id: str
    node: str
    gpus: tuple[str, ...]
    variables: Mapping[str, str]  # for the script

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        gpus = environment.get("SLURM_JOB_GPUS") or environment.get("CUDA_VISIBLE_DEVICES") or ""
        return cls(
            id=environment["SLURM_JOB_ID"],
            node=environment.get("SLURMD_NODENAME") or os.uname().nodename,
            gpus=tuple(filter(None, (index.strip() for index in gpus.split(",")))),
            variables={
                name: value for name, value in environment.items() if name.startswith("SLURM") or name in _GPU_VARIABLES
            },
        )


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class NodeSupervisor(SupervisorProcess):
    """Stands in for the supervisor on a node: none is started there, since it would end with the job."""

    find_end: Callable[[], SlurmEnd | None]
    program: int  # the pid of the job's program, which passes signals on

    def is_alive(self) -> bool:
        return True

    def ensure(self) -> None:
        return

    @property
    def signals_scripts(self) -> bool:
        return True

    def session_end(self) -> SessionEnd:
        end = _answer_of(self.find_end) or (SlurmEnd.SIGNALED if os.getppid() == self.program else SlurmEnd.GONE)
        return SessionEnd(reason=end_words(end), cause=end.value)


class Job:
    """Carries one run from the start of its Slurm job to the written end."""

    def __init__(self, environment: JobEnvironment, root: str, run_id: str, config_path: str) -> None:
        self._environment = environment
        self._home = Home(root, environment.node)
        self._run_id = run_id
        self._config_path = config_path
        self._directory = RunDirectory(self._home.run_folder(run_id))
        self._watch: NodeWatch | None = None  # once GPUs have to be measured, or the script runs
        self._guardian: int | None = None
        self._keeper: int | None = None
        self._reap: Callable[[], None] = lambda: None  # orphans of a script whose guardian was killed
        self._act_by = 0.0  # monotonic; others may have given up this start later
        self._program = os.getpid()
        self._kill_at: float | None = None  # monotonic; when the script is killed, before Slurm kills this job

    def carry(self) -> int:
        """Runs the job; returns its exit code: 0 if the run completed, was timeboxed, or goes on in another job."""
        rename_process("backprop-job")
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        os.umask(0o077)
        try:
            if self._take_over():
                self._guard()
        finally:
            if self._watch is not None:
                self._watch.stop()
        return self._conclude()

    # The right to start the run

    def _take_over(self) -> bool:
        """Makes this job the one that carries the run; returns whether a guardian is running then."""
        end = time.monotonic() + TURN_SECONDS
        while True:
            run = self._read()
            job = run.submitted_job
            if job is None and run.status in ACTIVE:
                job = run.job  # begun by an earlier start of this job
            if job is not None and job.id == self._environment.id:
                return self._claim(job.number) and self._continue_earlier()
            if run.status is not Status.QUEUED or time.monotonic() > end:
                note(f"job {self._environment.id} has nothing to do: run {run.id} is {run.status}")
                return False
            time.sleep(0.2)

    def _claim(self, number: int) -> bool:
        """Claims the run for its job of this number; False if another job has it, or the one who cancelled this.

        Slurm may start a job again while it still runs, more than once: each start takes the right from the one
        before, when that is gone (awaits_earlier_start, takes_claim_over).
        """
        identity = identify(os.getpid())
        holder: JsonObject = {
            "by": "job",
            "job": self._environment.id,
            "node": self._environment.node,
            "boot_id": boot_id(),
            "pid": os.getpid(),
            "start_time": 0 if identity is None else identity.start_time,
            "time": iso(time.time()),
        }
        for start in count(1):
            if self._directory.claim(number, holder, start=start):
                break
            earlier = self._directory.claimed(number, start=start) or {}
            if earlier.get("job") != self._environment.id:
                note(f"job {self._environment.id} starts nothing: it was claimed by {earlier}")
                return False
            self._await_end_of(earlier)
        self._act_by = time.monotonic() + ACT_SECONDS
        return True

    def _await_end_of(self, holder: JsonObject) -> None:
        """Waits until another start of this job is gone: by its process here, by its silence on another node."""
        if holder.get("boot_id") == boot_id():
            while is_alive(Identity(int(str(holder["pid"])), int(str(holder["start_time"])))):
                time.sleep(TICK_SECONDS)
            return
        before, since = self._directory.signs(), time.monotonic()
        while time.monotonic() - since < SILENT_SECONDS:
            time.sleep(TICK_SECONDS)
            if (signs := self._directory.signs()) != before:
                before, since = signs, time.monotonic()

    def _continue_earlier(self) -> bool:
        """Begins the run, or continues what an earlier start of this job began; returns whether a guardian runs."""
        with self._lock() as lock:
            run = self._directory.read()
            if run.job is None or run.job.id != self._environment.id:
                return False
            if run.status not in (Status.STARTING, Status.RUNNING):
                return run.submitted_job is not None and self._start_locked(run, lock)
            from backprop_tui.engine.scheduler import recover

            recovered = recover(self._directory, run) if run.attempt.boot_id == boot_id() else self._record_loss(run)
            if recovered is None:
                return self._launch(lock, adopting=True)
            return isinstance(recovered.state, Queued) and self._start_locked(self._hand_over(recovered), lock)

    def _record_loss(self, run: Run) -> Run:
        from backprop_tui.engine.slurm_queue import record_job_loss

        return record_job_loss(self._directory, run, _answer_of(self._slurm_job))

    def _hand_over(self, run: Run) -> Run:
        """The queued run with this job as the one that carries its next attempt."""
        if run.job is not None:
            run = replace(run, job=replace(run.job, attempt=len(run.attempts) + 1))
            self._directory.write(run, durable=True)
        return run

    # The start

    def _start_locked(self, run: Run, lock: Lock) -> bool:
        """Starts the run, unless it was stopped meanwhile, its dependency failed, or the node is unfit for it."""
        if run.spec.after or self._directory.requests_after(run.requests_offset)[1] != run.requests_offset:
            from backprop_tui.engine.queued_runs import settle_waiting  # most runs start as they were submitted
            from backprop_tui.engine.unfinished_runs import UnfinishedRuns

            run = settle_waiting(self._directory, run, UnfinishedRuns(self._home, SLURM))
            if not isinstance(run.state, Queued):
                return False
        self._give_sign()
        gpus, problem = self._check_node(run)
        if problem is not None:
            self._refuse(run, problem)
            return False
        starting = replace(
            begin_attempt(run, now=time.time(), boot_id=boot_id(), gpus=gpus, variables=self._environment.variables),
            host=self._environment.node,
        )
        self._give_sign()
        self._directory.write(starting, durable=True)
        self._directory.append_event("admitted", self._place(), time=time.time())
        return self._launch(lock, adopting=False)

    def _check_node(self, run: Run) -> tuple[tuple[Gpu, ...], str | None]:
        """The run's GPUs, and why this node is unfit for it, or None. Without GPUs nothing has to be measured."""
        if self._environment.gpus:
            return self._node_watch().check(run, self._environment.gpus)
        lack = full_disk(free_disk_bytes(self._home.root), run.spec.limits.min_free_disk_bytes)
        return (), None if lack is None else lack.message

    def _node_watch(self) -> NodeWatch:
        if self._watch is None:
            from backprop_tui.node.watch import NodeWatch

            self._home.prepare()  # this node may be new to the store
            self._watch = NodeWatch(self._home, self._config_path)
        return self._watch

    def _give_sign(self) -> None:
        """Keeps those who wait for the silence of this start waiting, if that is not too late."""
        if time.monotonic() > self._act_by:
            raise SystemExit(f"job {self._environment.id} took too long to begin, and others may have given it up")
        os.utime(self._directory.claims)
        self._act_by = time.monotonic() + ACT_SECONDS

    def _place(self) -> str:
        gpus = f", GPU {', '.join(self._environment.gpus)}" if self._environment.gpus else ""
        return f"Slurm job {self._environment.id} on {self._environment.node}{gpus}"

    def _refuse(self, run: Run, problem: str) -> None:
        reason = f"refused on {self._environment.node}: {problem}"
        from backprop_tui.domain.causes.cause import build_cause
        from backprop_tui.engine.queued_runs import stop_queued

        advice = f"resume submits it again; --slurm-extra=--exclude={self._environment.node} avoids this node"
        cause = build_cause("node_unfit", summary=reason, evidence=problem, advice=advice, retryable=True)
        stop_queued(self._directory, run, reason, cause, Status.FAILED)

    def _launch(self, lock: Lock, *, adopting: bool) -> bool:
        """Forks the guardian, which inherits the run's lock.

        Slurm may find only what descends from this process, so its script stays below it without a guardian, too.
        """
        become_subreaper()
        pid = os.fork()
        if pid == 0:
            die_with_parent(signal.SIGTERM)  # the job ends with this process, and Slurm may not kill all of it
            detach()
            become_guardian_and_exit(self._assignment(lock, adopting=adopting))
        self._guardian = pid
        return True

    def _assignment(self, lock: Lock, *, adopting: bool) -> Assignment:
        return Assignment(
            folder=self._directory.path,
            lock_descriptor=lock.descriptor,
            adopting=adopting,
            supervisor=NodeSupervisor(
                home=self._home, config_path=self._config_path, find_end=self._find_end, program=self._program
            ),
        )

    def _fork_keeper(self) -> int:
        """Forks a process that ends the script if this one and the guardian are killed together.

        Slurm kills what it finds below this process: without cgroups it does not find the script of a dead guardian.
        """
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            rename_process("backprop-keep")
            die_with_parent(signal.SIGTERM)
            while os.getppid() == parent:
                signal.sigwait((signal.SIGTERM,))  # Slurm sends it too, when it ends the job
            self._end_abandoned_script()
        return pid

    def _end_abandoned_script(self) -> NoReturn:
        """Becomes the guardian of a script that has none, to end it."""
        from backprop_tui.engine.scheduler import recover

        try:
            while (lock := self._directory.try_lock()) is None:
                time.sleep(TICK_SECONDS)
            with lock:
                run = self._directory.read()
                if run.status in ACTIVE and recover(self._directory, run) is None:
                    os.kill(os.getpid(), signal.SIGTERM)
                    detach()
                    become_guardian_and_exit(self._assignment(lock, adopting=True))
        finally:
            os._exit(0)

    # While it runs

    def _guard(self) -> None:
        """Until the guardian has written the end; a guardian that was killed is replaced."""
        self._keeper, is_loaded = self._fork_keeper(), False
        while self._guardian is not None:
            received = signal.sigtimedwait(_SIGNALS, TICK_SECONDS if is_loaded else START_SECONDS)
            if received is not None and received.si_signo != signal.SIGCHLD:
                os.kill(self._guardian, signal.SIGTERM)  # whichever Slurm sends: sbatch --signal names one
                self._limit_stop()
            if self._kill_at is not None and time.monotonic() >= self._kill_at:
                self._kill_at = None
                self._directory.append_request(StopRequest(by="session", reason=end_words(SlurmEnd.GONE), kill=True))
            if os.waitpid(self._guardian, os.WNOHANG)[0]:
                self._guardian = None
                self._act_by = time.monotonic() + ACT_SECONDS
                if self._read().status in ACTIVE:
                    self._replace_guardian()
            else:
                if not is_loaded:
                    self._load_rest()
                    first, self._keeper, is_loaded = self._keeper, self._fork_keeper(), True
                    _end(first)
                self._node_watch().look(self._directory)
                self._reap()
        _end(self._keeper)

    def _load_rest(self) -> None:
        """Loads what may be needed while the script runs: an upgrade of the package changes the files meanwhile."""
        from backprop_tui.engine import scheduler, slurm_queue  # noqa: F401
        from backprop_tui.processes import hanging_call  # noqa: F401
        from backprop_tui.processes.tree import OrphanReaper

        for _ in load_guardian():
            continue
        self._reap = OrphanReaper(self._kept_children).reap

    def _kept_children(self) -> Sequence[int]:
        """The script, of which a guardian may still read the exit status, and those whose ends are awaited here."""
        script = self._directory.script_identity()
        own = [pid for pid in (self._guardian, self._keeper) if pid is not None]
        return own if script is None else [*own, script[1]]

    def _replace_guardian(self) -> None:
        """Starts another guardian: at once, or after a pause if several have failed, which a signal ends."""
        from backprop_tui.store.failures import failure_of

        failure = failure_of(self._home, self._run_id)
        end = time.monotonic() + (0.0 if failure is None else failure.seconds_left())
        while (seconds := end - time.monotonic()) > 0:
            self._give_sign()
            received = signal.sigtimedwait((signal.SIGTERM, signal.SIGUSR1), min(seconds, ACT_SECONDS / 3))
            if received is not None:
                os.kill(os.getpid(), received.si_signo)  # pending again: the new guardian gets it
                break
        self._continue_earlier()

    def _limit_stop(self) -> None:
        """Finds out when Slurm kills this job, if it is ending it: the run's end has to be on disk by then."""
        from backprop_tui.launchers.slurm import KILL_WAIT_SECONDS

        now = time.monotonic()
        report = None if self._kill_at is not None else _answer_of(self._slurm_job)
        if end_of(report) is not None:
            seconds = _answer_of(self._slurm().kill_seconds)
            seconds = KILL_WAIT_SECONDS if seconds is None else seconds
            self._kill_at = now + preemption_grace(report, time.time()) + max(0.0, seconds - END_SECONDS)

    def _find_end(self) -> SlurmEnd | None:
        """Why Slurm ends this job, or this start of it."""
        report = self._slurm_job()
        if report is not None and report.restarts > int(self._environment.variables.get("SLURM_RESTART_COUNT", 0)):
            return SlurmEnd.REQUEUED
        return end_of(report)

    def _slurm_job(self) -> JobReport | None:
        return self._slurm().job(self._environment.id)

    def _slurm(self) -> Slurm:
        from backprop_tui.launchers.slurm import Slurm

        try:
            captured = self._directory.read_environment()
        except BackpropError:
            captured = {}
        return Slurm(environment={**captured, **os.environ, "PATH": captured.get("PATH") or os.defpath})

    def _conclude(self) -> int:
        run = self._read()
        if isinstance(run.state, Queued):
            self._submit_next(run)
            return 0
        if isinstance(run.state, Ended) and run.status not in (Status.COMPLETED, Status.TIMEBOXED):
            return run.state.exit_code or 1
        return 0

    def _submit_next(self, run: Run) -> None:
        """Submits the job of the next attempt from here, where the site allows that; else a supervisor does.

        If a person has resumed the run, the command does (resume_forgets_job).
        """
        job = run.job
        if job is None or job.id != self._environment.id or job.attempt != len(run.attempts):
            return
        from backprop_tui.engine.slurm_queue import SlurmQueue
        from backprop_tui.launchers.slurm import is_installed

        if is_installed(self._slurm().environment):
            queue = SlurmQueue(home=Home(self._home.root, job.host), config_path=self._config_path)
            _answer_of(lambda: queue.submit(run.id), SUBMIT_SECONDS)

    def _lock(self) -> Lock:
        lock = wait_for_lock(self._directory.lock_path, seconds=LOCK_SECONDS)
        if lock is None:
            raise SystemExit(f"{self._directory.lock_path}: held by another process")
        return lock

    def _read(self) -> Run:
        try:
            return self._directory.read()
        except BrokenRecord as error:
            raise SystemExit(f"backprop-tui: {error}") from error


def _answer_of(ask: Callable[[], ResultT], seconds: float = STATE_SECONDS) -> ResultT | None:
    """What Slurm answers; None if it takes longer."""
    from backprop_tui.processes.hanging_call import call_within

    return call_within(seconds, ask)


def _end(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
