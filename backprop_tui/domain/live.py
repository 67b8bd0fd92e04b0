"""What changes each second of a running run: the clock, the pause, the stop, the figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from backprop_tui.domain.course import Extreme
from backprop_tui.domain.disk_use import DiskUse
from backprop_tui.domain.resume_check import ResumeCheck
from backprop_tui.domain.run import Checkpoint, Peak, Run
from backprop_tui.domain.save_pace import SavePace
from backprop_tui.domain.status import Status
from backprop_tui.domain.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Seconds running and paused up to `mark`, on CLOCK_MONOTONIC of boot `boot_id`; since then one of them goes on."""

    running_seconds: float = 0.0
    paused_seconds: float = 0.0
    mark: float = 0.0
    boot_id: str = ""

    def at(self, now: float, *, paused: bool) -> Clock:
        """The clock moved on to `now`, a monotonic time of the same boot."""
        passed = max(0.0, now - self.mark)
        return Clock(
            running_seconds=self.running_seconds + (0.0 if paused else passed),
            paused_seconds=self.paused_seconds + (passed if paused else 0.0),
            mark=now,
            boot_id=self.boot_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Stopped by SIGSTOP since a wall time, by a person or by a guard ("heat", "ram")."""

    since: float
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Postponed:
    """Our intent to end the script once its next checkpoint is saved; no signal was given yet.

    A checkpoint counts that was saved at the wall time `since` or later. `deadline` is the monotonic time at which the
    end begins without one.
    """

    status: Status
    by: str
    reason: str
    since: float
    deadline: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """Our intent to end the script, recorded before the first signal.

    `stage` counts the signals given: 0 none yet (a script that asks whether to stop reads it here), 1 stop signal,
    2 TERM, 3 KILL. `deadline` is the monotonic time of the next one. `is_final`: a person wants the run to end, so that
    no slice follows whatever the status says.
    """

    status: Status  # what the end will be: timeboxed or stopped
    by: str
    reason: str
    since: float
    stage: int
    deadline: float
    cause: str | None = None
    is_final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """live.json: never fsynced, may be lost; the run's end folds what matters into run.json."""

    attempt: int
    runner_pid: int
    script_pid: int | None
    clock: Clock
    time: float
    log_offset: int = 0
    log_generation: int = 0
    attempt_log_offset: int = 0  # where this attempt's part of the log begins
    log_memory: Mapping[str, Any] | None = None  # what the reader of the log knew at log_offset
    told_offset: int | None = None  # checkpoints announced up to here are recorded and told
    requests_offset: int = 0
    step: int | None = None
    epoch: float | None = None
    total_steps: int | None = None
    total_epochs: int | None = None
    eta_seconds: float | None = None  # to the end of the training, as the script prints it
    metrics: Mapping[str, float] = field(default_factory=dict)
    best: Mapping[str, Extreme] = field(default_factory=dict)
    checkpoints: tuple[Checkpoint, ...] = ()
    pause: Pause | None = None
    stopping: Stopping | None = None
    postponed: Postponed | None = None
    reached: str | None = None  # which condition of --until, in words
    warned: bool = False
    peak: Peak = field(default_factory=Peak)
    ram_bytes: int | None = None
    cpu_percent: float | None = None
    vram_bytes: int | None = None  # on its fullest GPU
    temperature_celsius: float | None = None  # of its hottest GPU
    pace: SavePace | None = None  # of its checkpoints
    disk: DiskUse | None = None  # that they go to
    disk_warning: str | None = None  # that it will be full before the run is done
    resume_check: ResumeCheck | None = None
    problem: str | None = None  # what the guardian cannot do: unkillable processes, disk full

    @property
    def is_final(self) -> bool:
        """Whether neither slice nor retry follows: it reached what it was started for, or a person ends the run."""
        is_ended_by_person = self.stopping is not None and self.stopping.is_final
        is_to_be_stopped = self.postponed is not None and self.postponed.status is Status.STOPPED
        return self.reached is not None or is_ended_by_person or is_to_be_stopped


def shown_status(run: Run, live: Live | None) -> Status:
    """The status people see: the record's, refined by the live record of the same attempt."""
    if run.status is not Status.RUNNING or live is None or live.attempt != run.attempt.number:
        return run.status
    if live.stopping is not None or live.postponed is not None:
        return Status.STOPPING
    return Status.PAUSED if live.pause is not None else Status.RUNNING
