"""Up to where each metric is in metrics.jsonl: what a script both prints and writes into a file counts once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from backprop_tui.readers.values import Progress
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.files import storage
from backprop_tui.store.json_tail import JsonTail
from backprop_tui.store.run_directory import RunDirectory

MOST_NAMES = 1024
NEWEST_BYTES = 16 << 20  # some hundred thousand lines: a quarter of a second, and a chunk of them in memory
SAME_EPOCH = 1.001  # a printed epoch is rounded to four digits


class MetricWatermarks:
    """The place at which each name was told last, a step and an epoch, each None where nobody said it."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: dict[str, tuple[int | None, float | None]] = {}

    @classmethod
    def of(cls, directory: RunDirectory, *, up_to: int | None = None) -> MetricWatermarks:
        """What stands in metrics.jsonl; beyond the step `up_to`, from which a run was resumed, all is told anew."""
        told = cls()
        for line in newest_lines(directory):
            metrics, step, epoch = line.get("metrics"), line.get("step"), line.get("epoch")
            if isinstance(metrics, dict):
                at = step if isinstance(step, int) else None
                at = at if at is None or up_to is None else min(at, up_to)
                told.note(metrics, at, epoch if isinstance(epoch, float) else None)
        return told

    def note(self, names: Iterable[str], step: int | None, epoch: float | None) -> None:
        """These were told, at that place."""
        for name in names:
            if name in self._last or len(self._last) < MOST_NAMES:
                self._last[name] = step, epoch

    def news(self, found: Progress) -> Progress:
        """The value with the metrics alone that lie beyond what was told."""
        metrics = {name: value for name, value in found.metrics.items() if self._is_beyond(name, found)}
        return replace(found, metrics=metrics)

    def _is_beyond(self, name: str, found: Progress) -> bool:
        last = self._last.get(name)
        if last is None:
            return True
        step, epoch = last
        if step is not None:
            # A table without steps repeats what the log said with them.
            return found.step is not None and found.step > step
        if epoch is not None and found.epoch is not None:
            return found.epoch > epoch * SAME_EPOCH
        return epoch is not None and found.epoch is None


def newest_lines(directory: RunDirectory) -> Iterator[JsonObject]:
    """The lines of metrics.jsonl, oldest first; of a very long one those of its end.

    Raises:
        StorageFailed: it cannot be read.
    """
    path = directory.file("metrics.jsonl")
    with storage(path):
        tail = JsonTail(path, last_bytes=NEWEST_BYTES)
    lines: list[JsonObject] | None = []
    while lines is not None:
        with storage(path):
            lines = tail.read() if tail.look() > 0 else None
        yield from lines or ()
