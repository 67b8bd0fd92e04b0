"""All metrics of runs as rows: one for each line that was understood, with its attempt and its running time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

from backprop_tui.domain.attempts import Attempts
from backprop_tui.domain.times import from_iso
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.tail import JsonTail

# `attempt` counts from 1; `seconds` is running time since the first start, without that between attempts.
COLUMNS = ("time", "attempt", "seconds", "step", "epoch")


def export_csv(source: str, target: str, attempts: Attempts | None = None) -> str:
    """Writes what is in `source`, which need not exist; the path of the file, which is a new one.

    Raises:
        OSError: it cannot be read or written.
    """
    import csv

    names = metric_names([source])
    with _new_file(target) as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, *names])
        for row in rows(source, attempts or Attempts()):
            writer.writerow(cells(row, names))
        return file.name


def metric_names(sources: Iterable[str]) -> list[str]:
    """Of all metrics in these files, in the order in which they first came.

    Raises:
        OSError: one cannot be read.
    """
    return list(dict.fromkeys(name for source in sources for line in _lines(source) for name in line["metrics"]))


def rows(source: str, attempts: Attempts) -> Iterator[JsonObject]:
    """`COLUMNS` and `metrics` of each line; what is no number is its word: NaN, Infinity, -Infinity.

    Raises:
        OSError: it cannot be read.
    """
    for line in _lines(source):
        time = _time(line.get("time"))
        known = time is not None and bool(attempts.starts)
        yield {
            "time": line.get("time"),
            "attempt": attempts.at(time) + 1 if known and time is not None else None,
            "seconds": round(attempts.elapsed(time), 3) if known and time is not None else None,
            "step": line.get("step"),
            "epoch": line.get("epoch"),
            "metrics": line["metrics"],
        }


def cells(row: JsonObject, names: Sequence[str]) -> list[object]:
    """A row of CSV; None is written as an empty field."""
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
        yield from (line for line in lines if isinstance(line.get("metrics"), dict))


def _new_file(path: str) -> TextIO:
    """`path`, or where it exists `name-2.csv` and so on."""
    stem, ending = os.path.splitext(path)
    number = 1
    while True:
        try:
            return open(path if number == 1 else f"{stem}-{number}{ending}", "x", encoding="utf-8", newline="")
        except FileExistsError:
            number += 1
