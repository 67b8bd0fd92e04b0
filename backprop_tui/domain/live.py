"""The live record of a running attempt: clock, pause, stop, progress and resource use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from backprop_tui.domain.checkpoint_pace import CheckpointPace, DiskUse
from backprop_tui.domain.formatting import duration
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.resume_verdict import ResumeCheck
from backprop_tui.domain.run import Checkpoint, Peak, Run, SharedDirectory
from backprop_tui.domain.smoothed_curve import Extreme, SmoothedCurve
from backprop_tui.domain.status import Status

_NAMED_LEFTOVERS = 3


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Running and paused seconds up to `mark`, a CLOCK_MONOTONIC time of boot `boot_id`; one of them grows since."""

    running_seconds: float = 0.0
    paused_seconds: float = 0.0
    mark: float = 0.0
    boot_id: str = ""

    def at(self, now: float, *, paused: bool) -> Clock:
        elapsed = max(0.0, now - self.mark)
        return Clock(
            running_seconds=self.running_seconds + (0.0 if paused else elapsed),
            paused_seconds=self.paused_seconds + (elapsed if paused else 0.0),
            mark=now,
            boot_id=self.boot_id,
        )


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A pause by SIGSTOP since a wall time; `by` is a person or a guard ("heat", "ram").

    A pause for heat names the GPU and its temperature at that time. `mark` is its monotonic time in the boot of the
    clock: what lasts too long is decided by it, as the wall clock may be set.
    """

    since: float
    by: str
    reason: str
    gpu: int | None = None
    celsius: float | None = None
    mark: float | None = None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class PostponedStop:
    """A stop that waits for the next checkpoint; no signal has been sent yet.

    A checkpoint saved at the wall time `since` or later ends the wait. `deadline` is the monotonic time at which the
    stop starts without one.
    """

    status: Status
    by: str
    reason: str
    since: float
    deadline: float


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """A stop in progress, recorded before the first signal is sent.

    `stage` counts the signals sent: 0 none yet (a script that polls `should_stop` reads it here), 1 stop signal,
    2 TERM, 3 KILL. `deadline` is the monotonic time of the next one. `is_final`: a person stopped the run, so no slice
    follows whatever the status is. `signalled_at` is the time since boot of the stop signal, `programs` are those that
    ran then, which a shell must not start again.
    """

    status: Status  # the status after the end: timeboxed or stopped
    by: str
    reason: str
    since: float
    stage: int
    deadline: float
    cause: str | None = None
    is_final: bool = False
    signalled_at: float | None = None
    programs: tuple[str, ...] = ()


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A process that was still running when the script ended; the command line is shortened and safe to show."""

    pid: int
    command: str


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ScriptEnd:
    """How the script's own process ended, recorded before the run waits for its leftover processes."""

    exit_code: int | None
    signal: int | None
    after_seconds: float  # of running time
    leftovers: tuple[Leftover, ...] = ()

    @property
    def message(self) -> str | None:
        """What ended, and what is still running; None while that is not known."""
        if not self.leftovers:
            return None
        how = f"exit code {self.exit_code}" if self.signal is None else f"signal {self.signal}"
        after = duration(self.after_seconds)
        return f"the script ended with {how} after {after}; still running: {list_leftovers(self.leftovers)}"


def list_leftovers(leftovers: tuple[Leftover, ...]) -> str:
    """`python3 train.py (pid 1234) and 2 more`."""
    names = [f"{leftover.command} (pid {leftover.pid})" for leftover in leftovers[:_NAMED_LEFTOVERS]]
    more = len(leftovers) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class OwnLog:
    """A file that the script's output goes to instead of its log; `problem` says why nothing can be read there.

    It is read from `start`; `offset`, `generation` and `memory` are as for the log. `path` need not be a file: it may
    name a pipe.
    """

    path: str
    attempt: int
    problem: str | None = None
    start: int = 0
    offset: int = 0
    generation: int = 0
    memory: Mapping[str, Any] | None = None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """live.json: never fsynced, so it may be lost; at the end of the attempt it is merged into run.json."""

    attempt: int
    runner_pid: int
    script_pid: int | None
    clock: Clock
    time: float
    log_offset: int = 0
    log_generation: int = 0
    attempt_log_offset: int = 0  # start of this attempt's part of the log
    log_memory: Mapping[str, Any] | None = None  # state of the log reader at log_offset
    figures_end: int | None = None  # the log beyond this offset was printed by what started after the stop signal
    own_log: OwnLog | None = None
    script_end: ScriptEnd | None = None  # set while the run lasts for leftover processes
    # Checkpoints announced before this offset are recorded: the log follower's `announced_from`. Records keep the name.
    told_offset: int | None = None
    requests_offset: int = 0
    step: int | None = None
    is_step_printed: bool = False  # in the log, and not only in another file of the script
    epoch: float | None = None
    total_steps: int | None = None
    total_epochs: int | None = None
    epochs_done: float | None = None  # completed epochs, whatever number the script gives its first epoch
    # Until the end of the training, as printed by the script or at its recent pace.
    eta_seconds: float | None = None
    step_seconds: float | None = None  # at the recent pace
    metrics: Mapping[str, float] = field(default_factory=dict)
    best: Mapping[str, Extreme] = field(default_factory=dict)  # in this attempt, of metrics that are not smoothed
    curves: Mapping[str, SmoothedCurve] = field(default_factory=dict)  # of those that are
    checkpoints: tuple[Checkpoint, ...] = ()
    shared_directory: SharedDirectory | None = None
    pause: Pause | None = None
    stopping: Stopping | None = None
    postponed: PostponedStop | None = None
    reached: str | None = None  # description of the --until goal that was reached
    warned: bool = False
    peak: Peak = field(default_factory=Peak)
    ram_bytes: int | None = None
    cpu_percent: float | None = None
    vram_bytes: int | None = None  # on the run's fullest GPU
    temperature_celsius: float | None = None  # of the run's hottest GPU
    pace: CheckpointPace | None = None  # of the checkpoints
    disk: DiskUse | None = None  # of the checkpoints
    disk_warning: str | None = None  # set if the disk will be full before the run ends
    resume_check: ResumeCheck | None = None
    problem: str | None = None  # a failure of the guardian: unkillable processes, disk full

    @property
    def usable_checkpoints(self) -> tuple[Checkpoint, ...]:
        """The checkpoints that the run could be resumed from as far as is known, oldest first."""
        return tuple(checkpoint for checkpoint in self.checkpoints if checkpoint.is_usable)

    @property
    def is_final(self) -> bool:
        """Whether no slice or retry follows: a goal was reached, or a person stopped the run."""
        stopped_by_person = self.stopping is not None and self.stopping.is_final
        is_stop_postponed = self.postponed is not None and self.postponed.status is Status.STOPPED
        return self.reached is not None or stopped_by_person or is_stop_postponed


def displayed_status(run: Run, live: Live | None) -> Status:
    """Returns the public status: that of the record, refined by the live record of the same attempt."""
    if run.status is not Status.RUNNING or live is None or live.attempt != run.attempt.number:
        return run.status
    if live.stopping is not None or live.postponed is not None:
        return Status.STOPPING
    return Status.PAUSED if live.pause is not None else Status.RUNNING
