"""Minimal runs for tests of the domain and the store."""

from __future__ import annotations

from typing import Any

from backprop_tui.domain.lifecycle import begin_attempt
from backprop_tui.domain.run import Queued, Run, Running, Spec

BOOT = "boot"


def queued(run_id: str = "r1", **changes: Any) -> Run:
    """A queued run; what is a field of Spec goes there."""
    spec_fields = {name: changes.pop(name) for name in list(changes) if name in Spec.__dataclass_fields__}
    spec = Spec(**{"command": ("python3", "train.py"), "script": "/w/train.py", "cwd": "/w", **spec_fields})
    fields = {"name": run_id, "host": "h", "created_at": 100.0, "position": 100.0, "state": Queued(since=100.0)}
    return Run(id=run_id, spec=spec, **{**fields, **changes})


def running(run: Run | None = None, *, now: float = 110.0) -> Run:
    """The run in its next attempt."""
    return begin_attempt(run or queued(), now=now, boot_id=BOOT).to(Running(since=now))
