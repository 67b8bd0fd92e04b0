"""Up to where each metric is in metrics.jsonl, so that metrics a script both prints and writes to a file count once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from backprop_tui.readers.events import Progress
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.files import storage
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.tail import JsonTail

MOST_NAMES = 1024
NEWEST_BYTES = 16 << 20  # some hundred thousand lines: a quarter of a second, and one chunk of them in memory
SAME_EPOCH = 1.001  # a printed epoch is rounded to four digits


class MetricWatermarks:
    """The last step and epoch at which each metric was reported, each None where it is unknown."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: dict[str, tuple[int | None, float | None]] = {}

    @classmethod
    def read(cls, directory: RunDirectory, *, up_to: int | None = None) -> MetricWatermarks:
        """The watermarks of metrics.jsonl; steps beyond `up_to`, from which a run is resumed, count as not reported."""
        watermarks = cls()
        for line in newest_lines(directory):
            metrics, step, epoch = line.get("metrics"), line.get("step"), line.get("epoch")
            if isinstance(metrics, dict):
                known_step = step if isinstance(step, int) else None
                known_step = known_step if known_step is None or up_to is None else min(known_step, up_to)
                watermarks.advance(metrics, known_step, epoch if isinstance(epoch, float) else None)
        return watermarks

    def advance(self, names: Iterable[str], step: int | None, epoch: float | None) -> None:
        """Sets the watermark of these metrics."""
        for name in names:
            if name in self._last or len(self._last) < MOST_NAMES:
                self._last[name] = step, epoch

    def beyond(self, value: Progress) -> Progress:
        """The value with only those metrics that are beyond their watermark."""
        metrics = {name: metric for name, metric in value.metrics.items() if self._is_beyond(name, value)}
        return replace(value, metrics=metrics)

    def _is_beyond(self, name: str, value: Progress) -> bool:
        last = self._last.get(name)
        if last is None:
            return True
        step, epoch = last
        if step is not None:
            # A table without steps repeats what the log reported with steps.
            return value.step is not None and value.step > step
        if epoch is not None and value.epoch is not None:
            return value.epoch > epoch * SAME_EPOCH
        return epoch is not None and value.epoch is None


def newest_lines(directory: RunDirectory) -> Iterator[JsonObject]:
    """The lines of metrics.jsonl, oldest first; only the last ones of a very long file.

    Raises:
        StorageFailed: the file cannot be read.
    """
    path = directory.metrics_path
    with storage(path):
        tail = JsonTail(path, last_bytes=NEWEST_BYTES)
        tail.look()
        for lines in tail.chunks():
            yield from lines
