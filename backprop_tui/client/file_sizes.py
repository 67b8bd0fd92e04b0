"""How much of a run's growing files was there at some moment, so that only what follows is shown as new."""

from __future__ import annotations

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.tail import size_of


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class FileSizes:
    """Sizes in bytes; all 0 is the run's beginning."""

    log: int = 0
    events: int = 0
    metrics: int = 0


def current_sizes(directory: RunDirectory) -> FileSizes:
    return FileSizes(
        log=size_of(directory.log),
        events=size_of(directory.events_path),
        metrics=size_of(directory.metrics_path),
    )
