"""Snapshots for tests of the dashboard: runs in any state at a fixed moment, without a store."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from backprop_tui.domain.causes.cause import PERSON
from backprop_tui.domain.governor.governor_state import GovernorMode, GovernorState
from backprop_tui.domain.lifecycle import Outcome, begin_attempt, finish_attempt, requeue_ended
from backprop_tui.domain.limits import GIGABYTE
from backprop_tui.domain.live import Clock, Live
from backprop_tui.domain.run import Cause, Ended, Gpu, Queued, Run, Running, Spec
from backprop_tui.domain.status import Status
from backprop_tui.domain.telemetry import GpuReading, HostReading, Readings
from backprop_tui.presentation.known_run import KnownRun, LossCurve, Moment
from backprop_tui.probes.readings import Sample
from backprop_tui.store.records import public
from backprop_tui.tui.snapshot import Snapshot

NOW = Moment(wall=1_800_000_000.0, monotonic=10_000.0, boot_id="this-boot")
HOST = "ada-gpu-07"
FOLDER = "/state/runs"


def gb(count: float) -> int:
    """Bytes of memory."""
    return round(count * GIGABYTE)


def queued(
    run_id: str, *, queue_position: int | None = 1, holds: tuple[dict[str, Any], ...] = (), **fields: Any
) -> KnownRun:
    """A run that waits, for the reasons given."""
    run = _run(run_id, **fields)
    return KnownRun(record=public(run, f"{FOLDER}/{run_id}", holds=list(holds)), run=run, queue_position=queue_position)


def running(run_id: str, *, seconds: float = 60.0, curve: LossCurve | None = None, **given: Any) -> KnownRun:
    """A run that goes on for so long; fields of Live and of Run may be given."""
    of_live = {name: given.pop(name) for name in tuple(given) if name in Live.__slots__}
    run = begin_attempt(
        _run(run_id, **given), now=NOW.wall - seconds, boot_id=NOW.boot_id, gpus=(Gpu(index=0, uuid="GPU-0"),)
    )
    run = run.to(Running(since=NOW.wall - seconds))
    clock = Clock(running_seconds=seconds, mark=NOW.monotonic, boot_id=NOW.boot_id)
    live = Live(attempt=1, runner_pid=1, script_pid=2, clock=clock, time=NOW.wall, **of_live)
    record = public(run, f"{FOLDER}/{run_id}", live=live)
    return KnownRun(record=record, run=run, live=live, curve=curve or LossCurve())


def ended(
    run_id: str, status: Status = Status.COMPLETED, *, ago: float = 60.0, cause: Cause | None = None, **fields: Any
) -> KnownRun:
    """A run that ended so long ago."""
    at = NOW.wall - ago
    run = begin_attempt(_run(run_id, **fields), now=at - 100, boot_id=NOW.boot_id).to(Running(since=at - 100))
    outcome = Outcome(status=status, exit_code=0 if status is Status.COMPLETED else 1, cause=cause)
    run = finish_attempt(run, outcome, now=at, resume_from=None)
    return KnownRun(record=public(run, f"{FOLDER}/{run_id}"))


def removed_from_queue(run_id: str, cause: Cause | None = None) -> KnownRun:
    """A run that failed, was queued again, and was then taken out of the queue by a person."""
    run = begin_attempt(_run(run_id), now=NOW.wall - 200, boot_id=NOW.boot_id).to(Running(since=NOW.wall - 200))
    failed = finish_attempt(
        run, Outcome(status=Status.FAILED, exit_code=1, cause=cause), now=NOW.wall - 100, resume_from=None
    )
    reason = "stopped by you before its next attempt"
    end = Ended(at=NOW.wall - 10, status=Status.STOPPED, reason=reason, cause=Cause(kind=PERSON, evidence=reason))
    run = requeue_ended(failed, now=NOW.wall - 50, resume_from=None).to(end)
    return KnownRun(record=public(run, f"{FOLDER}/{run_id}"), run=run)


def stored(run_id: str, **fields: Any) -> Run:
    """A run as it is in the store."""
    return _run(run_id, **fields)


def _run(run_id: str, **fields: Any) -> Run:
    spec = Spec(command=("python", "train.py"), script=None, cwd="/home/anna", **fields.pop("spec", {}))
    known: dict[str, Any] = {
        "id": run_id,
        "name": run_id,
        "host": HOST,
        "created_at": NOW.wall - 1000,
        "position": NOW.wall - 1000,
        "spec": spec,
        "state": Queued(since=NOW.wall - 1000),
    }
    return Run(**(known | fields))


def snapshot(*runs: KnownRun, **fields: Any) -> Snapshot:
    """All of it at the fixed moment."""
    return replace(Snapshot(moment=NOW, host=HOST, runs=runs, total=len(runs)), **fields)


def gpu(index: int = 0, **fields: Any) -> GpuReading:
    """A GPU that answers."""
    known: dict[str, Any] = {
        "index": index,
        "uuid": f"GPU-{index}",
        "name": "NVIDIA H100 80GB HBM3",
        "temperature_celsius": 71.0,
        "utilization_percent": 87.0,
        "memory_total_bytes": gb(80),
        "memory_used_bytes": gb(61.2),
        "power_limit_watts": 700.0,
        "power_watts": 412.0,
        "fan_percent": 38.0,
    }
    return GpuReading(**(known | fields))


def sample(*gpus: GpuReading, **fields: Any) -> Sample:
    """What was measured at the fixed moment."""
    host = HostReading(
        cpu_percent=38.0,
        load_1m=12.4,
        cores=32,
        ram_total_bytes=gb(252),
        ram_available_bytes=gb(134),
        disk_free_bytes=1_200_000_000_000,
    )
    known: dict[str, Any] = {"time": NOW.wall, "host": host, "gpus": gpus, "probe": "nvml"}
    return Sample(readings=Readings(**(known | fields)), pid=1, boot_id=NOW.boot_id)


def governor(**fields: Any) -> GovernorState:
    """An open governor with a little work."""
    known: dict[str, Any] = {
        "state": GovernorMode.OPEN,
        "reasons": (),
        "start_tokens": 3.0,
        "start_burst": 4,
        "active": 2,
        "max_parallel": 6,
        "waiting": 1,
    }
    return GovernorState(**(known | fields))
