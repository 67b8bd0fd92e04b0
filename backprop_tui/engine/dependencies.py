"""`--after`: what a queued run still waits for, and whether that can ever come."""

from __future__ import annotations

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.governor.snapshot import AwaitedRun
from backprop_tui.domain.run import Run
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.domain.values import dataclass
from backprop_tui.engine.book import UnfinishedRuns

GOOD_ENDS = frozenset({Status.COMPLETED, Status.TIMEBOXED})


@dataclass(frozen=True, slots=True)
class UnmetDependency:
    """What it waits for will not come: why, in words."""

    reason: str


def awaited(run: Run, book: UnfinishedRuns) -> tuple[AwaitedRun, ...] | UnmetDependency:
    """The runs that must still end before this one may start."""
    waiting: list[AwaitedRun] = []
    for dependency in run.spec.after:
        other = _find(dependency.run, book)
        if other is None:
            if not dependency.any_end:
                return UnmetDependency(f"waited for {dependency.run}, which was removed")
        elif other.status not in ENDED:
            waiting.append(AwaitedRun(name=other.name, status=other.status))
        elif other.status not in GOOD_ENDS and not dependency.any_end:
            return UnmetDependency(f"waited for {other.name}, which ended {other.status}")
    return tuple(waiting)


def _find(run_id: str, book: UnfinishedRuns) -> Run | None:
    known = book.run(run_id)
    if known is not None:
        return known
    try:
        return book.directory(run_id).read()
    except BackpropError:
        return None
