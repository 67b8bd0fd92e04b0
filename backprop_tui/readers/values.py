"""What a reader gives: the values that a line of a log says of a training run.

`offset` is the byte of the log just after the terminator of the line a value came from: whoever has recorded the value
may read on from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from backprop_tui.domain.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the training is; what the line does not say is None.

    Metrics carry the names and the order they were printed with; NaN and infinities are kept, since they are news.
    """

    offset: int
    step: int | None = None
    epoch: float | None = None
    total_steps: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointSaved:
    """The script says that it saved a checkpoint; `path` is as printed, perhaps relative to the script's directory."""

    offset: int
    path: str
    step: int | None = None


LogValue = Progress | CheckpointSaved
