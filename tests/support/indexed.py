"""Runs that have ended and stand in the index, as a supervisor leaves them."""

from __future__ import annotations

from backprop_tui.engine.indexing import index_runs
from backprop_tui.store.home import Home
from backprop_tui.store.run_view import marked_views


def index_all(home: Home) -> None:
    """Everything that is marked is indexed; what has ended is unmarked."""
    index_runs(home, [one.run for one in marked_views(home)])
