"""What a reader gives: the values that a line of a log says of a training run.

`offset` is the byte of the log just after the terminator of the line a value came from, or of the line that completed
it: whoever has recorded the value may read on from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from backprop_tui.domain.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the training is; what the line does not say is None.

    Metrics carry the names and the order they were printed with; NaN and infinities are kept, since they are news.
    An epoch is as printed, which may count from 0 or from 1; `eta_seconds` is for the whole training.
    """

    offset: int
    step: int | None = None
    epoch: float | None = None
    total_steps: int | None = None
    total_epochs: int | None = None
    eta_seconds: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointSaved:
    """The script says that it saved a checkpoint; `path` is as printed, perhaps relative to the script's directory."""

    offset: int
    path: str
    step: int | None = None


LogValue = Progress | CheckpointSaved


@dataclass(frozen=True, slots=True, kw_only=True)
class InEpoch:
    """A place within an epoch, `done` of `of`, as formats print it that count anew in each; becomes a Progress.

    `epoch` None: the one that an earlier line named. `first_epoch` is what the format calls its first, None where
    scripts differ. Seconds are those of this epoch.
    """

    offset: int
    done: int
    of: int | None
    epoch: int | None = None
    first_epoch: int | None = None
    total_epochs: int | None = None
    elapsed_seconds: float | None = None
    seconds_left: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A progress bar: it may count steps, epochs or downloaded files, which its label and the other lines tell."""

    offset: int
    label: str
    done: int
    total: int | None
    elapsed_seconds: float | None = None
    seconds_left: float | None = None
    figures: Mapping[str, float] = field(default_factory=dict)  # behind it, as printed: metrics, a step, an epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochBegins:
    """A line that only names the epoch that begins: what follows is in it."""

    offset: int
    epoch: int
    total_epochs: int | None = None
    first_epoch: int | None = None


Printed = Progress | CheckpointSaved | InEpoch | Bar | EpochBegins
