"""Runs as the governor sees them: the GPUs that a run may be placed on, and active runs for the guard."""

from __future__ import annotations

from dataclasses import replace

from backprop_tui.domain.governor.snapshot import ActiveRun, MachineSnapshot
from backprop_tui.domain.live import Live
from backprop_tui.domain.run import Run

AUTO, NONE, SIMULATED = "auto", "none", "simulated"


def snapshot_for(run: Run, snapshot: MachineSnapshot, machine_probe: str) -> MachineSnapshot:
    """The snapshot limited to the GPUs of the probe that the run asks for; `machine_probe` applies to `auto`.

    With `--gpu-probe none` the run sees no GPUs. Until the sampler uses the probe that the run asks for, its GPUs count
    as unknown: so no run is placed on simulated GPUs that another run asked for.
    """
    probe = machine_probe if run.spec.gpu_probe == AUTO else run.spec.gpu_probe
    if probe == NONE:
        readings = replace(snapshot.readings, gpus=(), probe_problem=None)
        return replace(snapshot, readings=readings, gpus_known=True)
    if _is_equivalent(probe, snapshot.readings.probe):
        return snapshot
    return replace(snapshot, readings=replace(snapshot.readings, gpus=(), probe_problem=None), gpus_known=False)


def _is_equivalent(requested: str, measured: str) -> bool:
    """Whether the readings of one probe are those that the requested one would give."""
    if SIMULATED in (requested, measured):
        return requested == measured
    return requested == AUTO or measured != NONE


def active_of(run: Run, live: Live | None, now: float) -> ActiveRun:
    """An admitted run as the guard sees it; `now` is wall-clock time."""
    attempt = run.attempt
    live = live if live is not None and live.attempt == attempt.number else None
    pause = None if live is None else live.pause
    return ActiveRun(
        id=run.id,
        name=run.name,
        started_at=attempt.started_at,
        limits=run.spec.limits,
        gpu_uuids=tuple(gpu.uuid for gpu in attempt.gpus),
        paused_by=None if pause is None else pause.by,
        paused_seconds=0.0 if pause is None else max(0.0, now - pause.since),
        stopping=live is not None and live.stopping is not None,
    )
