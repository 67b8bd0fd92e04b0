"""Events that readers parse from the lines of a training log.

`offset` is the byte position in the log just after the line an event came from, or the line that completed it: once
the event is recorded, reading can resume there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from backprop_tui.domain.lazy_dataclass import lazy_dataclass


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Training progress; a field is None if the line does not contain it.

    Metrics keep their printed names and order, and include NaN and infinities. The epoch is as printed, so it may count
    from 0 or from 1. `eta_seconds` is for the whole training. `epochs_done` is how many epochs were completed by then.
    `begins_again`: a complete training was followed by another, so earlier totals and estimates are void.
    """

    offset: int
    step: int | None = None
    epoch: float | None = None
    total_steps: int | None = None
    total_epochs: int | None = None
    eta_seconds: float | None = None
    epochs_done: float | None = None
    begins_again: bool | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointSaved:
    """The script reported a saved checkpoint; `path` is as printed and may be relative to the script's directory."""

    offset: int
    path: str
    step: int | None = None


MergedEvent = Progress | CheckpointSaved
"""What a log says about the training as a whole: the events of all readers, merged."""


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class EpochProgress:
    """Progress within one epoch (`done` of `total` steps), for formats that restart the count in each epoch.

    `done` None: only that it is within the epoch. `epoch` None means the epoch that an earlier line named.
    `first_epoch` is the number the format gives the first epoch, None if scripts differ. `within_epoch` False: the
    count may also be of the whole training. `elapsed_seconds` and `seconds_left` are of the count, `eta_seconds` is for
    the whole training.
    """

    offset: int
    done: int | None
    total: int | None
    epoch: int | None = None
    first_epoch: int | None = None
    total_epochs: int | None = None
    within_epoch: bool = True
    elapsed_seconds: float | None = None
    seconds_left: float | None = None
    eta_seconds: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A progress bar; whether it counts steps, epochs or downloads follows from its label and the other lines."""

    offset: int
    label: str
    done: int
    total: int | None
    elapsed_seconds: float | None = None
    seconds_left: float | None = None
    values: Mapping[str, float] = field(default_factory=dict)  # printed after the bar: metrics, a step, an epoch
    epoch: int | None = None  # printed there without a fraction
    total_epochs: int | None = None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class EpochStarted:
    """A line that only announces a new epoch; the following lines belong to it."""

    offset: int
    epoch: int
    total_epochs: int | None = None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class TotalsAnnounced:
    """A line that only says how long the training will be; it is shown once there is progress."""

    offset: int
    steps: int | None = None
    epochs: int | None = None
    is_setting: bool = False  # `max_iters = 5000`: of a configuration, which an option may still override


ReaderEvent = Progress | CheckpointSaved | EpochProgress | Bar | EpochStarted | TotalsAnnounced
"""What one reader found on one line, as printed there: `merge` makes merged events of these."""
