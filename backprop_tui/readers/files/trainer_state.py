"""Reads `trainer_state.json`, which the Hugging Face Trainer saves with each checkpoint: the whole log, with steps."""

from __future__ import annotations

import json
from typing import Any

from backprop_tui.readers.events import Progress
from backprop_tui.readers.printed_numbers import as_count, parse_number
from backprop_tui.readers.training_keys import as_epoch, numeric_metrics

NAME = "trainer_state.json"
_NOT_METRICS = frozenset(("step", "epoch", "total_flos"))


def parse_trainer_state(content: bytes) -> list[Progress]:
    """Returns the logged metrics, oldest first, followed by the overall progress; empty if the content is not valid."""
    try:
        state = json.loads(content)
    except (ValueError, RecursionError):  # half-written, or nested too deep
        return []
    if not isinstance(state, dict):
        return []
    history = state.get("log_history")
    entries = history if isinstance(history, list) else []
    events = [_logged_metrics(entry) for entry in entries if isinstance(entry, dict)]
    step = as_count(parse_number(state.get("global_step")))
    if step is not None:
        events.append(
            Progress(
                offset=0,
                step=step,
                epoch=as_epoch(parse_number(state.get("epoch"))),
                total_steps=as_count(parse_number(state.get("max_steps"))) or None,
                total_epochs=as_count(parse_number(state.get("num_train_epochs"))) or None,
            )
        )
    return events


def _logged_metrics(entry: dict[str, Any]) -> Progress:
    return Progress(
        offset=0,
        step=as_count(parse_number(entry.get("step"))),
        epoch=as_epoch(parse_number(entry.get("epoch"))),
        metrics=numeric_metrics(entry, exclude=_NOT_METRICS),
    )
