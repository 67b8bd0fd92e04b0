"""Requests that front ends and the guard send to a run; absolute and idempotent, so a repeated one does no harm."""

from __future__ import annotations

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.objective import Objective
from backprop_tui.domain.slurm import SlurmOptions, as_options
from backprop_tui.domain.thresholds import Thresholds, as_settings

PERSON = "person"
STOPPED_BY_YOU = "stopped by you"
BY_HEAT = "heat"
BY_RAM = "ram"
# Only the guard continues these pauses, and only a person those by a person.
GUARD_PAUSES = frozenset({BY_HEAT, BY_RAM})


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class StopRequest:
    """Stops the run; `kill` skips the grace period. `cause` is a cause kind, set by a guard.

    `after_checkpoint` waits for the next checkpoint, up to a limit set by the guardian.
    """

    by: str
    reason: str
    kill: bool = False
    after_checkpoint: bool = False
    cause: str | None = None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class PauseRequest:
    """Stops all processes of the run with SIGSTOP; a pause for heat names the GPU and its temperature."""

    by: str
    reason: str
    gpu: int | None = None
    celsius: float | None = None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ContinueRequest:
    """Continues all processes of the run; a guard's request ends only that guard's own pauses."""

    by: str
    reason: str


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class TimeboxRequest:
    """Sets the timebox of the current attempt, counted from its start; None means no limit."""

    max_run_seconds: float | None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class EditRequest:
    """Changes the given fields; None leaves a field as it is."""

    name: str | None = None
    tags: tuple[str, ...] | None = None
    note: str | None = None
    priority: int | None = None
    baseline: bool | None = None  # whether the other runs of its group are compared with it
    objective: Objective | None = None  # of a run that is active it stays as it is: its best values are being kept
    thresholds: Thresholds | None = None  # of a queued run; of an active one only its temperature limit changes
    slurm: SlurmOptions | None = None  # of a queued run; what is not set stays

    def __str__(self) -> str:
        """What it changes, such as `renamed to unet, no note, priority 2`."""
        changes: list[str] = []
        if self.name is not None:
            changes.append(f"renamed to {self.name}")
        if self.tags is not None:
            changes.append(f"tags {', '.join(self.tags) or 'none'}")
        if self.note is not None:
            changes.append("a note" if self.note else "no note")
        if self.priority is not None:
            changes.append(f"priority {self.priority}")
        if self.baseline is not None:
            changes.append("the baseline" if self.baseline else "not the baseline")
        if self.objective is not None:
            changes.append(f"objective {self.objective}")
        changes += as_settings(self.thresholds)
        if self.slurm is not None:
            changes.append(as_options(self.slurm))
        return ", ".join(changes)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRequest:
    """Records an event with this message in the run's event log; nothing else happens."""

    message: str


Request = StopRequest | PauseRequest | ContinueRequest | TimeboxRequest | EditRequest | NoticeRequest
