"""A sampler of our own for a moment: without a supervisor, nobody asks the GPUs."""

from __future__ import annotations

import os
import time

from backprop_tui.launchers.sampler_process import SamplerProcess
from backprop_tui.probes.readings import Sample, read_sample
from backprop_tui.store.home import Home

TIMEOUT_SECONDS = 2.5  # how long a driver may take to list its GPUs
_POLL_SECONDS = 0.02


class OwnSampler:
    """A sampler process that starts at once; ask it for one sample."""

    def __init__(self, home: Home, *, probe: str, sample_seconds: float) -> None:
        """Writes to the supervisor's file, so that the next reader has it; to a temporary one if that is not there."""
        self._scratch: str | None = None
        if not os.access(home.host_folder, os.W_OK | os.X_OK):
            home = self._temporary_home(home.host)
        self._path = home.readings
        self._began, self._began_at = time.monotonic(), time.time()
        self._process = SamplerProcess(home=home, probe=probe, interval_seconds=sample_seconds)
        self._process.ensure(self._began)

    def _temporary_home(self, host: str) -> Home:
        import tempfile

        self._scratch = tempfile.mkdtemp(prefix="backprop-")
        home = Home(self._scratch, host)
        os.makedirs(home.host_folder, mode=0o700)
        return home

    def sample(self) -> Sample | None:
        """The first sample that knows which GPUs there are; None if a driver takes too long."""
        try:
            while time.monotonic() < self._began + TIMEOUT_SECONDS:
                sample = read_sample(self._path)
                if sample is not None and sample.readings.time >= self._began_at and sample.gpus_known:
                    return sample
                time.sleep(_POLL_SECONDS)
            return None
        finally:
            self.stop()

    def stop(self) -> None:
        self._process.stop()
        if self._scratch is not None:
            import shutil

            shutil.rmtree(self._scratch, ignore_errors=True)
