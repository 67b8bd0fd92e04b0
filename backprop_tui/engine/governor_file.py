"""governor.json: what the governor decided last and why each queued run waits, for everyone who shows it."""

from __future__ import annotations

import os
from dataclasses import asdict

from backprop_tui.domain.governor.governor_state import governor_state
from backprop_tui.domain.governor.reasons import HoldReason
from backprop_tui.domain.times import iso
from backprop_tui.engine.queue_keeper import PassResult
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.files import dump, write_atomically
from backprop_tui.store.home import Home

FILE = "governor.json"


def encode_reason(reason: HoldReason) -> JsonObject:
    """The public shape of a hold reason."""
    return asdict(reason)


def write_governor(home: Home, passed: PassResult, time: float) -> None:
    """Writes what the last pass decided.

    Raises:
        StorageFailed: disk full or the like; the old one stays.
    """
    state = governor_state(passed.snapshot, passed.holds.values(), waiting=len(passed.places))
    content = {
        "time": iso(time),
        "pid": os.getpid(),
        "state": state.state,
        "reasons": [encode_reason(reason) for reason in state.reasons],
        "start_tokens": state.start_tokens,
        "start_burst": state.start_burst,
        "max_parallel": state.max_parallel,
        "active": state.active,
        "waiting": state.waiting,
        "queue_held": state.queue_held,
        "held": {run_id: [encode_reason(reason) for reason in hold.reasons] for run_id, hold in passed.holds.items()},
        "places": passed.places,
    }
    write_atomically(home.host_file(FILE), dump(content), durable=False)
