"""All metrics of a run as CSV: a row for each line that was understood, a column for each metric."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TextIO

from backprop_tui.store.fields import JsonObject
from backprop_tui.store.json_tail import JsonTail


def export_csv(source: str, target: str) -> str:
    """Writes what is in `source`, which need not exist; the path of the file, which is a new one.

    Raises:
        OSError: it cannot be read or written.
    """
    import csv

    names = list(dict.fromkeys(name for line in _lines(source) for name in line["metrics"]))
    with _new_file(target) as file:
        writer = csv.writer(file)
        writer.writerow(["time", "step", "epoch", *names])
        for line in _lines(source):
            metrics = line["metrics"]
            writer.writerow([line.get("time"), line.get("step"), line.get("epoch"), *map(metrics.get, names)])
        return file.name


def _lines(path: str) -> Iterator[JsonObject]:
    tail = JsonTail(path)
    tail.look()
    while tail.offset < tail.size:
        before = tail.offset
        yield from (line for line in tail.read() if isinstance(line.get("metrics"), dict))
        if tail.offset == before:
            return


def _new_file(path: str) -> TextIO:
    """`path`, or where it exists `name-2.csv` and so on."""
    stem, ending = os.path.splitext(path)
    number = 1
    while True:
        try:
            return open(path if number == 1 else f"{stem}-{number}{ending}", "x", encoding="utf-8", newline="")
        except FileExistsError:
            number += 1
