"""The newest hours of resources.jsonl, read on from where it was read before."""

from __future__ import annotations

from collections import deque
from datetime import datetime

from backprop_tui.store.fields import JsonObject
from backprop_tui.store.tail import JsonTail
from backprop_tui.tui.charts.figures import Used

MOST_SAMPLES = 1200  # more than three hours at one in ten seconds
_FIRST_BYTES = 1 << 19  # so much of what is there is read


class ResourcesFile:
    """What one run used."""

    __slots__ = ("_samples", "_tail")

    def __init__(self, path: str) -> None:
        self._tail = JsonTail(path, last_bytes=_FIRST_BYTES)
        self._samples: deque[Used] = deque(maxlen=MOST_SAMPLES)

    def read(self) -> tuple[Used, ...]:
        """The samples, oldest first.

        Raises:
            OSError: the file cannot be read.
        """
        self._tail.look()
        if self._tail.restarted:
            self._samples.clear()
        for lines in self._tail.chunks():
            self._samples += [used for line in lines if (used := _used(line)) is not None]
        return tuple(self._samples)


def _used(line: JsonObject) -> Used | None:
    try:
        moment = datetime.fromisoformat(line["time"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return None
    gpus = [gpu for gpu in line.get("gpus") or () if isinstance(gpu, dict)]
    utilization = _known(gpus, "utilization_percent")
    memory = _known(gpus, "memory_bytes")
    return Used(
        time=moment,
        cpu_percent=_number(line.get("cpu_percent")),
        ram_bytes=_whole(line.get("ram_bytes")),
        processes=_whole(line.get("processes")),
        utilization_percent=sum(utilization) / len(utilization) if utilization else None,
        memory_bytes=int(max(memory)) if memory else None,
        temperature_celsius=max(_known(gpus, "temperature_celsius"), default=None),
    )


def _known(gpus: list[JsonObject], name: str) -> list[float]:
    return [value for gpu in gpus if (value := _number(gpu.get(name))) is not None]


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None
