"""One run: what was requested, its state and its attempts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from enum import StrEnum

from backprop_tui.domain.goals import Goal
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import RunLimits
from backprop_tui.domain.objective import Objective
from backprop_tui.domain.resume_verdict import ResumeCheck
from backprop_tui.domain.run_names import spelled
from backprop_tui.domain.secrets import is_secret
from backprop_tui.domain.shared_files import shared_message
from backprop_tui.domain.slurm import SlurmJob, SlurmOptions
from backprop_tui.domain.smoothed_curve import Extreme
from backprop_tui.domain.status import Status, check_transition

DEFAULT_TIMEBOX_SECONDS = 600.0
LOCAL, SLURM = "local", "slurm"  # what starts a run
TIMEBOX_END = "reached its limit of"  # the reason for the end begins so, then comes the duration


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """Waits for another run to end; `any_end` accepts any end, otherwise only completed or timeboxed."""

    run: str
    any_end: bool = False


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """Process attributes besides the environment, captured when the run was queued."""

    umask: int = 0o022
    nice: int = 0
    rlimits: tuple[tuple[str, int, int], ...] = ()  # name, soft, hard; -1 means unlimited


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class StopPlan:
    """How a run is stopped: stop signal, grace period, TERM, KILL; and an optional warning before its limit."""

    stop_signal: str = "SIGINT"
    grace_seconds: float = 30.0
    warn_signal: str | None = None
    warn_seconds: float = 0.0


class ResumeChannel(StrEnum):
    """How a script gets its checkpoint if it takes no argument for it."""

    ENVIRONMENT = "environment"  # it reads BACKPROP_RESUME_FROM
    ITSELF = "itself"  # it looks for its newest checkpoint


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    command: tuple[str, ...]
    script: str | None
    cwd: str
    framework: str = "auto"
    launcher: str = LOCAL
    slurm: SlurmOptions = field(default_factory=SlurmOptions)  # for its launcher
    max_run_seconds: float | None = DEFAULT_TIMEBOX_SECONDS
    total_seconds: float | None = None  # limit of all slices together; None: no such limit
    objective: Objective | None = None  # as given; None: chosen among the metrics that are printed
    until: tuple[Goal, ...] = ()  # the first goal reached ends the run; a run with goals is trained in slices
    checkpoint_every_seconds: float | None = None
    resume_arg: str | None = None
    checkpoint_globs: tuple[str, ...] = ()
    log_patterns: tuple[str, ...] = ()  # regular expressions for log lines that no reader recognizes
    understood_flags: tuple[str, ...] = ()  # flags of the original tool that the script's source mentions
    found_resume_arg: str | None = None  # like `resume_arg`, but found in the script's source
    resume_channel: str | None = None  # a ResumeChannel; None: unknown, or an argument
    refused_options: tuple[str, ...] = ()  # options that this program added and the script did not accept
    retries: int = 0
    gpus: int | None = None  # None: one if the machine has GPUs, otherwise none
    gpu_ids: tuple[str, ...] = ()
    visible_gpus: tuple[str, ...] | None = None  # the inherited CUDA_VISIBLE_DEVICES; None if it is not set
    gpu_probe: str = "auto"
    after: tuple[Dependency, ...] = ()
    key: str | None = None
    python_origin: str | None = None  # how the interpreter was found
    env: RunVariables = ()  # from --env, in addition to the captured environment
    stop: StopPlan = field(default_factory=StopPlan)
    leftovers: str = "auto"  # whether the run lasts for leftover processes: auto, wait, kill
    process: Process = field(default_factory=Process)
    limits: RunLimits = field(default_factory=RunLimits)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a run ended: the kind of cause, the evidence, and advice.

    `summary` is one clause with the figures; `line` is the number of the log line with the evidence, counted from 1.
    `retryable`: another attempt with the same options may succeed. `advised` is the option that the advice changes, its
    value then, and the one to try.
    """

    kind: str
    evidence: str | None = None
    advice: str | None = None
    summary: str | None = None
    line: int | None = None
    retryable: bool = False
    advised: tuple[str, str, str] | None = None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A checkpoint of a run; `sound`: intact (true), damaged (false), or not checked (None).

    `written` is false for an announced checkpoint until this run is seen to write it: the file may be of another
    training. `candidates` are the files of a save, including `path`, if it is unknown which one to resume from.
    `shared_with`: other runs that may have written it, or written it again; then no resume uses it unasked.
    """

    path: str
    step: int | None
    saved_at: float
    size_bytes: int | None = None
    sound: bool | None = None
    written: bool = True
    candidates: tuple[str, ...] = ()
    shared_with: tuple[str, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether the run may be resumed from it as far as is known."""
        return self.written and self.sound is not False and not self.shared_with


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class SharedDirectory:
    """Possible checkpoints without an owner: `files` of `folder`, newest last, written while other `runs` were active.

    Only the newest files are kept.
    """

    folder: str
    runs: tuple[str, ...]
    files: tuple[str, ...]

    @property
    def message(self) -> str:
        return shared_message(self.folder, self.runs, self.files)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    index: int
    uuid: str


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """Peak resource use of a run; VRAM is that of its fullest GPU, the one that runs out first."""

    ram_bytes: int | None = None
    vram_bytes: int | None = None
    temperature_celsius: float | None = None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """The commit of the working directory when the run was queued; `dirty` is None if unknown."""

    commit: str
    dirty: bool | None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """The script when the run was queued: its path, and the SHA-256 of its content in hexadecimal."""

    path: str
    sha256: str


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One start of a run; `ended_at` is None while it runs. Running and paused seconds use the monotonic clock.

    `code_changes` describes what changed between queueing and the start; None if nothing is known.
    """

    number: int
    started_at: float
    boot_id: str
    pid_namespace: int | None = None  # in which the pid of its script is meant; None: not recorded
    ended_at: float | None = None
    status: Status | None = None
    exit_code: int | None = None
    signal: str | None = None
    resumed_from: str | None = None
    code_changes: str | None = None
    gpus: tuple[Gpu, ...] = ()
    vram_claim_bytes: int = 0  # on each of its GPUs
    variables: Mapping[str, str] = field(default_factory=dict)  # environment variables that select its GPUs
    running_seconds: float = 0.0
    paused_seconds: float = 0.0
    saved_step: int | None = None  # of its newest checkpoint, otherwise of the previous attempt's
    saved_new: bool | None = None  # whether it got further than the previous attempt; None: still running, or unknown
    by_request: bool = False  # started by `resume`: retries are counted from here
    refused_option: str | None = None  # added by this program, and the script refused it
    output_path: str | None = None  # where its output went if that is not the log
    output_problem: str | None = None  # why nothing could be read there
    log_offset: int | None = None  # size of the log in bytes when it started; None: not recorded
    cause: Cause | None = None  # why it ended; None: not recorded


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """Waiting in the queue; not started before the wall time `not_before` (None: no such limit)."""

    since: float
    reason: str | None = None
    not_before: float | None = None
    resume_from: str | None = None
    by_request: bool = False  # queued by `resume`


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Starting:
    """Admitted by a supervisor; script.lock says whether the script has already been started."""

    since: float


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The script was started; the live record says whether it is paused or stopping."""

    since: float


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The run has ended. An unknown exit code is None, never 0."""

    at: float
    status: Status
    exit_code: int | None = None
    signal: str | None = None
    reason: str | None = None
    cause: Cause | None = None


State = Queued | Starting | Running | Ended


def status_of(state: State) -> Status:
    """Returns the public status of a state, without the refinement by the live record."""
    match state:
        case Queued():
            return Status.QUEUED
        case Starting():
            return Status.STARTING
        case Running():
            return Status.RUNNING
        case Ended(status=status):
            return status


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The record of one run, as stored in run.json."""

    id: str
    name: str
    host: str
    created_at: float
    position: float  # order in the queue among runs of the same priority: lower first
    spec: Spec
    state: State
    priority: int = 0
    group: str | None = None
    tags: tuple[str, ...] = ()
    note: str | None = None
    baseline: bool = False  # pinned: the other runs of its group are compared with it
    attempts: tuple[Attempt, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    shared_directory: SharedDirectory | None = None  # why checkpoints of this run may be missing
    step: int | None = None
    total_steps: int | None = None
    epoch: float | None = None
    total_epochs: int | None = None
    eta_seconds: float | None = None  # as printed by the script, or at its pace; None once the run has ended
    metrics: Mapping[str, float] = field(default_factory=dict)
    best: Mapping[str, Extreme] = field(default_factory=dict)  # of metrics with a known direction
    peak: Peak = field(default_factory=Peak)
    resume_check: ResumeCheck | None = None  # whether the newest resume really continued; None if unknown
    git: Git | None = None
    code: Code | None = None
    requests_offset: int = 0  # requests.jsonl has been processed up to here
    job: SlurmJob | None = None  # the newest Slurm job of this run

    @property
    def label(self) -> str:
        """Its name as it is shown."""
        return spelled(self.name)

    @property
    def status(self) -> Status:
        """The status of the record alone; paused and stopping come from the live record."""
        return status_of(self.state)

    @property
    def attempt(self) -> Attempt:
        """The newest attempt; fails for a run that was never started."""
        return self.attempts[-1]

    @property
    def submitted_job(self) -> SlurmJob | None:
        """The Slurm job that will start the next attempt; None if there is none, or the run does not wait.

        Only the holder of that job's claim may then write the record.
        """
        is_next = self.job is not None and self.job.attempt == len(self.attempts) + 1
        return self.job if is_next and isinstance(self.state, Queued) else None

    @property
    def current_host(self) -> str:
        """The machine that looks after the run: while it waits that of its queue, whatever node it was on before."""
        return self.host if self.job is None or not isinstance(self.state, Queued) else self.job.host

    @property
    def queue(self) -> tuple[str, str] | None:
        """The queue that it stands in, by machine and launcher; None once Slurm decides the order."""
        return None if self.submitted_job is not None else (self.current_host, self.spec.launcher)

    @property
    def next_job_number(self) -> int:
        """The number of the next Slurm job of this run."""
        return 1 if self.job is None else self.job.number + 1

    @property
    def last_end(self) -> float | None:
        """When the last attempt that has ended did so; None if none has."""
        return next((attempt.ended_at for attempt in reversed(self.attempts) if attempt.ended_at is not None), None)

    @property
    def written_until(self) -> float | None:
        """Until when the last attempt that has ended may have written more than is on record; None if none has ended.

        0.0 if a guardian looked at what it had written after its end.
        """
        ended = next((attempt for attempt in reversed(self.attempts) if attempt.ended_at is not None), None)
        return None if ended is None else ended.ended_at if ended.status is Status.LOST else 0.0

    @property
    def last_cause(self) -> Cause | None:
        """Why an ended run ended, or why its last attempt did if it was removed from the queue after that."""
        if not isinstance(self.state, Ended):
            return None
        had_waited = bool(self.attempts) and self.attempt.ended_at != self.state.at
        return self.attempt.cause if had_waited and self.attempt.cause is not None else self.state.cause

    def to(self, state: State) -> Run:
        """Returns the run in another state; raises IllegalTransition if that cannot follow the current one.

        A waiting run belongs to the host that submits its jobs, whichever node its last job ran on.
        """
        check_transition(self.status, status_of(state))
        submits = isinstance(state, Queued) and self.job is not None
        return replace(self, state=state, host=self.job.host if submits and self.job is not None else self.host)

    def with_attempt(self, attempt: Attempt) -> Run:
        """Returns the run with the attempt added, or replacing the newest one of the same number."""
        kept = tuple(old for old in self.attempts if old.number < attempt.number)
        return replace(self, attempts=(*kept, attempt))


RunVariables = tuple[tuple[str, str | None], ...]  # name and value; None if the value is not stored


def without_secrets(given: Iterable[tuple[str, str]]) -> RunVariables:
    """Returns the variables as they are stored; the last value of a name counts."""
    return tuple((name, None if is_secret(name, value) else value) for name, value in dict(given).items())


def restore_variables(before: RunVariables, given: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Returns the variables of a resumed run: the stored ones that have a value, overridden by those given now."""
    return list(({name: value for name, value in before if value is not None} | dict(given)).items())


def merge_variables(before: RunVariables, given: Iterable[tuple[str, str]]) -> RunVariables:
    """Returns the variables to store for a resumed run."""
    return tuple((dict(before) | dict(without_secrets(given))).items())


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class AttemptTimeline:
    """Start time of each attempt, and the total time spent between attempts before it; oldest first."""

    starts: tuple[float, ...] = ()
    idle: tuple[float, ...] = ()

    @classmethod
    def of(cls, run: Run | None) -> AttemptTimeline:
        starts: list[float] = []
        idle: list[float] = []
        total, ended = 0.0, None
        for attempt in () if run is None else run.attempts:
            total += max(0.0, attempt.started_at - ended) if ended is not None else 0.0
            starts.append(attempt.started_at)
            idle.append(total)
            ended = attempt.ended_at
        return cls(starts=tuple(starts), idle=tuple(idle))

    def at(self, time: float) -> int:
        """Index of the attempt that was running at `time`."""
        return max((index for index, start in enumerate(self.starts) if start <= time), default=0)

    def elapsed(self, time: float, *, idle: bool = False) -> float:
        """Seconds from the first start to `time`; time between attempts is excluded unless `idle` is set."""
        if not self.starts:
            return time
        return max(0.0, time - self.starts[0] - (0.0 if idle else self.idle[self.at(time)]))
