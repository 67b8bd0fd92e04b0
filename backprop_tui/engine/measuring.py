"""Where the supervisor's readings come from."""

from __future__ import annotations

import time

from backprop_tui.domain.telemetry import Readings
from backprop_tui.probes.host import HostProbe
from backprop_tui.store.home import Home

FRESH_SECONDS = 0.2


class HostMeasurements:
    """Reads the host itself, from /proc: it cannot hang, and a cold start needs it at once."""

    def __init__(self, home: Home) -> None:
        self._probe = HostProbe(disk_path=home.root)
        self._latest: Readings | None = None

    @property
    def gpus_known(self) -> bool:
        """No GPU is measured here."""
        return True

    def latest(self) -> Readings:
        """Readings that are at most a fifth of a second old."""
        now = time.time()
        if self._latest is None or abs(now - self._latest.time) > FRESH_SECONDS:
            self._latest = Readings(time=now, host=self._probe.read())
        return self._latest
