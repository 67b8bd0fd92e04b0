"""A sampler of our own, for a moment: where no supervisor lives, nobody asks the GPUs."""

from __future__ import annotations

import os
import time

from backprop_tui.launchers.sampler_process import SamplerProcess
from backprop_tui.probes.readings_codec import Sample
from backprop_tui.probes.readings_file import read_sample
from backprop_tui.store.home import Home

PATIENCE_SECONDS = 2.5  # how long a driver may take to tell its GPUs
_LOOK_SECONDS = 0.02


class OwnSampler:
    """Starts at once; to be asked once."""

    def __init__(self, home: Home, *, probe: str, sample_seconds: float) -> None:
        """Writes where the supervisor's would, which keeps it for the next one; nothing is made for this alone."""
        self._scratch: str | None = None
        if not os.access(home.host_folder, os.W_OK | os.X_OK):
            home = self._home_of_our_own(home.host)
        self._path = home.readings
        self._began, self._wall = time.monotonic(), time.time()
        self._process = SamplerProcess(home=home, probe=probe, interval_seconds=sample_seconds)
        self._process.ensure(self._began)

    def _home_of_our_own(self, host: str) -> Home:
        import tempfile

        self._scratch = tempfile.mkdtemp(prefix="backprop-")
        home = Home(self._scratch, host)
        os.makedirs(home.host_folder, mode=0o700)
        return home

    def sample(self) -> Sample | None:
        """What it found, as soon as it is settled which GPUs there are; None where a driver takes too long."""
        try:
            while time.monotonic() < self._began + PATIENCE_SECONDS:
                found = read_sample(self._path)
                if found is not None and found.readings.time >= self._wall and found.gpus_known:
                    return found
                time.sleep(_LOOK_SECONDS)
            return None
        finally:
            self.stop()

    def stop(self) -> None:
        """Leaves nothing behind."""
        self._process.stop()
        if self._scratch is not None:
            import shutil

            shutil.rmtree(self._scratch, ignore_errors=True)
