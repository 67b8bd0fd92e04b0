"""The metrics of a run over its steps, read from metrics.jsonl in bounded memory."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from backprop_tui.cli.metric_names import less_is_better
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.run_directory import RunDirectory

MOST_POINTS = 4096  # of one metric; then every second one goes


@dataclass(frozen=True, slots=True)
class Extreme:
    """A value and the step it was reached at; None where the script prints no steps."""

    value: float
    step: int | None


@dataclass(slots=True)
class Series:
    """One metric: the points that are kept for drawing, oldest first, and its extremes over all values."""

    name: str
    points: list[tuple[float, float]] = field(default_factory=list)
    count: int = 0
    not_finite: int = 0
    first: Extreme | None = None
    last: Extreme | None = None
    least: Extreme | None = None
    most: Extreme | None = None
    _stride: int = 1

    @property
    def best(self) -> Extreme | None:
        """None where the name does not tell which way is better."""
        less = less_is_better(self.name)
        return None if less is None else self.least if less else self.most

    def add(self, value: float, step: int | None) -> None:
        """The next value."""
        self.count += 1
        self.last = Extreme(value, step)
        if not math.isfinite(value):
            self.not_finite += 1
            return
        self.first = self.first or self.last
        if self.least is None or value < self.least.value:
            self.least = self.last
        if self.most is None or value > self.most.value:
            self.most = self.last
        if self.count % self._stride == 0:
            self._keep(float(self.count if step is None else step), value)

    def _keep(self, x: float, value: float) -> None:
        self.points.append((x, value))
        if len(self.points) > MOST_POINTS:
            del self.points[::2]
            self._stride *= 2

    def drawn(self) -> list[tuple[float, float]]:
        """The points, the newest too."""
        last = self.last
        if last is None or not math.isfinite(last.value):
            return self.points
        newest = (float(self.count if last.step is None else last.step), last.value)
        return self.points if self.points and self.points[-1] == newest else [*self.points, newest]


def history(directory: RunDirectory) -> dict[str, Series]:
    """Every metric by its name, in the order in which they first came; empty where none was printed."""
    found: dict[str, Series] = {}
    for line in _lines(directory.file("metrics.jsonl")):
        step = line.get("step")
        for name, value in _values(line):
            if name not in found:
                found[name] = Series(name)
            found[name].add(value, step if isinstance(step, int) else None)
    return found


def _values(line: JsonObject) -> Iterator[tuple[str, float]]:
    metrics = line.get("metrics")
    for name, value in metrics.items() if isinstance(metrics, dict) else ():
        try:
            yield name, float(value)
        except (TypeError, ValueError):
            continue


def _lines(path: str) -> Iterator[JsonObject]:
    """The objects in a file of JSON lines; torn and foreign ones are left out."""
    if not os.path.exists(path):
        return
    with open(path, "rb") as file:
        yield from _objects(file)


def _objects(lines: Iterable[bytes]) -> Iterator[JsonObject]:
    for line in lines:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value
