"""What the governor decides over: a run that wants to start, and the machine at one moment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field, replace

from backprop_tui.domain.governor.active import ActiveRun
from backprop_tui.domain.governor.claims import Claim, claim_bytes
from backprop_tui.domain.governor.disk_forecast import SavingRun
from backprop_tui.domain.governor.freshness import answers, is_stale
from backprop_tui.domain.governor.tokens import TokenBucket
from backprop_tui.domain.limits import MachineLimits, RunLimits
from backprop_tui.domain.run import Gpu
from backprop_tui.domain.telemetry import GpuReading, Readings
from backprop_tui.domain.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitedRun:
    """A run that must end before another starts."""

    name: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A queued run that asks to start.

    `gpus_wanted` None is one where the machine has GPUs, else none (with `gpu_ids`: all of those); 0 hides all of them.
    `gpu_ids` are what the user chose: indices as nvidia-smi counts them, or UUIDs or their beginnings.
    `visible_gpus` is an inherited CUDA_VISIBLE_DEVICES in the same form, None where there is none.
    `awaited` are the runs it waits for, as far as they have not ended as it needs. `mount` is the disk it will write
    to, None where nobody knows.
    """

    id: str
    name: str
    limits: RunLimits = field(default_factory=RunLimits)
    gpus_wanted: int | None = None
    gpu_ids: tuple[str, ...] = ()
    visible_gpus: tuple[str, ...] | None = None
    learned_peak_bytes: int | None = None
    awaited: tuple[AwaitedRun, ...] = ()
    mount: str | None = None

    @property
    def claim_bytes(self) -> int:
        """The VRAM it claims on each of its GPUs."""
        return claim_bytes(self.limits, self.learned_peak_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """GPUs kept for a run that has waited for them at the head of the queue."""

    run_id: str
    run_name: str
    gpu_uuids: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a run starts.

    `gpus` () hides all GPUs from it. None leaves what it sees as it is, because no GPU is known: the machine has none,
    or the probe is broken; then GPUs that the user chose by id are handed on as they were written.
    `claim_bytes` is claimed on each of them.
    """

    gpus: tuple[Gpu, ...] | None
    claim_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The machine at the monotonic time `now`.

    `bucket` is refilled up to `now`. `readings_age_seconds` is how old the readings are as a whole. `gpus_known` is
    False until the probe has answered for the first time. `probe_broken_since` is a clock time as people read it.
    """

    now: float
    readings: Readings
    bucket: TokenBucket
    limits: MachineLimits = field(default_factory=MachineLimits)
    active: tuple[ActiveRun, ...] = ()
    claims: tuple[Claim, ...] = ()
    saving: tuple[SavingRun, ...] = ()
    queue_held: bool = False
    reservation: Reservation | None = None
    readings_age_seconds: float = 0.0
    gpus_known: bool = True
    probe_broken_since: str | None = None

    @property
    def readings_stale(self) -> bool:
        """Whether the readings are too old to decide by."""
        return is_stale(self.readings_age_seconds, self.limits.sample_seconds)

    def answers(self, gpu: GpuReading) -> bool:
        """Whether a GPU is healthy and its reading recent."""
        return answers(gpu, readings_age_seconds=self.readings_age_seconds, sample_seconds=self.limits.sample_seconds)

    def runs_on(self, gpu: GpuReading) -> tuple[ActiveRun, ...]:
        """The active runs that were given this GPU."""
        return tuple(run for run in self.active if gpu.uuid in run.gpu_uuids)

    def with_started(self, candidate: Candidate, placement: Placement) -> Snapshot:
        """The machine right after this start, so that the next candidate is decided with it counted."""
        uuids = tuple(gpu.uuid for gpu in placement.gpus or ())
        run = ActiveRun(
            id=candidate.id, name=candidate.name, started_at=self.now, limits=candidate.limits, gpu_uuids=uuids
        )
        return replace(
            self,
            active=(*self.active, run),
            claims=(*self.claims, *claims_of(run, placement.claim_bytes, since=self.now)),
            bucket=self.bucket.take(self.limits),
        )


def claims_of(run: ActiveRun, claimed_bytes: int, *, since: float) -> Iterable[Claim]:
    """The claims of a run on each of its GPUs: at its start, and again by a supervisor that finds it active."""
    return (
        Claim(run_id=run.id, run_name=run.name, gpu_uuid=uuid, bytes=claimed_bytes, since=since)
        for uuid in run.gpu_uuids
    )
