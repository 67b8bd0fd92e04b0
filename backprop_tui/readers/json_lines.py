"""Reads the JSON a script prints: `{"step": 500, "loss": 0.015}`, `{"event": "checkpoint_saved", "path": "x"}`.

An object may stand behind a prefix, as loggers and launchers print one, and two processes may have met on a line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from backprop_tui.readers.training_keys import checkpoint_in, is_measure, progress_in
from backprop_tui.readers.values import LogValue

MOST_OBJECTS_A_LINE = 8  # bounds the time that a hostile line takes

_OBJECT_START = re.compile(r'\{\s*"')
_INNER_OBJECT = re.compile(r'"\s*:\s*$')  # what stands before the value of a key
_OUTSIDE = " \t\r\n\ufeff"

_decode = json.JSONDecoder().raw_decode


class JsonLines:
    """The reader of JSON lines; keeps nothing between lines."""

    marks = (b"{",)

    def read(self, line: str, offset: int) -> list[LogValue]:
        """The values of every object on the line."""
        values: list[LogValue] = []
        for fields, alone in _objects(line):
            checkpoint = checkpoint_in(fields, offset=offset)
            progress = progress_in(fields, alone=alone, offset=offset)
            if checkpoint is not None:
                values.append(checkpoint)
                # The size of a file and the seconds it took are no metrics of the training.
                if progress is not None and not any(map(is_measure, progress.metrics)):
                    continue
            if progress is not None:
                values.append(progress)
        return values


def _objects(line: str) -> Iterator[tuple[Mapping[str, object], bool]]:
    """The outermost objects, each with whether it stands alone on the line."""
    position = 0
    for _ in range(MOST_OBJECTS_A_LINE):
        start = _OBJECT_START.search(line, position)
        if start is None:
            return
        try:
            fields, end = _decode(line, start.start())
        except (ValueError, RecursionError):  # no JSON, a number of thousands of digits, or nested too deep
            position = start.start() + 1
            continue
        before, after = line[position : start.start()], line[end:]
        if not _INNER_OBJECT.search(before):
            yield fields, not line[: start.start()].strip(_OUTSIDE) and not after.strip(_OUTSIDE)
        position = end
