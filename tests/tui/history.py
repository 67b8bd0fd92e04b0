"""Ended runs for tests of the list and its columns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from backprop_tui.domain.run import Cause
from backprop_tui.domain.smoothed_curve import Extreme
from backprop_tui.domain.status import Status
from backprop_tui.presentation.known_run import KnownRun
from tests.tui.screens.test_main import Stage
from tests.tui.snapshots import ended, queued, running

DAY = 86_400.0
WHY = "RuntimeError: Expected all tensors to be on the same device, but found cuda:0 and cpu"


def trained(run_id: str, lr: str, val_loss: float | None, **fields: Any) -> KnownRun:
    """A run of `train.py` with this learning rate and last value."""
    figures = {} if val_loss is None else {"loss": val_loss / 2, "val_loss": val_loss}
    best = {name: Extreme(value * 0.9, 400) for name, value in figures.items()}
    run = ended(run_id, name="nano", metrics=figures, best=best, **fields)
    command = ["python", "train.py", "--lr", lr, "--epochs", "3"]
    return replace(run, record=run.record | {"command": command, "script": "train.py"})


ENDED = (
    trained("e1", "1e-3", 0.05, ago=600, step=528),
    trained("e2", "1e-4", 0.03, ago=2 * DAY, step=900),
    trained("e3", "1e-4", 0.4, ago=20 * DAY, step=700),
    trained("e4", "1e-2", None, ago=400 * DAY, status=Status.FAILED, cause=Cause(kind="python_error", evidence=WHY)),
)
RUNS = (running("live", step=5, total_steps=10, metrics={"loss": 2.0}), queued("wait"), *ENDED)


def line_of(stage: Stage, run_id: str) -> str:
    """The line of a run, below the heading of the list and that of ended runs."""
    index = stage.runs.view.ids.index(run_id)
    return stage.runs.line_text(
        1 + index + int(stage.runs.view.has_two_parts and index >= stage.runs.view.history_from)
    )
