"""governor.json: the governor's last decision and why each queued run waits, for the front ends to show."""

from __future__ import annotations

import os
from dataclasses import asdict

from backprop_tui.domain.governor.governor_state import governor_state
from backprop_tui.domain.times import iso
from backprop_tui.engine.queue_keeper import PassResult
from backprop_tui.store.files import dump, write_atomically
from backprop_tui.store.home import Home


def write_governor(home: Home, result: PassResult, time: float) -> None:
    """Writes what the last pass decided.

    Raises:
        StorageFailed: for example, the disk is full; the previous file stays.
    """
    state = governor_state(result.snapshot, result.holds.values(), waiting=len(result.queue_positions))
    content = {
        "time": iso(time),
        "pid": os.getpid(),
        "state": state.state,
        "reasons": [asdict(reason) for reason in state.reasons],
        "start_tokens": state.start_tokens,
        "start_burst": state.start_burst,
        "max_parallel": state.max_parallel,
        "active": state.active,
        "waiting": state.waiting,
        "queue_held": state.queue_held,
        "held": {run_id: [asdict(reason) for reason in hold.reasons] for run_id, hold in result.holds.items()},
        "places": result.queue_positions,
    }
    write_atomically(home.governor, dump(content), durable=False)
