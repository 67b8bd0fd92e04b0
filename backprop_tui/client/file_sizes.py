"""How much of a run's growing files was there at some moment, so that only what follows is shown as new."""

from __future__ import annotations

import os

from backprop_tui.domain.values import dataclass
from backprop_tui.store.run_directory import RunDirectory


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSizes:
    """Sizes in bytes; all 0 is the run's beginning."""

    log: int = 0
    events: int = 0
    metrics: int = 0


def current_sizes(directory: RunDirectory) -> FileSizes:
    """The sizes at this moment."""
    return FileSizes(
        log=_size(directory.log),
        events=_size(directory.file("events.jsonl")),
        metrics=_size(directory.file("metrics.jsonl")),
    )


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
