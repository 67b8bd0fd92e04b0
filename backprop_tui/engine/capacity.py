"""The machine and its runs as the governor sees them: limits, start tokens, readings, VRAM claims and disk use."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from backprop_tui.config.load import machine_limits, machine_probe
from backprop_tui.domain.errors import BackpropError, StorageFailed
from backprop_tui.domain.governor.claims import Claim, outstanding_claims
from backprop_tui.domain.governor.disk_forecast import SavingRun, saving_run
from backprop_tui.domain.governor.snapshot import (
    ActiveRun,
    Candidate,
    MachineSnapshot,
    PendingDependency,
    claims_of,
    parallel_limit,
)
from backprop_tui.domain.governor.tokens import Loan, TokenBucket, full_bucket, is_limited
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import MachineLimits
from backprop_tui.domain.live import Live
from backprop_tui.domain.run import Run
from backprop_tui.domain.telemetry import Readings, shows_gpus_of
from backprop_tui.engine.readings import ReadingsSource
from backprop_tui.processes.detached_log import note
from backprop_tui.processes.linux import boot_id, mount_point_of, mount_points
from backprop_tui.store.codec import decode, encode
from backprop_tui.store.fields import WrongField
from backprop_tui.store.files import dump, read_object, write_atomically
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.watched_file import Signature, signature_of

AUTO, NONE = "auto", "none"
MAX_COMMANDS = 1000  # in the VRAM history
OLDEST_LIVE_SECONDS = 300.0  # a live record older than this says nothing about the disk any more
MOUNTS_SECONDS = 60.0  # between two reads of the mount table
SAVING_SECONDS = 5.0  # between two looks at the live record of a run


def snapshot_for(run: Run, snapshot: MachineSnapshot, machine_probe: str) -> MachineSnapshot:
    """The snapshot limited to the GPUs of the probe that the run asks for; `machine_probe` applies to `auto`.

    With `--gpu-probe none` the run sees no GPUs. Until the sampler uses the probe that the run asks for, its GPUs count
    as unknown: so no run is placed on simulated GPUs that another run asked for.
    """
    probe = machine_probe if run.spec.gpu_probe == AUTO else run.spec.gpu_probe
    if probe == NONE:
        readings = replace(snapshot.readings, gpus=(), probe_problem=None)
        return replace(snapshot, readings=readings, gpus_known=True)
    if shows_gpus_of(probe, snapshot.readings.probe):
        return snapshot
    return replace(snapshot, readings=replace(snapshot.readings, gpus=(), probe_problem=None), gpus_known=False)


def active_of(run: Run, live: Live | None, now: float) -> ActiveRun:
    """An admitted run as the guard sees it; `now` is monotonic."""
    attempt = run.attempt
    live = live if live is not None and live.attempt == attempt.number else None
    pause = None if live is None else live.pause
    return ActiveRun(
        id=run.id,
        name=run.label,
        started_at=attempt.started_at,
        limits=run.spec.limits,
        gpu_uuids=tuple(gpu.uuid for gpu in attempt.gpus),
        paused_by=None if pause is None else pause.by,
        paused_seconds=0.0 if pause is None or pause.mark is None else max(0.0, now - pause.mark),
        stopping=live is not None and live.stopping is not None,
    )


def read_tokens(home: Home, now: float, limits: MachineLimits) -> TokenBucket:
    """The stored bucket; a full one if nothing was started since the machine booted."""
    try:
        source = read_object(home.start_tokens)
        if source is not None and source.get("boot_id") == boot_id():
            return decode(TokenBucket, source)
    except (BackpropError, WrongField):
        # A broken file counts as missing: one burst too many does less harm than a queue that never starts anything.
        pass
    return full_bucket(now, limits)


def write_tokens(home: Home, bucket: TokenBucket) -> None:
    """Stores the bucket for the next supervisor, which after a StorageFailed may grant the same start again."""
    write_atomically(home.start_tokens, dump({**encode(bucket), "boot_id": boot_id()}), durable=False)


def settle_loans(home: Home, bucket: TokenBucket, limits: MachineLimits, active: Mapping[str, Run]) -> TokenBucket:
    """The bucket with the tokens that attempts have given back since it was stored; `active` saves reading records.

    Nothing is written: until the next start, another supervisor finds the same in the records.
    """
    lasted = {loan: _seconds_of(home, loan, active.get(loan.run_id)) for loan in bucket.loans}
    ended = {loan: seconds for loan, seconds in lasted.items() if seconds is not None}
    return bucket.settled(ended, limits) if ended else bucket


def _seconds_of(home: Home, loan: Loan, run: Run | None) -> float | None:
    """How long an attempt lasted, 0 if its script was never started; None while it is active."""
    try:
        run = run or RunDirectory(home.run_folder(loan.run_id)).read()
    except BackpropError:
        return math.inf  # removed or damaged: a token is only given back for an attempt that is known to be short
    attempt = next((attempt for attempt in run.attempts if attempt.number == loan.attempt), None)
    if attempt is None:
        return 0.0
    return None if attempt.ended_at is None else attempt.running_seconds + attempt.paused_seconds


class VramHistory:
    """Peak bytes of VRAM by command, the most recent last. A cache: losing the file does no harm."""

    def __init__(self, home: Home) -> None:
        self._path = home.vram_history
        try:
            content = read_object(self._path) or {}
        except StorageFailed:
            content = {}
        self.peaks: Mapping[str, int] = {key: peak for key, peak in content.items() if isinstance(peak, int)}

    def peak_of(self, run: Run) -> int | None:
        """The peak of the newest run of the same command on one GPU; None if none was measured."""
        return self.peaks.get(_command_key(run)) if self.peaks else None

    def record(self, run: Run) -> None:
        """Stores the peak of a run that has ended; after a StorageFailed only this process knows it."""
        peak = run.peak.vram_bytes
        if peak is None:
            return
        key = _command_key(run)
        if self.peaks.get(key) == peak:
            return
        others = [(other, value) for other, value in self.peaks.items() if other != key]
        self.peaks = dict([*others, (key, peak)][-MAX_COMMANDS:])
        write_atomically(self._path, dump(self.peaks), durable=False)


def _command_key(run: Run) -> str:
    """A hash of working directory, script and arguments; environment variables do not count."""
    import hashlib  # only when VRAM is measured: it loads all of OpenSSL

    return hashlib.sha256(json.dumps([run.spec.cwd, *run.spec.command]).encode("ascii")).hexdigest()[:32]


@lazy_dataclass(frozen=True, slots=True)
class KnownLive:
    """A live record, None without one; it was looked at last at this monotonic time."""

    live: Live | None
    signature: Signature | None
    looked_at: float


class LiveRecords:
    """Shared by all of a supervisor that look at them: a record with curves takes a millisecond to decode."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._known: dict[str, KnownLive] = {}

    def latest(self, run_id: str, now: float, *, seconds: float) -> KnownLive:
        """The record as it was within so many seconds before the monotonic time `now`."""
        known = self._known.get(run_id)
        if known is not None and now - known.looked_at < seconds:
            return known
        directory = RunDirectory(self._home.run_folder(run_id))
        signature = signature_of(directory.live_path)
        live = known.live if known is not None and known.signature == signature else None
        self._known[run_id] = latest = KnownLive(live or directory.read_live(), signature, now)
        return latest

    def keep(self, run_ids: Iterable[str]) -> None:
        """Forgets all other runs."""
        for run_id in self._known.keys() - set(run_ids):
            self._known.pop(run_id, None)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class _KnownSaving:
    """What the live record of a run said; `read_at` is monotonic."""

    read_at: float
    live: Live | None
    saving: SavingRun | None


