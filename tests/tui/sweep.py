"""Runs of a sweep with any arguments and results, for tests of tables and curves of groups."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from backprop_tui.domain.smoothed_curve import Extreme
from backprop_tui.domain.status import Status
from backprop_tui.presentation.known_run import KnownRun
from tests.tui.snapshots import ended, queued, running

GROUP = "lr x seed"
MEANS = {"1e-3": 0.131, "3e-3": 0.045, "1e-2": 0.067}


def sweep_run(arguments: str, value: float | None = None, status: Status = Status.COMPLETED, **fields: Any) -> KnownRun:
    """A run with these arguments and this validation loss."""
    run_id = fields.pop("run_id", arguments.replace(" ", "").strip("-"))
    words = arguments.replace("--", "").split()
    best = {"val_loss": Extreme(value, 500), "val_acc": Extreme(0.9, 500)} if value is not None else {}
    known: dict[str, Any] = {
        "name": f"train:{','.join(map('='.join, zip(words[::2], words[1::2], strict=False)))}",
        "group": GROUP,
        "metrics": {} if value is None else {"val_loss": value, "val_acc": 0.9},
        "best": best if value is not None and math.isfinite(value) else {},
        "step": 528,
    }
    known |= fields
    match status:
        case Status.QUEUED:
            run = queued(run_id, group=GROUP, name=known["name"])
        case Status.RUNNING:
            run = running(run_id, **known)
        case _:
            run = ended(run_id, status, **known)
    command = ["python", "train.py", *arguments.split()]
    return replace(run, record={**run.record, "command": command, "script": "train.py"})


def sweep_runs() -> list[KnownRun]:
    """Three learning rates with four seeds each; the middle one is the best."""
    return [
        sweep_run(f"--lr {lr} --seed {seed}", mean + (seed - 2.5) / 100, run_id=f"{lr}s{seed}".replace("-", ""))
        for lr, mean in MEANS.items()
        for seed in range(1, 5)
    ]
