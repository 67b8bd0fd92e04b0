"""Exports the metrics of runs as rows, one for each line of metrics.jsonl, with attempt and running time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

from backprop_tui.domain.formatting import from_iso
from backprop_tui.domain.run import AttemptTimeline
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.tail import JsonTail

# `attempt` counts from 1; `seconds` is the time since the first start without that between attempts.
COLUMNS = ("time", "attempt", "seconds", "step", "epoch")


def export_csv(source: str, target: str, attempts: AttemptTimeline | None = None) -> str:
    """Writes the metrics in `source` to a new CSV file, numbered if `target` exists; returns its path."""
    import csv

    names = metric_names([source])
    with _new_file(target) as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, *names])
        for row in rows(source, attempts or AttemptTimeline()):
            writer.writerow(cells(row, names))
        return file.name


def metric_names(sources: Iterable[str]) -> list[str]:
    """Returns the names of all metrics in these files, in order of first appearance."""
    return list(dict.fromkeys(name for source in sources for line in _lines(source) for name in line["metrics"]))


def rows(source: str, attempts: AttemptTimeline) -> Iterator[JsonObject]:
    """Yields `COLUMNS` and `metrics` of each line; values that are not finite stay "NaN", "Infinity", "-Infinity"."""
    for line in _lines(source):
        time = _time(line.get("time")) if attempts.starts else None
        yield {
            "time": line.get("time"),
            "attempt": None if time is None else attempts.at(time) + 1,
            "seconds": None if time is None else round(attempts.elapsed(time), 3),
            "step": line.get("step"),
            "epoch": line.get("epoch"),
            "metrics": line["metrics"],
        }


def cells(row: JsonObject, names: Sequence[str]) -> list[object]:
    """Returns the cells of a CSV row; None becomes an empty cell."""
    return [*(row[name] for name in COLUMNS), *map(row["metrics"].get, names)]


def _time(text: object) -> float | None:
    try:
        return from_iso(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _lines(path: str) -> Iterator[JsonObject]:
    tail = JsonTail(path)
    tail.look()
    for lines in tail.chunks():
        yield from (line for line in lines if isinstance(metrics := line.get("metrics"), dict) and metrics)


def _new_file(path: str) -> TextIO:
    """Creates `path`, or if it exists `name-2.csv` and so on."""
    stem, extension = os.path.splitext(path)
    number = 1
    while True:
        try:
            return open(path if number == 1 else f"{stem}-{number}{extension}", "x", encoding="utf-8", newline="")
        except FileExistsError:
            number += 1