class SavingRuns:
    """The runs that save checkpoints, by their live records."""

    def __init__(self, live_records: LiveRecords) -> None:
        self._live_records = live_records
        self._known: dict[str, _KnownSaving] = {}  # by run id
        self._is_any = False
        self._mounts: tuple[str, ...] = ()
        self._mounts_read_at: float | None = None

    def of(self, active: Sequence[Run], now: float, wall_time: float) -> tuple[SavingRun, ...]:
        """Returns those of these runs that save checkpoints; `now` is monotonic."""
        self._known = {run.id: self._read(run, now, wall_time) for run in active}
        saving = tuple(known.saving for known in self._known.values() if known.saving is not None)
        self._is_any = bool(saving)
        if saving and (self._mounts_read_at is None or now - self._mounts_read_at >= MOUNTS_SECONDS):
            self._mounts, self._mounts_read_at = mount_points(), now
        return saving

    def mount_of(self, path: str) -> str | None:
        """The mount point of a directory; None while no run saves checkpoints, since it does not matter then."""
        return mount_point_of(path, self._mounts) if self._is_any else None

    def _read(self, run: Run, now: float, wall_time: float) -> _KnownSaving:
        known = self._known.get(run.id)
        if known is not None and now - known.read_at < SAVING_SECONDS:
            return known
        latest = self._live_records.latest(run.id, now, seconds=SAVING_SECONDS)
        signature = latest.signature
        age = math.inf if signature is None else max(0.0, wall_time - signature.modified_ns / 1e9)
        live = latest.live if age <= OLDEST_LIVE_SECONDS else None
        if known is not None and known.live is live:
            return replace(known, read_at=now)
        saving = None if live is None else saving_run(run, live, passed_seconds=age)
        return _KnownSaving(read_at=now, live=live, saving=saving)


@lazy_dataclass(frozen=True, slots=True)
class _KnownCandidate:
    """A candidate, and what it was made of besides its dependencies."""

    run: Run
    mount: str | None
    peaks: Mapping[str, int]
    candidate: Candidate


