"""Reads `trainer_state.json`, which the Hugging Face Trainer writes with each checkpoint: all it logged, with steps."""

from __future__ import annotations

import json
from typing import Any

from backprop_tui.readers.printed_numbers import parse_number, as_count
from backprop_tui.readers.training_keys import as_epoch, numeric_metrics
from backprop_tui.readers.values import Progress

NAME = "trainer_state.json"
_NOT_METRICS = frozenset(("step", "epoch"))


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
    step = as_count(parse_number(state.get("global_step")))
    if step is not None:
        told.append(
            Progress(
                offset=0,
                step=step,
                epoch=as_epoch(parse_number(state.get("epoch"))),
                total_steps=as_count(parse_number(state.get("max_steps"))) or None,
                total_epochs=as_count(parse_number(state.get("num_train_epochs"))) or None,
            )
        )
    return told


def _logged(entry: dict[str, Any]) -> Progress:
    return Progress(
        offset=0,
        step=as_count(parse_number(entry.get("step"))),
        epoch=as_epoch(parse_number(entry.get("epoch"))),
        metrics=numeric_metrics(entry, exclude=_NOT_METRICS),
    )
