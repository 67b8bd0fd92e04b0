"""Indexes runs as a supervisor does."""

from __future__ import annotations

from backprop_tui.engine.unfinished_runs import index_runs
from backprop_tui.store.home import Home
from backprop_tui.store.run_view import marked_views


def index_all(home: Home) -> None:
    """Indexes all marked runs and removes the markers of those that have ended."""
    index_runs(home, [entry.run for entry in marked_views(home)])
