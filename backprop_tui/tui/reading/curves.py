"""The loss of running runs from metrics.jsonl, read on from where it was read before."""

from __future__ import annotations

import json
import os
from datetime import datetime

from backprop_tui.domain.metric_names import main_loss
from backprop_tui.presentation.known_run import LossCurve
from backprop_tui.store.fields import JsonObject

MOST_POINTS = 240  # then every second one goes
FIRST_BYTES = 1 << 20  # so much of a long file is read at first: its end
PACE_POINTS = 40


class CurveReader:
    """The curve of one run."""

    __slots__ = ("_count", "_name", "_offset", "_pace", "_partial", "_path", "_stride", "_values")

    def __init__(self, path: str) -> None:
        self._path = path
        self._offset = 0
        self._partial = b""
        self._name: str | None = None
        self._values: list[float] = []
        self._pace: list[tuple[float, int]] = []
        self._stride, self._count = 1, 0

    def read(self) -> LossCurve:
        """The curve as it is now."""
        for line in self._new_lines():
            self._take(line)
        return LossCurve(name=self._name, values=tuple(self._values), step_seconds=self._step_seconds())

    def _new_lines(self) -> list[JsonObject]:
        try:
            size = os.stat(self._path).st_size
            if size <= self._offset:
                return []
            start = self._offset or max(0, size - FIRST_BYTES)
            with open(self._path, "rb", buffering=0) as file:
                file.seek(start)
                content = self._partial + (file.read(size - start) or b"")
        except OSError:
            return []  # the curve is an ornament: a run without one is shown all the same
        *whole, self._partial = content.split(b"\n")
        if start and not self._offset:
            whole = whole[1:]  # the first one is torn
        self._offset = size
        return [value for value in map(_object, whole) if value is not None]

    def _take(self, line: JsonObject) -> None:
        metrics = line.get("metrics")
        if not isinstance(metrics, dict):
            return
        self._choose([str(name) for name in metrics])
        value = metrics.get(self._name)
        if isinstance(value, int | float):
            self._count += 1
            if self._count % self._stride == 0:
                self._values.append(float(value))
            if len(self._values) > MOST_POINTS:
                del self._values[::2]
                self._stride *= 2
        self._take_pace(line)

    def _choose(self, names: list[str]) -> None:
        """The loss of training, also where that on other data was told first."""
        found = main_loss([*([] if self._name is None else [self._name]), *names])
        if found != self._name:
            self._name = found
            self._values.clear()
            self._stride, self._count = 1, 0

    def _take_pace(self, line: JsonObject) -> None:
        step, text = line.get("step"), line.get("time")
        if not isinstance(step, int) or not isinstance(text, str):
            return
        try:
            moment = datetime.fromisoformat(text).timestamp()
        except ValueError:
            return
        if self._pace and step < self._pace[-1][1]:
            self._pace.clear()  # resumed from an earlier checkpoint
        self._pace.append((moment, step))
        del self._pace[:-PACE_POINTS]

    def _step_seconds(self) -> float | None:
        """The median, so that a pause, an evaluation or a checkpoint in between does not count."""
        pairs = zip(self._pace, self._pace[1:], strict=False)
        each = sorted((now - before) / (step - last) for (before, last), (now, step) in pairs if step > last)
        return each[len(each) // 2] if each and each[len(each) // 2] > 0 else None


def _object(line: bytes) -> JsonObject | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
