"""Applies edit requests to a run."""

from __future__ import annotations

from dataclasses import replace

from backprop_tui.domain.requests import EditRequest, TimeboxRequest
from backprop_tui.domain.run import Run


def edited(run: Run, request: EditRequest) -> Run:
    """Returns the run with the given fields changed; an empty note removes the note."""
    return replace(
        run,
        name=run.name if request.name is None else request.name,
        tags=run.tags if request.tags is None else request.tags,
        note=run.note if request.note is None else request.note or None,
        priority=run.priority if request.priority is None else request.priority,
    )


def with_timebox(run: Run, request: TimeboxRequest) -> Run:
    """Returns the run with another timebox; running time already used counts towards it."""
    return replace(run, spec=replace(run.spec, max_run_seconds=request.max_run_seconds))
