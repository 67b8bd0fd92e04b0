"""What the governor would say to a run that is not queued: for `--dry-run`, `--no-wait` and the form of a new run."""

from __future__ import annotations

from backprop_tui.domain.governor.admission import Decision, Hold, decide
from backprop_tui.domain.governor.reasons import Check, HoldReason
from backprop_tui.domain.queue_order import in_order
from backprop_tui.domain.run import Run
from backprop_tui.domain.telemetry import Readings
from backprop_tui.engine.book import Book
from backprop_tui.engine.candidates import candidate_of, seen_by
from backprop_tui.engine.dependencies import Hopeless, awaited
from backprop_tui.engine.machine import Machine
from backprop_tui.engine.measuring import Measurements
from backprop_tui.store.home import Home


def preview(home: Home, config_path: str, run: Run, measured: Readings | None) -> Decision:
    """The decision of a pass over the queue with this run in it; nothing is changed.

    Runs that wait before it are taken to go first where they may. `measured` is of now, None where a sampler writes.
    """
    book = Book(home)
    book.refresh()
    machine = Machine(home, config_path, Measurements(home, measured))
    snapshot = machine.snapshot(book.active())
    for other in in_order([*book.queued(), run]):
        waits_for = awaited(other, book)
        if isinstance(waits_for, Hopeless):
            if other is run:
                return Hold(reasons=(HoldReason(check=Check.DEPENDENCY, message=waits_for.reason),))
            continue
        candidate = candidate_of(other, waits_for, machine.learned_peak(other), machine.mount_of(other))
        decision = decide(candidate, seen_by(other, snapshot, machine.probe))
        if other is run:
            return decision
        if not isinstance(decision, Hold):
            snapshot = snapshot.with_started(candidate, decision.placement)
    raise AssertionError("the run is in the queue that was just built")
