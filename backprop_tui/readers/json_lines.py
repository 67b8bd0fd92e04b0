"""Reads JSON objects: `{"step": 500, "loss": 0.015}`, `{"event": "checkpoint_saved", "path": "x"}`.

An object may follow a logging prefix, and a line may hold several if two processes printed at the same time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from backprop_tui.readers.events import EpochProgress, Progress, ReaderEvent
from backprop_tui.readers.line_items import split_of
from backprop_tui.readers.training_keys import (
    checkpoint_from_fields,
    is_known_metric,
    is_training_metric,
    names_split,
    progress_from_fields,
)

MAX_OBJECTS_PER_LINE = 8  # bounds the time spent on a hostile line

_OBJECT_START = re.compile(r'\{\s*"')
_INNER_OBJECT = re.compile(r'"\s*:\s*$')  # the text before an object that is the value of a key
_CONTAINERS = ("metrics", "scalars", "values", "logs", "data")  # their keys are names of metrics by themselves
_MESSAGES = ("message", "msg", "log")
_OUTSIDE = " \t\r\n\ufeff"

_decode = json.JSONDecoder().raw_decode


class JsonLines:
    marks = (b"{",)

    def read(self, line: str, offset: int) -> list[ReaderEvent]:
        events: list[ReaderEvent] = []
        for fields, alone in _objects(line):
            checkpoint = checkpoint_from_fields(fields, offset=offset)
            progress = progress_from_fields(_flat(fields), alone=alone, offset=offset)
            if checkpoint is not None:
                events.append(checkpoint)
                # The file size and the time taken to save are not metrics of the training.
                if progress is not None and not any(map(is_training_metric, progress.metrics)):
                    continue
            if progress is not None:
                mode = fields.get("mode")
                events.append(_of_mode(progress, mode, "iter" in fields) if isinstance(mode, str) else progress)
        return events


def _of_mode(progress: Progress, mode: str, has_iter: bool) -> ReaderEvent:  # noqa: FBT001
    """`{"mode": "val", "epoch": 3, "iter": 10, "accuracy": 0.5}` of mmcv, whose `iter` begins again in each epoch."""
    counts_in_epoch = has_iter and progress.epoch is not None
    if split_of(mode):
        metrics = {
            f"{mode} {name}" if is_known_metric(name) and not names_split(name) else name: value
            for name, value in progress.metrics.items()
        }
        return replace(progress, step=None if counts_in_epoch else progress.step, metrics=metrics)
    if not counts_in_epoch or progress.epoch is None or not progress.epoch.is_integer():
        return progress
    epoch = int(progress.epoch)
    return EpochProgress(offset=progress.offset, done=None, total=None, epoch=epoch, metrics=progress.metrics)


def message_of(line: str) -> str | None:
    """Returns the text that a logger wrapped in an object; None if there is none."""
    fields = next((fields for fields, alone in _objects(line) if alone), {})
    return next((text for key in _MESSAGES if isinstance(text := fields.get(key), str)), None)


def _flat(fields: Mapping[str, object]) -> Mapping[str, object]:
    """With the numbers of inner objects, if the outer one names a position: else they may be a configuration."""
    if not any(key.lower() in ("step", "global_step", "epoch", "iteration", "iter") for key in fields):
        return fields
    flat = dict(fields)
    for key, value in fields.items():
        if isinstance(value, dict):
            if key.lower() in _CONTAINERS:
                flat = {**value, **flat}
            else:
                flat |= {f"{key}/{name}": number for name, number in value.items() if is_known_metric(f"{key}/{name}")}
    return flat


def _objects(line: str) -> Iterator[tuple[Mapping[str, object], bool]]:
    """Returns the outermost objects, each with whether it is the only text on the line."""
    position = 0
    for _ in range(MAX_OBJECTS_PER_LINE):
        start = _OBJECT_START.search(line, position) if "{" in line[position:] else None
        if start is None:
            return
        try:
            fields, end = _decode(line, start.start())
        except (ValueError, RecursionError):  # not JSON, a number with thousands of digits, or nested too deep
            position = start.start() + 1
            continue
        before, after = line[position : start.start()], line[end:]
        if not _INNER_OBJECT.search(before):
            yield fields, not line[: start.start()].strip(_OUTSIDE) and not after.strip(_OUTSIDE)
        position = end
