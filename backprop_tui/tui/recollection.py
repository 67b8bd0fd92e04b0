"""What happened while nobody looked: the runs that it concerns, with what their stories say of that time."""

from __future__ import annotations

from backprop_tui.domain.values import dataclass
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.store.fields import JsonObject

AWAY_SECONDS = 600.0  # a shorter absence needs no digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """A run that ended meanwhile or is unfinished, with the events of that time, oldest first.

    `best_loss` is the lowest of a run that is done; None where it is not, or printed none, or too much to read.
    """

    run: KnownRun
    events: tuple[JsonObject, ...] = ()
    best_loss: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recollection:
    """From `since` to `until`, wall times; `back_at` is when the absence ended that began at `since`.

    `back_at` None: nobody was away, and it is the last day. `unread` counts runs whose stories were not read.
    """

    since: float
    until: float
    back_at: float | None = None
    runs: tuple[Recalled, ...] = ()
    unread: int = 0
