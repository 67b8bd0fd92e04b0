"""Changes of runs that are not of their state: what people may edit, and the order of the queue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from backprop_tui.domain.objective import Objective, still_best
from backprop_tui.domain.requests import EditRequest, TimeboxRequest
from backprop_tui.domain.run import Ended, Queued, Run
from backprop_tui.domain.slurm import given_options
from backprop_tui.domain.thresholds import Thresholds, after_start, with_thresholds


def apply_edit(run: Run, request: EditRequest) -> Run:
    """Returns the run with the given fields changed; an empty note removes the note."""
    edited = replace(
        run,
        name=run.name if request.name is None else request.name,
        tags=run.tags if request.tags is None else request.tags,
        note=run.note if request.note is None else request.note or None,
        priority=run.priority if request.priority is None else request.priority,
        baseline=run.baseline if request.baseline is None else request.baseline,
        **_with_objective(run, request.objective),
    )
    if request.slurm is not None and isinstance(run.state, Queued):
        slurm = replace(edited.spec.slurm, **given_options(request.slurm))
        edited = replace(edited, spec=replace(edited.spec, slurm=slurm))
    return edited if request.thresholds is None else _with_thresholds(edited, request.thresholds)


def _with_objective(run: Run, objective: Objective | None) -> dict[str, Any]:
    """The fields of a run that change with its objective."""
    if objective is None or not isinstance(run.state, Queued | Ended):
        return {}
    best = still_best(run.best, run.spec.objective, objective)
    return {"spec": replace(run.spec, objective=objective), "best": best}


def _with_thresholds(run: Run, thresholds: Thresholds) -> Run:
    if isinstance(run.state, Ended):
        return run
    effective = thresholds if isinstance(run.state, Queued) else after_start(thresholds)
    return replace(run, spec=replace(run.spec, limits=with_thresholds(run.spec.limits, effective)))


def with_timebox(run: Run, request: TimeboxRequest) -> Run:
    """Returns the run with another timebox; running time already used counts towards it."""
    return replace(run, spec=replace(run.spec, max_run_seconds=request.max_run_seconds))


def stopped_too(stopped: AbstractSet[str], queued: Iterable[Run]) -> list[Run]:
    """Returns the queued runs that can never start once these are stopped, with those that wait for them in turn."""
    left = [run for run in queued if run.id not in stopped]
    more = [run for run in left if any(other.run in stopped and not other.any_end for other in run.spec.after)]
    return [*more, *stopped_too(stopped | {run.id for run in more}, left)] if more else []


def sort_queue(queued: Iterable[Run]) -> list[Run]:
    """Sorts by priority, highest first, then by position, which is the time of queueing unless the run was moved."""
    return sorted(queued, key=lambda run: (-run.priority, run.position, run.id))


def move_in_queue(run: Run, queue: Sequence[Run], number: int) -> Run:
    """Returns the run moved within the whole queue; it takes the priority of the run that it comes before.

    `number` is the new position, counted from 1; one past the end means the end.
    """
    others = [other for other in queue if other.id != run.id]
    index = max(0, min(number - 1, len(others)))
    before = others[index - 1] if index > 0 else None
    after = others[index] if index < len(others) else None
    if before is not None and (after is None or before.priority == run.priority != after.priority):
        return replace(run, priority=before.priority, position=before.position + 1)
    if after is None:
        return run
    if before is None or before.priority != after.priority:
        return replace(run, priority=after.priority, position=after.position - 1)
    return replace(run, priority=after.priority, position=(before.position + after.position) / 2)