class Capacity:
    """Rereads the user's limits when the file changes; remembers the VRAM claims of runs that have just started."""

    def __init__(self, home: Home, config_path: str, readings_source: ReadingsSource) -> None:
        self._home = home
        self._config_path = config_path
        self._readings_source = readings_source
        self._config_signature: Signature | None = Signature(-1, -1, -1)  # of no file: the first look reads it
        self.limits = MachineLimits()
        self._reread_limits()
        self._bucket = read_tokens(home, time.monotonic(), self.limits)
        self._claims: dict[str, tuple[Claim, ...]] = {}
        self.vram_history = VramHistory(home)
        self.live_records = LiveRecords(home)
        self._saving = SavingRuns(self.live_records)
        self._candidates: dict[str, _KnownCandidate] = {}  # of the pass before, by run id
        self._used: dict[str, _KnownCandidate] = {}  # of this one
        self._seen: tuple[Sequence[Run], tuple[ActiveRun, ...]] = ((), ())  # the active runs of the last pass

    @property
    def probe(self) -> str:
        return self._readings_source.machine_probe

    def snapshot(self, active: Sequence[Run]) -> MachineSnapshot:
        """The machine's current state, with these runs active."""
        self._reread_limits()
        self._candidates, self._used = self._used, {}
        if self._seen[0] is not active:
            self._seen = active, tuple(active_of(run, None, 0.0) for run in active)
            self.live_records.keep(run.id for run in active)
        now, wall_time = time.monotonic(), time.time()
        readings = self._readings_source.latest()
        bucket = settle_loans(self._home, self._bucket, self.limits, {run.id: run for run in active})
        self._bucket = bucket.refilled(now, self.limits)
        return MachineSnapshot(
            now=now,
            readings=readings,
            bucket=self._bucket,
            limits=self.limits,
            max_parallel=parallel_limit(self.limits, readings),
            active=self._seen[1],
            claims=self._settled_claims(active, readings, now),
            saving=self._saving.of(active, now, wall_time),
            queue_held=os.path.exists(self._home.queue_held),
            readings_age_seconds=wall_time - readings.time,
            gpus_known=self._readings_source.gpus_known,
            probe_broken_since=self._readings_source.broken_since,
        )

    def record_start(self, run: Run, snapshot: MachineSnapshot) -> MachineSnapshot:
        """Lends the token that the start of this run took, for later supervisors too, and keeps its claims."""
        self._bucket = snapshot.bucket.lent(Loan(run_id=run.id, attempt=run.attempt.number), self.limits)
        self._claims[run.id] = tuple(claim for claim in snapshot.claims if claim.run_id == run.id)
        if is_limited(self.limits):
            write_tokens(self._home, self._bucket)
        return replace(snapshot, bucket=self._bucket)

    def candidate(self, run: Run, dependencies: tuple[PendingDependency, ...]) -> Candidate:
        """A queued run as a candidate for admission; `dependencies` are the runs that it still waits for.

        Most of those that wait are as they were in the pass before.
        """
        mount, peaks = self._saving.mount_of(run.spec.cwd), self.vram_history.peaks
        known = self._used.get(run.id) or self._candidates.get(run.id)
        is_same = known is not None and known.run is run and known.mount == mount and known.peaks is peaks
        if known is None or not is_same or known.candidate.awaited != dependencies:
            known = _KnownCandidate(run, mount, peaks, self._new_candidate(run, dependencies, mount))
        self._used[run.id] = known
        return known.candidate

    def _new_candidate(self, run: Run, dependencies: tuple[PendingDependency, ...], mount: str | None) -> Candidate:
        return Candidate(
            id=run.id,
            name=run.label,
            limits=run.spec.limits,
            requested_gpus=run.spec.gpus,
            gpu_ids=run.spec.gpu_ids,
            visible_gpus=run.spec.visible_gpus,
            learned_peak_bytes=self.vram_history.peak_of(run),
            awaited=dependencies,
            mount=mount,
        )

    def _settled_claims(self, active: Sequence[Run], readings: Readings, now: float) -> tuple[Claim, ...]:
        for run in active:
            if run.id not in self._claims:
                active_run = active_of(run, None, 0.0)
                self._claims[run.id] = tuple(claims_of(active_run, run.attempt.vram_claim_bytes, since=now))
        run_ids = {run.id for run in active}
        claims = (claim for claims_of_run in self._claims.values() for claim in claims_of_run)
        kept = outstanding_claims(claims, readings.gpus, run_ids, now=now)
        self._claims = dict.fromkeys(run_ids, ())
        for claim in kept:
            self._claims[claim.run_id] += (claim,)
        return kept

    def _reread_limits(self) -> None:
        """Reads the file if it changed; if it is not valid, the old limits stay in force and the log says why."""
        signature = signature_of(self._config_path)
        if signature == self._config_signature:
            return
        self._config_signature = signature
        try:
            self.limits = machine_limits(self._config_path)
            self._readings_source.machine_probe = self._readings_source.probe = machine_probe(self._config_path)
            self._readings_source.sample_seconds = self.limits.sample_seconds
        except BackpropError as error:
            note(f"{error}; the previous limits stay in force")
