"""Reads `trainer_state.json`, which the Hugging Face Trainer writes with each checkpoint: all it logged, with steps."""

from __future__ import annotations

import json
from typing import Any

from backprop_tui.readers.printed_numbers import number, step_count
from backprop_tui.readers.training_keys import epoch_of, figures_of_training
from backprop_tui.readers.values import Progress

NAME = "trainer_state.json"
_NO_METRICS = frozenset(("step", "epoch"))


def progress_in_state(content: bytes) -> list[Progress]:
    """What was logged, oldest first, and then how far the training is of how much; empty for what is no such file."""
    try:
        state = json.loads(content)
    except (ValueError, RecursionError):  # half-written, or nested too deep
        return []
    if not isinstance(state, dict):
        return []
    history = state.get("log_history")
    told = [_logged(entry) for entry in history if isinstance(entry, dict)] if isinstance(history, list) else []
    step = step_count(number(state.get("global_step")))
    if step is not None:
        told.append(
            Progress(
                offset=0,
                step=step,
                epoch=epoch_of(number(state.get("epoch"))),
                total_steps=step_count(number(state.get("max_steps"))) or None,
                total_epochs=step_count(number(state.get("num_train_epochs"))) or None,
            )
        )
    return told


def _logged(entry: dict[str, Any]) -> Progress:
    return Progress(
        offset=0,
        step=step_count(number(entry.get("step"))),
        epoch=epoch_of(number(entry.get("epoch"))),
        metrics=figures_of_training(entry, leave_out=_NO_METRICS),
    )
