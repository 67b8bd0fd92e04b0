"""The machine as the governor sees it: limits, start tokens, readings, claims."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from backprop_tui.config.machine import machine_limits, machine_probe
from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.governor.claims import Claim, settle
from backprop_tui.domain.governor.snapshot import Snapshot, claims_of
from backprop_tui.domain.limits import MachineLimits
from backprop_tui.domain.run import Run
from backprop_tui.domain.telemetry import Readings
from backprop_tui.engine.candidates import active_of
from backprop_tui.engine.learned import VramHistory
from backprop_tui.engine.measuring import ReadingsSource
from backprop_tui.engine.saving_runs import SavingRuns
from backprop_tui.engine.tokens_file import read_tokens, write_tokens
from backprop_tui.processes.detached_log import note
from backprop_tui.store.home import Home

HELD = "queue-held"


class Capacity:
    """Reads the user's limits again when their file changes; remembers what was promised to runs just started."""

    def __init__(self, home: Home, config_path: str, measurements: ReadingsSource) -> None:
        self._home = home
        self._config_path = config_path
        self._measurements = measurements
        self._config_signature: tuple[int, int] | None = (-1, -1)
        self.limits = MachineLimits()
        self.probe = measurements.probe
        self._reread_limits()
        self._bucket = read_tokens(home, time.monotonic(), self.limits)
        self._claims: dict[str, tuple[Claim, ...]] = {}
        self.learned = VramHistory(home)
        self._saving = SavingRuns(home)

    def snapshot(self, active: Sequence[Run]) -> Snapshot:
        """The machine now, with these runs active."""
        self._reread_limits()
        now, wall = time.monotonic(), time.time()
        readings = self._measurements.latest()
        runs = tuple(active_of(run, None, wall) for run in active)
        self._bucket = self._bucket.refilled(now, self.limits)
        return Snapshot(
            now=now,
            readings=readings,
            bucket=self._bucket,
            limits=self.limits,
            active=runs,
            claims=self._settled_claims(active, readings, now),
            saving=self._saving.of(active, now, wall),
            queue_held=os.path.exists(self._home.host_file(HELD)),
            readings_age_seconds=wall - readings.time,
            gpus_known=self._measurements.gpus_known,
            probe_broken_since=self._measurements.broken_since,
        )

    def started(self, snapshot: Snapshot) -> None:
        """A start was granted: its token is spent and its claim made, for every later supervisor too.

        Raises:
            StorageFailed: the tokens could not be written.
        """
        self._bucket = snapshot.bucket
        newest = snapshot.active[-1].id
        self._claims[newest] = tuple(claim for claim in snapshot.claims if claim.run_id == newest)
        write_tokens(self._home, self._bucket)

    def mount_of(self, run: Run) -> str | None:
        """The disk that a run will write to; None where nobody needs to know."""
        return self._saving.mount_of(run.spec.cwd)

    def learned_peak(self, run: Run) -> int | None:
        """The most VRAM that earlier runs of the same command held on one GPU; None where none is known."""
        return self.learned.of(run)

    def _settled_claims(self, active: Sequence[Run], readings: Readings, now: float) -> tuple[Claim, ...]:
        for run in active:
            if run.id not in self._claims:
                mine = active_of(run, None, 0.0)
                self._claims[run.id] = tuple(claims_of(mine, run.attempt.vram_claim_bytes, since=now))
        ids = {run.id for run in active}
        kept = settle((c for claims in self._claims.values() for c in claims), readings.gpus, ids, now=now)
        self._claims = {run_id: tuple(c for c in kept if c.run_id == run_id) for run_id in ids}
        return kept

    def _reread_limits(self) -> None:
        """A file that cannot be understood changes nothing: the limits in force stay, and the log says why."""
        try:
            found = os.stat(self._config_path)
            signature: tuple[int, int] | None = (found.st_mtime_ns, found.st_size)
        except OSError:
            signature = None
        if signature == self._config_signature:
            return
        self._config_signature = signature
        try:
            self.limits = machine_limits(self._config_path)
            self.probe = self._measurements.probe = machine_probe(self._config_path)
            self._measurements.sample_seconds = self.limits.sample_seconds
        except BackpropError as error:
            note(f"{error}; the limits in force stay")
