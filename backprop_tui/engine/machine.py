"""The machine's capacity as the governor sees it: limits, start tokens, readings, VRAM claims."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from backprop_tui.config.machine import machine_limits, machine_probe
from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.governor.claims import Claim, settle
from backprop_tui.domain.governor.snapshot import AwaitedRun, Candidate, Snapshot, claims_of
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
from backprop_tui.store.watched_file import Signature, signature_of


class Capacity:
    """Rereads the user's limits when the file changes; remembers the VRAM claims of runs that have just started."""

    def __init__(self, home: Home, config_path: str, readings_source: ReadingsSource) -> None:
        self._home = home
        self._config_path = config_path
        self._readings_source = readings_source
        self._config_signature: Signature | None = Signature(-1, -1, -1)  # of no file: the first look reads it
        self.limits = MachineLimits()
        self.probe = readings_source.probe
        self._reread_limits()
        self._bucket = read_tokens(home, time.monotonic(), self.limits)
        self._claims: dict[str, tuple[Claim, ...]] = {}
        self.vram_history = VramHistory(home)
        self._saving = SavingRuns(home)

    def snapshot(self, active: Sequence[Run]) -> Snapshot:
        """The machine's current state, with these runs active."""
        self._reread_limits()
        now, wall_time = time.monotonic(), time.time()
        readings = self._readings_source.latest()
        active_runs = tuple(active_of(run, None, wall_time) for run in active)
        self._bucket = self._bucket.refilled(now, self.limits)
        return Snapshot(
            now=now,
            readings=readings,
            bucket=self._bucket,
            limits=self.limits,
            active=active_runs,
            claims=self._settled_claims(active, readings, now),
            saving=self._saving.of(active, now, wall_time),
            queue_held=os.path.exists(self._home.queue_held),
            readings_age_seconds=wall_time - readings.time,
            gpus_known=self._readings_source.gpus_known,
            probe_broken_since=self._readings_source.broken_since,
        )

    def record_start(self, snapshot: Snapshot) -> None:
        """Spends the token of the run that was started last, and keeps its claims, for later supervisors too.

        Raises:
            StorageFailed: the tokens could not be written.
        """
        self._bucket = snapshot.bucket
        newest = snapshot.active[-1].id
        self._claims[newest] = tuple(claim for claim in snapshot.claims if claim.run_id == newest)
        write_tokens(self._home, self._bucket)

    def candidate(self, run: Run, dependencies: tuple[AwaitedRun, ...]) -> Candidate:
        """A queued run as a candidate for admission; `dependencies` are the runs that it still waits for."""
        return Candidate(
            id=run.id,
            name=run.name,
            limits=run.spec.limits,
            gpus_wanted=run.spec.gpus,
            gpu_ids=run.spec.gpu_ids,
            visible_gpus=run.spec.visible_gpus,
            learned_peak_bytes=self.vram_history.peak_of(run),
            awaited=dependencies,
            mount=self._saving.mount_of(run.spec.cwd),
        )

    def _settled_claims(self, active: Sequence[Run], readings: Readings, now: float) -> tuple[Claim, ...]:
        for run in active:
            if run.id not in self._claims:
                active_run = active_of(run, None, 0.0)
                self._claims[run.id] = tuple(claims_of(active_run, run.attempt.vram_claim_bytes, since=now))
        run_ids = {run.id for run in active}
        claims = (claim for claims_of_run in self._claims.values() for claim in claims_of_run)
        kept = settle(claims, readings.gpus, run_ids, now=now)
        self._claims = {run_id: tuple(claim for claim in kept if claim.run_id == run_id) for run_id in run_ids}
        return kept

    def _reread_limits(self) -> None:
        """Reads the file if it changed; where it is not valid, the old limits stay in force and the log says why."""
        try:
            signature = signature_of(self._config_path)
        except OSError:
            signature = None  # reading the file reports why
        if signature == self._config_signature:
            return
        self._config_signature = signature
        try:
            self.limits = machine_limits(self._config_path)
            self.probe = self._readings_source.probe = machine_probe(self._config_path)
            self._readings_source.sample_seconds = self.limits.sample_seconds
        except BackpropError as error:
            note(f"{error}; the previous limits stay in force")
