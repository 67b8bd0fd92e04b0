"""One run: what was asked, where it stands, what its attempts did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace

from backprop_tui.domain.course import Extreme
from backprop_tui.domain.limits import RunLimits
from backprop_tui.domain.resume_check import ResumeCheck
from backprop_tui.domain.status import Status, check_transition
from backprop_tui.domain.until import Until
from backprop_tui.domain.values import dataclass
from backprop_tui.domain.variables import Variables


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """Wait for another run's end; `any_end` accepts whatever end, else only completed or timeboxed."""

    run: str
    any_end: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What a process inherits besides its environment; captured where the run was queued."""

    umask: int = 0o022
    nice: int = 0
    rlimits: tuple[tuple[str, int, int], ...] = ()  # name, soft, hard; -1 is unlimited


@dataclass(frozen=True, slots=True, kw_only=True)
class StopPlan:
    """How a run is ended: stop signal, grace, TERM, KILL; and an optional warning before its limit."""

    stop_signal: str = "SIGINT"
    grace_seconds: float = 30.0
    warn_signal: str | None = None
    warn_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What was asked for, settled when the run was queued."""

    command: tuple[str, ...]
    script: str | None
    cwd: str
    framework: str = "auto"
    launcher: str = "local"
    max_run_seconds: float | None = 600.0
    total_seconds: float | None = None  # of all slices together; None: no such limit
    until: tuple[Until, ...] = ()  # the first that is reached ends the run; with it, it is trained in slices
    checkpoint_every_seconds: float | None = None
    resume_arg: str | None = None
    checkpoint_globs: tuple[str, ...] = ()
    log_patterns: tuple[str, ...] = ()  # regular expressions for lines that no reader knows
    understood_flags: tuple[str, ...] = ()  # flags of the original tool that the script's source mentions
    found_resume_arg: str | None = None  # as `resume_arg`, by the script's own source
    retries: int = 0
    gpus: int | None = None  # None: one where the machine has GPUs, else none
    gpu_ids: tuple[str, ...] = ()
    visible_gpus: tuple[str, ...] | None = None  # an inherited CUDA_VISIBLE_DEVICES; None where there is none
    gpu_probe: str = "auto"
    after: tuple[Dependency, ...] = ()
    key: str | None = None
    python_origin: str | None = None  # how the interpreter was found
    env: Variables = ()  # given by --env, beside the captured environment
    stop: StopPlan = field(default_factory=StopPlan)
    process: Process = field(default_factory=Process)
    limits: RunLimits = field(default_factory=RunLimits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why a run ended as it did: the kind, the line or figure that shows it, and what to do.

    `summary` says it in one clause with the figures; `line` is where the evidence stands in the log, from 1.
    `retryable`: the same start may go better another time.
    """

    kind: str
    evidence: str | None = None
    advice: str | None = None
    summary: str | None = None
    line: int | None = None
    retryable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A checkpoint that the script announced; `sound` is None where nobody has looked."""

    path: str
    step: int | None
    saved_at: float
    size_bytes: int | None = None
    sound: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """A GPU handed to a run."""

    index: int
    uuid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """The most that was measured of a run; VRAM is that of its fullest GPU, which is what runs out."""

    ram_bytes: int | None = None
    vram_bytes: int | None = None
    temperature_celsius: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """The commit the working directory was at when the run was queued, and whether it had changes; None: not known."""

    commit: str
    dirty: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """The script as it was when the run was queued: where it lies, and SHA-256 of its content in hexadecimal."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One start of a run; `ended_at` None while it goes on. Seconds running and paused are of the monotonic clock.

    `code_changes` says in words what was another at the start than when the run was queued; None: nothing known.
    """

    number: int
    started_at: float
    boot_id: str
    ended_at: float | None = None
    status: Status | None = None
    exit_code: int | None = None
    signal: str | None = None
    resumed_from: str | None = None
    code_changes: str | None = None
    gpus: tuple[Gpu, ...] = ()
    vram_claim_bytes: int = 0  # on each of its GPUs
    variables: Mapping[str, str] = field(default_factory=dict)  # how its GPUs are handed over to the script
    running_seconds: float = 0.0
    paused_seconds: float = 0.0
    saved_step: int | None = None  # of its newest checkpoint, or of the attempt before it
    saved_new: bool | None = None  # whether it saved more than the attempt before it; None: it goes on, or nobody knows
    by_request: bool = False  # somebody asked for it by `resume`: retries are counted from here again


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """Waiting; not started before `not_before` (a wall time, None: at once)."""

    since: float
    reason: str | None = None
    not_before: float | None = None
    resume_from: str | None = None
    by_request: bool = False  # `resume` put it there


@dataclass(frozen=True, slots=True, kw_only=True)
class Starting:
    """Admitted by a supervisor; whether the script runs already is written in script.lock."""

    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The script was started; paused and stopping are told by the live record."""

    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How it ended. An unknown exit code is None, never 0."""

    at: float
    status: Status
    exit_code: int | None = None
    signal: str | None = None
    reason: str | None = None
    cause: Cause | None = None


State = Queued | Starting | Running | Ended


def status_of(state: State) -> Status:
    """The public status of a state, without what the live record adds."""
    match state:
        case Queued():
            return Status.QUEUED
        case Starting():
            return Status.STARTING
        case Running():
            return Status.RUNNING
        case Ended(status=status):
            return status


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The truth of one run, as run.json holds it."""

    id: str
    name: str
    host: str
    created_at: float
    position: float  # place in the queue among equals in priority: lower first
    spec: Spec
    state: State
    priority: int = 0
    group: str | None = None
    tags: tuple[str, ...] = ()
    note: str | None = None
    attempts: tuple[Attempt, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    step: int | None = None
    total_steps: int | None = None
    epoch: float | None = None
    total_epochs: int | None = None
    eta_seconds: float | None = None  # as the script printed it last; None once it has ended
    metrics: Mapping[str, float] = field(default_factory=dict)
    best: Mapping[str, Extreme] = field(default_factory=dict)  # of those whose name tells which way is better
    peak: Peak = field(default_factory=Peak)
    resume_check: ResumeCheck | None = None  # whether its newest resume really went on; None where that is not told
    git: Git | None = None
    code: Code | None = None
    requests_offset: int = 0  # requests.jsonl is obeyed up to here

    @property
    def status(self) -> Status:
        """The status of the record alone; see the live record for paused and stopping."""
        return status_of(self.state)

    @property
    def attempt(self) -> Attempt:
        """The newest attempt; only a run that was started at least once has one."""
        return self.attempts[-1]

    def to(self, state: State) -> Run:
        """The same run in another state.

        Raises:
            IllegalTransition: that state cannot follow this one.
        """
        check_transition(self.status, status_of(state))
        return replace(self, state=state)

    def with_attempt(self, attempt: Attempt) -> Run:
        """The run with its newest attempt replaced, or with one more."""
        kept = tuple(old for old in self.attempts if old.number < attempt.number)
        return replace(self, attempts=(*kept, attempt))
