"""What front ends and the guard ask of a run; absolute and idempotent, so that asking twice does no harm."""

from __future__ import annotations

from backprop_tui.domain.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequest:
    """End the run; `kill` skips the grace. `cause` is a cause kind where a guard asks.

    `after_checkpoint` waits for the next checkpoint, up to a bound that the guardian knows.
    """

    by: str
    reason: str
    kill: bool = False
    after_checkpoint: bool = False
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseRequest:
    """Stop all processes of the run with SIGSTOP."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinueRequest:
    """Continue all processes of the run; a guard continues only its own kind of pause."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeboxRequest:
    """Set the timebox of the current attempt, counted from its start; None is no limit."""

    max_run_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EditRequest:
    """Set what is given; None leaves a field as it is."""

    name: str | None = None
    tags: tuple[str, ...] | None = None
    note: str | None = None
    priority: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TellRequest:
    """Write an event with a figure into the run's story; nothing else happens."""

    message: str


Request = StopRequest | PauseRequest | ContinueRequest | TimeboxRequest | EditRequest | TellRequest
