"""What the governor decides over: candidates, active runs and the machine at one moment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field, replace

from backprop_tui.domain.governor.claims import Claim, claim_bytes
from backprop_tui.domain.governor.disk_forecast import SavingRun
from backprop_tui.domain.governor.tokens import TokenBucket
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import MachineLimits, RunLimits
from backprop_tui.domain.run import Gpu
from backprop_tui.domain.telemetry import GONE, GpuReading, Readings, answers


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ActiveRun:
    """A run that was admitted and has not ended: starting, running, paused or stopping.

    `gpu_uuids` is empty for a run on the CPU, or if its GPUs are unknown. `started_at` is only compared between runs.
    `paused_by` is a person, or the guard for "heat" or "ram"; None if the run is not paused. `paused_seconds` is the
    duration of the current pause.
    """

    id: str
    name: str
    started_at: float
    limits: RunLimits = field(default_factory=RunLimits)
    gpu_uuids: tuple[str, ...] = ()
    paused_by: str | None = None
    paused_seconds: float = 0.0
    stopping: bool = False


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class PendingDependency:
    name: str  # with its id, since runs may share a name
    status: str


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A queued run that may start.

    `requested_gpus` None means one if the machine has GPUs, otherwise none (with `gpu_ids`: all of those); 0 hides all.
    `gpu_ids` are the user's choice: indices as in nvidia-smi, or UUIDs or their prefixes. `visible_gpus` is the
    inherited CUDA_VISIBLE_DEVICES in the same form, None if it is not set. `awaited` are its unmet dependencies.
    `mount` is the disk that it will write to, None if unknown.
    """

    id: str
    name: str
    limits: RunLimits = field(default_factory=RunLimits)
    requested_gpus: int | None = None
    gpu_ids: tuple[str, ...] = ()
    visible_gpus: tuple[str, ...] | None = None
    learned_peak_bytes: int | None = None
    awaited: tuple[PendingDependency, ...] = ()
    mount: str | None = None

    @property
    def claim_bytes(self) -> int:
        return claim_bytes(self.limits, self.learned_peak_bytes)

    @property
    def request(self) -> Candidate:
        """What it asks for, which is the same for most runs of a sweep."""
        return replace(self, id="", name="")


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    run_id: str
    run_name: str
    gpu_uuids: frozenset[str]


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The GPUs on which a run starts, and the bytes claimed on each of them.

    `gpus` () hides all GPUs from the run. None means that no GPU is known, because the machine has none or the probe is
    broken: the run sees what its environment shows, and the user's --gpu-ids are passed on unchanged.
    """

    gpus: tuple[Gpu, ...] | None
    claim_bytes: int = 0


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class MachineSnapshot:
    """The machine at the monotonic time `now`.

    `max_parallel` is how many runs may be active at a time, 0 means no limit. `bucket` is refilled up to `now`.
    `readings_age_seconds` is the age of the readings as a whole. `gpus_known` is False until the probe has answered
    for the first time. `probe_broken_since` is a formatted clock time.
    """

    now: float
    readings: Readings
    bucket: TokenBucket
    limits: MachineLimits = field(default_factory=MachineLimits)
    max_parallel: int = 0
    active: tuple[ActiveRun, ...] = ()
    claims: tuple[Claim, ...] = ()
    saving: tuple[SavingRun, ...] = ()
    queue_held: bool = False
    reservation: Reservation | None = None
    readings_age_seconds: float = 0.0
    gpus_known: bool = True
    probe_broken_since: str | None = None

    def answers(self, gpu: GpuReading) -> bool:
        return answers(gpu, readings_age_seconds=self.readings_age_seconds, sample_seconds=self.limits.sample_seconds)

    def runs_on(self, gpu: GpuReading) -> tuple[ActiveRun, ...]:
        return tuple(run for run in self.active if gpu.uuid in run.gpu_uuids)

    def with_started(self, candidate: Candidate, placement: Placement) -> MachineSnapshot:
        """Returns the machine after this start, as input for the decision about the next candidate."""
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


MIN_PARALLEL = 2
CORES_PER_RUN = 4


def parallel_limit(limits: MachineLimits, readings: Readings) -> int:
    """How many runs may be active at a time; 0 means no limit.

    With `max_parallel = "auto"` it is one for each GPU that is there, on a machine without GPUs one for every four
    usable cores, and two at least.
    """
    if limits.max_parallel is not None:
        return limits.max_parallel
    if readings.gpus:
        return max(MIN_PARALLEL, sum(gpu.health not in GONE for gpu in readings.gpus))
    return max(MIN_PARALLEL, int((readings.host.cores or 0) // CORES_PER_RUN))


def claims_of(run: ActiveRun, claimed_bytes: int, *, since: float) -> Iterable[Claim]:
    """Builds the claims of a run on each of its GPUs: at its start, or when a new supervisor takes it over."""
    return (
        Claim(run_id=run.id, run_name=run.name, gpu_uuid=uuid, bytes=claimed_bytes, since=since)
        for uuid in run.gpu_uuids
    )
