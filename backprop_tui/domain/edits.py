"""What people may change of a run that exists."""

from __future__ import annotations

from dataclasses import replace

from backprop_tui.domain.requests import EditRequest, TimeboxRequest
from backprop_tui.domain.run import Run


def edited(run: Run, request: EditRequest) -> Run:
    """The run with what is given changed; an empty note takes the note away."""
    return replace(
        run,
        name=run.name if request.name is None else request.name,
        tags=run.tags if request.tags is None else request.tags,
        note=run.note if request.note is None else request.note or None,
        priority=run.priority if request.priority is None else request.priority,
    )


def with_timebox(run: Run, request: TimeboxRequest) -> Run:
    """The run with another timebox; seconds that were used already count."""
    return replace(run, spec=replace(run.spec, max_run_seconds=request.max_run_seconds))
