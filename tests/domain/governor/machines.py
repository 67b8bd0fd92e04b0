"""Machines for the governor's tests: builders with a calm machine as default, and strategies for any machine at all."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from backprop_tui.domain.governor.claims import Claim
from backprop_tui.domain.governor.snapshot import (
    ActiveRun,
    Candidate,
    MachineSnapshot,
    PendingDependency,
    Reservation,
    parallel_limit,
)
from backprop_tui.domain.governor.tokens import TokenBucket
from backprop_tui.domain.limits import GIGABYTE, MachineLimits, RunLimits
from backprop_tui.domain.telemetry import GpuHealth, GpuProcess, GpuReading, HostReading, Readings

CALM_HOST = HostReading(
    cpu_percent=10.0,
    load_1m=1.0,
    cores=8.0,
    ram_total_bytes=64 * GIGABYTE,
    ram_available_bytes=48 * GIGABYTE,
    disk_free_bytes=500 * GIGABYTE,
)
ROOMY = MachineLimits(max_parallel=100, start_burst=100, starts_per_minute=100.0)


def gpu(
    index: int = 0,
    *,
    celsius: float | None = 50.0,
    total_gb: float | None = 24.0,
    used_gb: float | None = 0.0,
    health: GpuHealth = GpuHealth.OK,
    age_seconds: float = 0.0,
    problem: str | None = None,
    processes: tuple[GpuProcess, ...] = (),
) -> GpuReading:
    return GpuReading(
        index=index,
        uuid=uuid_of(index),
        name="H100",
        health=health,
        temperature_celsius=celsius,
        memory_total_bytes=None if total_gb is None else gb(total_gb),
        memory_used_bytes=None if used_gb is None else gb(used_gb),
        processes=processes,
        age_seconds=age_seconds,
        problem=problem,
    )


def uuid_of(index: int) -> str:
    return f"GPU-{index:04}-abcd"


def gb(count: float) -> int:
    return round(count * GIGABYTE)


def process(run: str, used_gb: float | None, pid: int = 7) -> GpuProcess:
    return GpuProcess(pid=pid, memory_bytes=None if used_gb is None else gb(used_gb), owner="anna", run=run)


def snapshot(
    *gpus: GpuReading,
    host: HostReading = CALM_HOST,
    limits: MachineLimits = ROOMY,
    active: tuple[ActiveRun, ...] = (),
    claims: tuple[Claim, ...] = (),
    tokens: float = 100.0,
    probe_problem: str | None = None,
) -> MachineSnapshot:
    readings = Readings(time=1000.0, host=host, gpus=gpus, probe="nvml", probe_problem=probe_problem)
    bucket = TokenBucket(tokens=tokens, as_of=0.0)
    return MachineSnapshot(
        now=0.0,
        readings=readings,
        bucket=bucket,
        limits=limits,
        max_parallel=parallel_limit(limits, readings),
        active=active,
        claims=claims,
    )


def candidate(name: str = "nano-lm", **fields: object) -> Candidate:
    return replace(Candidate(id=name, name=name), **fields)  # type: ignore[arg-type]


def active_run(name: str, *gpu_indices: int, **fields: object) -> ActiveRun:
    uuids = tuple(uuid_of(index) for index in gpu_indices)
    return replace(ActiveRun(id=name, name=name, started_at=0.0, gpu_uuids=uuids), **fields)  # type: ignore[arg-type]


def claim(run: ActiveRun, claimed_gb: float, *, index: int = 0, since: float = 0.0) -> Claim:
    return Claim(run_id=run.id, run_name=run.name, gpu_uuid=uuid_of(index), bytes=gb(claimed_gb), since=since)


# Figures lie on a coarse grid around the limits, so that equality with a limit is common.
GIGABYTES = st.integers(0, 24).map(lambda halves: halves * GIGABYTE // 2)
GPU_COUNT = 4
RUN_NAMES = ("a", "b", "c")

run_limits = st.builds(
    RunLimits,
    min_free_ram_bytes=GIGABYTES,
    max_load_per_core=st.sampled_from([0.0, 0.5, 1.0, 2.0]),
    min_free_disk_bytes=GIGABYTES,
    max_parallel=st.none() | st.integers(0, 4),
    gpu_min_free_vram_bytes=GIGABYTES,
    gpu_max_temp_celsius=st.sampled_from([0.0, 70.0, 85.0]),
    gpu_resume_margin_celsius=st.sampled_from([0.0, 2.0, 5.0]),
)
calm_limits = st.builds(
    RunLimits, gpu_min_free_vram_bytes=GIGABYTES, gpu_max_temp_celsius=st.sampled_from([0.0, 70.0, 85.0])
)
machine_limits = st.builds(
    MachineLimits,
    max_parallel=st.none() | st.integers(0, 4),
    start_burst=st.integers(0, 5),
    starts_per_minute=st.sampled_from([0.0, 0.25, 1.0, 60.0]),
)
selectors = st.lists(
    st.integers(0, GPU_COUNT).map(str) | st.integers(0, GPU_COUNT).map(uuid_of), min_size=1, max_size=3, unique=True
).map(tuple)
plain_candidates = st.builds(
    Candidate,
    id=st.just("candidate"),
    name=st.just("candidate"),
    limits=st.just(RunLimits()) | calm_limits,
    requested_gpus=st.sampled_from([None, 1, 2]),
    learned_peak_bytes=st.none() | GIGABYTES,
)
choosy_candidates = st.builds(
    Candidate,
    id=st.just("candidate"),
    name=st.just("candidate"),
    limits=st.just(RunLimits()) | run_limits,
    requested_gpus=st.none() | st.integers(0, GPU_COUNT),
    gpu_ids=st.just(()) | selectors,
    visible_gpus=st.none() | selectors | st.just(("",)),
    learned_peak_bytes=st.none() | GIGABYTES,
    awaited=st.sampled_from([(), (), (), (PendingDependency(name="other", status="running"),)]),
)
candidates = plain_candidates | choosy_candidates
processes = st.builds(
    GpuProcess,
    pid=st.integers(1, 9),
    memory_bytes=st.none() | GIGABYTES,
    owner=st.none() | st.just("mika"),
    run=st.none() | st.sampled_from(RUN_NAMES),
)


@st.composite
def calm_gpus(draw: st.DrawFn, index: int) -> GpuReading:
    """A GPU that answers, cool or warm, more or less in use."""
    return gpu(
        index,
        celsius=draw(st.sampled_from([20.0, 65.0, 79.0, 81.9, 82.0])),
        used_gb=draw(st.integers(0, 24)),
        processes=tuple(draw(st.lists(processes, max_size=1))),
    )


@st.composite
def any_gpus(draw: st.DrawFn, index: int) -> GpuReading:
    """Any GPU: some figures missing, some processes that hold more than the GPU says."""
    total = draw(st.none() | GIGABYTES)
    return GpuReading(
        index=index,
        uuid=uuid_of(index),
        name="H100",
        health=draw(st.sampled_from([GpuHealth.OK, GpuHealth.OK, *GpuHealth])),
        temperature_celsius=draw(st.none() | st.sampled_from([20.0, 65.0, 67.0, 69.9, 70.0, 79.0, 82.0, 85.0, 99.0])),
        memory_total_bytes=total,
        memory_used_bytes=draw(st.none() | GIGABYTES) if total is None else draw(st.integers(0, total)),
        processes=tuple(draw(st.lists(processes, max_size=2))),
        age_seconds=draw(st.sampled_from([0.0, 0.0, 2.9, 3.1, 60.0])),
    )


@st.composite
def active_runs(draw: st.DrawFn, name: str) -> ActiveRun:
    indices = draw(st.sets(st.integers(0, GPU_COUNT - 1), max_size=2))
    paused_by = draw(st.sampled_from([None, None, "heat", "ram", "anna"]))
    return active_run(name, *sorted(indices), paused_by=paused_by)


any_hosts = st.builds(
    HostReading,
    load_1m=st.none() | st.sampled_from([0.0, 4.0, 8.0, 16.0]),
    cores=st.none() | st.just(8.0),
    ram_available_bytes=st.none() | GIGABYTES,
    disk_free_bytes=st.none() | GIGABYTES,
)


@st.composite
def snapshots(draw: st.DrawFn) -> MachineSnapshot:
    """Any machine: half of them calm but for their GPUs, half of them in all sorts of trouble."""
    active = tuple(draw(active_runs(name)) for name in RUN_NAMES[: draw(st.sampled_from([0, 0, 1, 2, 3]))])
    claims = tuple(
        Claim(run_id=run.id, run_name=run.name, gpu_uuid=uuid, bytes=draw(GIGABYTES), since=0.0)
        for run in active
        for uuid in run.gpu_uuids
    )
    kept = draw(st.frozensets(st.integers(0, GPU_COUNT - 1).map(uuid_of), max_size=1))
    kept_for = draw(st.sampled_from(["candidate", "big", "big"]))
    machine = replace(
        snapshot(*(draw(calm_gpus(index)) for index in range(GPU_COUNT)), active=active, claims=claims),
        reservation=Reservation(run_id=kept_for, run_name="big", gpu_uuids=kept) if kept else None,
    )
    return machine if draw(st.booleans()) else draw(troubled(machine))


@st.composite
def troubled(draw: st.DrawFn, machine: MachineSnapshot) -> MachineSnapshot:
    """The same runs on a machine where anything may be short, broken or missing."""
    readings = replace(
        machine.readings,
        host=draw(any_hosts),
        gpus=tuple(draw(any_gpus(index)) for index in range(draw(st.integers(0, GPU_COUNT)))),
        probe_problem=draw(st.sampled_from([None, None, None, "driver mismatch"])),
    )
    limits = draw(machine_limits)
    return replace(
        machine,
        readings=readings,
        bucket=TokenBucket(tokens=draw(st.sampled_from([0.0, 0.5, 1.0, 2.5])), as_of=0.0),
        limits=limits,
        max_parallel=parallel_limit(limits, readings),
        queue_held=draw(st.sampled_from([False, False, False, True])),
        readings_age_seconds=draw(st.sampled_from([0.0, 0.0, 0.0, 2.0, 30.0])),
        gpus_known=draw(st.sampled_from([True, True, True, False])),
    )
