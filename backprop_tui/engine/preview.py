"""What the governor would say to runs that are not queued: for `--dry-run`, `--no-wait` and the form of a new run."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.domain.governor.admission import Decision, Hold, decide
from backprop_tui.domain.governor.reasons import Check, HoldReason
from backprop_tui.domain.queue_order import in_order
from backprop_tui.domain.run import Run
from backprop_tui.domain.telemetry import Readings
from backprop_tui.engine.book import UnfinishedRuns
from backprop_tui.engine.candidates import candidate_of, snapshot_for
from backprop_tui.engine.dependencies import UnmetDependency, awaited
from backprop_tui.engine.machine import Capacity
from backprop_tui.engine.measuring import ReadingsSource
from backprop_tui.store.home import Home


def preview(home: Home, config_path: str, runs: Sequence[Run], measured: Readings | None) -> tuple[Decision, ...]:
    """The decisions of one pass over the queue with these runs in it, in their order; nothing is changed.

    What waits before one of them is taken to go first where it may, the others of them too. `measured` is of now, None
    where a sampler writes.
    """
    book = UnfinishedRuns(home)
    book.refresh()
    machine = Capacity(home, config_path, ReadingsSource(home, measured))
    snapshot = machine.snapshot(book.active())
    decisions: dict[int, Decision] = {}
    for other in in_order([*book.queued(), *runs]):
        waits_for = awaited(other, book)
        if isinstance(waits_for, UnmetDependency):
            decisions[id(other)] = Hold(reasons=(HoldReason(check=Check.DEPENDENCY, message=waits_for.reason),))
            continue
        candidate = candidate_of(other, waits_for, machine.learned_peak(other), machine.mount_of(other))
        decision = decide(candidate, snapshot_for(other, snapshot, machine.probe))
        decisions[id(other)] = decision
        if not isinstance(decision, Hold):
            snapshot = snapshot.with_started(candidate, decision.placement)
    return tuple(decisions[id(run)] for run in runs)
