"""Reads the files about the machine: the governor's state, the newest sample, and utilisation over the last minutes."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from backprop_tui.client.machine import decode_governor
from backprop_tui.domain.errors import BrokenRecord
from backprop_tui.domain.governor.governor_state import GovernorState
from backprop_tui.probes.readings import Sample, read_sample
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.files import read_object
from backprop_tui.store.home import Home
from backprop_tui.store.watched_file import WatchedFile

HISTORY_SECONDS = 15.0
HISTORY_SAMPLES = 80
HOST = "host"  # the key of the host's own history
_FIRST_POINT_SECONDS = 2.0  # the first point of a history comes early, so that there is something to see


class GovernorReader:
    """Reads governor.json; the state is None if there is none that can be understood."""

    def __init__(self, home: Home) -> None:
        self._file = WatchedFile(home.governor)
        self._state: GovernorState | None = None
        self.holds: Mapping[str, Sequence[JsonObject]] = {}  # why each waiting run is held

    def read(self) -> GovernorState | None:
        """The state; updates `holds` too."""
        if self._file.changed():
            try:
                record = read_object(self._file.path)
            except BrokenRecord:
                record = None
            self._state = None if record is None else decode_governor(record)
            self.holds = {} if record is None else _decode_holds(record)
        return self._state


def _decode_holds(record: JsonObject) -> dict[str, list[JsonObject]]:
    held = record.get("held")
    if not isinstance(held, dict):
        return {}
    return {
        str(run_id): [reason for reason in reasons if isinstance(reason, dict)]
        for run_id, reasons in held.items()
        if isinstance(reasons, list)
    }


class MachineReader:
    """Reads readings.json and keeps a history of each GPU and the host: one mean per `HISTORY_SECONDS`."""

    def __init__(self, home: Home) -> None:
        self._file = WatchedFile(home.readings)
        self._sample: Sample | None = None
        self._histories: dict[str, deque[float | None]] = {}
        self._pending: dict[str, list[float]] = {}
        self._due: float | None = None
        self._frozen: Mapping[str, tuple[float | None, ...]] = {}

    def read(self, monotonic: float) -> Sample | None:
        """The newest sample of this boot."""
        if self._file.changed():
            self._sample = read_sample(self._file.path)
            if self._sample is not None:
                self._collect(self._sample)
        self._add_points(monotonic)
        return self._sample

    @property
    def histories(self) -> Mapping[str, tuple[float | None, ...]]:
        """Utilisation in percent by the UUID of the GPU, oldest first; None where nothing was read."""
        return self._frozen

    def _collect(self, sample: Sample) -> None:
        readings = {gpu.uuid: gpu.utilization_percent for gpu in sample.readings.gpus}
        readings[HOST] = sample.readings.host.cpu_percent
        for key, percent in readings.items():
            pending = self._pending.setdefault(key, [])
            if percent is not None:
                pending.append(percent)

    def _add_points(self, monotonic: float) -> None:
        """Adds a point to each history when it is due."""
        if self._due is None:
            self._due = monotonic + _FIRST_POINT_SECONDS
        if monotonic < self._due:
            return
        self._due = monotonic + HISTORY_SECONDS
        for key, pending in self._pending.items():
            mean = sum(pending) / len(pending) if pending else None
            self._histories.setdefault(key, deque(maxlen=HISTORY_SAMPLES)).append(mean)
            pending.clear()
        self._frozen = {key: tuple(points) for key, points in self._histories.items()}
