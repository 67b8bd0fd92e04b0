"""Where following a run begins."""

from __future__ import annotations

from backprop_tui.domain.values import dataclass
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.tail import size_of


@dataclass(frozen=True, slots=True, kw_only=True)
class From:
    """Where following begins: how much of each file is known already. All 0: from the run's beginning."""

    log: int = 0
    events: int = 0
    metrics: int = 0


def known_so_far(directory: RunDirectory) -> From:
    """Following from now on: what the run's files hold already is known."""
    return From(
        log=size_of(directory.log),
        events=size_of(directory.events_path),
        metrics=size_of(directory.metrics_path),
    )
