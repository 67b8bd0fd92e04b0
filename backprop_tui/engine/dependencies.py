"""`--after`: the runs that a queued run waits for, and whether it can still start."""

from __future__ import annotations

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.governor.snapshot import AwaitedRun
from backprop_tui.domain.run import Run
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.domain.values import dataclass
from backprop_tui.engine.book import UnfinishedRuns

SUCCESSFUL_ENDS = frozenset({Status.COMPLETED, Status.TIMEBOXED})


@dataclass(frozen=True, slots=True)
class UnmetDependency:
    """The run can never start; `reason` is for people."""

    reason: str


def pending_dependencies(run: Run, unfinished: UnfinishedRuns) -> tuple[AwaitedRun, ...] | UnmetDependency:
    """The runs that must still end before this run may start."""
    pending: list[AwaitedRun] = []
    for dependency in run.spec.after:
        other = _find(dependency.run, unfinished)
        if other is None:
            if not dependency.any_end:
                return UnmetDependency(f"waited for {dependency.run}, which was removed")
        elif other.status not in ENDED:
            pending.append(AwaitedRun(name=other.name, status=other.status))
        elif other.status not in SUCCESSFUL_ENDS and not dependency.any_end:
            return UnmetDependency(f"waited for {other.name}, which ended {other.status}")
    return tuple(pending)


def _find(run_id: str, unfinished: UnfinishedRuns) -> Run | None:
    run = unfinished.get(run_id)
    if run is not None:
        return run
    try:
        return unfinished.directory(run_id).read()
    except BackpropError:
        return None
