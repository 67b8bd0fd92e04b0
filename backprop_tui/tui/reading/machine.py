"""readings.json of this machine, and the utilisation of each GPU over the last minutes."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from backprop_tui.probes.readings_codec import Sample
from backprop_tui.probes.readings_file import read_sample
from backprop_tui.store.home import Home
from backprop_tui.store.watched_file import WatchedFile

HISTORY_SECONDS = 15.0
HISTORY_SAMPLES = 80
HOST = "host"  # the key of the host's own history


class MachineReader:
    """The newest sample; a history each in steps of `HISTORY_SECONDS`, the mean of what was read in that time."""

    def __init__(self, home: Home) -> None:
        self._file = WatchedFile(home.readings)
        self._sample: Sample | None = None
        self._histories: dict[str, deque[float | None]] = {}
        self._pending: dict[str, list[float]] = {}
        self._due: float | None = None
        self._frozen: Mapping[str, tuple[float | None, ...]] = {}

    def read(self, monotonic: float) -> Sample | None:
        """What was measured last in this boot."""
        if self._file.changed():
            self._sample = read_sample(self._file.path)
            if self._sample is not None:
                self._collect(self._sample)
        self._keep(monotonic)
        return self._sample

    @property
    def histories(self) -> Mapping[str, tuple[float | None, ...]]:
        """Utilisations in percent by the UUID of the GPU, oldest first; None where nothing was read."""
        return self._frozen

    def _collect(self, sample: Sample) -> None:
        figures = {gpu.uuid: gpu.utilization_percent for gpu in sample.readings.gpus}
        figures[HOST] = sample.readings.host.cpu_percent
        for key, value in figures.items():
            pending = self._pending.setdefault(key, [])
            if value is not None:
                pending.append(value)

    def _keep(self, monotonic: float) -> None:
        if self._due is None:
            self._due = monotonic + 2.0  # the first point soon, so that there is something to see
        if monotonic < self._due:
            return
        self._due = monotonic + HISTORY_SECONDS
        for key, values in self._pending.items():
            mean = sum(values) / len(values) if values else None
            self._histories.setdefault(key, deque(maxlen=HISTORY_SAMPLES)).append(mean)
            values.clear()
        self._frozen = {key: tuple(values) for key, values in self._histories.items()}
