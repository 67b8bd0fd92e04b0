"""The governor's decision about runs that are not queued: for `--dry-run`, `--no-wait` and the form of a new run."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.domain.governor.admission import Decision, Hold, decide
from backprop_tui.domain.governor.reasons import Check, HoldReason
from backprop_tui.domain.queue_order import in_order
from backprop_tui.domain.run import Run
from backprop_tui.domain.telemetry import Readings
from backprop_tui.engine.book import UnfinishedRuns
from backprop_tui.engine.candidates import snapshot_for
from backprop_tui.engine.dependencies import UnmetDependency, pending_dependencies
from backprop_tui.engine.machine import Capacity
from backprop_tui.engine.measuring import ReadingsSource
from backprop_tui.store.home import Home


def preview(home: Home, config_path: str, runs: Sequence[Run], readings: Readings | None) -> tuple[Decision, ...]:
    """The decisions that one pass over the queue would make about these runs, in their order. Changes nothing.

    Runs that are ahead in the queue, queued ones and those of `runs`, are assumed to start where they may. `readings`
    are fresh ones; None means those of the running sampler.
    """
    unfinished = UnfinishedRuns(home)
    unfinished.refresh()
    capacity = Capacity(home, config_path, ReadingsSource(home, readings))
    snapshot = capacity.snapshot(unfinished.active())
    decisions: dict[int, Decision] = {}
    for run in in_order([*unfinished.queued(), *runs]):
        dependencies = pending_dependencies(run, unfinished)
        if isinstance(dependencies, UnmetDependency):
            decisions[id(run)] = Hold(reasons=(HoldReason(check=Check.DEPENDENCY, message=dependencies.reason),))
            continue
        candidate = capacity.candidate(run, dependencies)
        decision = decide(candidate, snapshot_for(run, snapshot, capacity.probe))
        decisions[id(run)] = decision
        if not isinstance(decision, Hold):
            snapshot = snapshot.with_started(candidate, decision.placement)
    return tuple(decisions[id(run)] for run in runs)
