"""A queued run as the governor's admission sees it, an active one as its guard does."""

from __future__ import annotations

from dataclasses import replace

from backprop_tui.domain.governor.active import ActiveRun
from backprop_tui.domain.governor.snapshot import AwaitedRun, Candidate, Snapshot
from backprop_tui.domain.live import Live
from backprop_tui.domain.run import Run

AUTO, NONE, SIMULATED = "auto", "none", "simulated"


def candidate_of(
    run: Run, awaited: tuple[AwaitedRun, ...], learned_peak_bytes: int | None, mount: str | None = None
) -> Candidate:
    """A queued run that asks to start; `mount` is the disk of its directory."""
    return Candidate(
        id=run.id,
        name=run.name,
        limits=run.spec.limits,
        gpus_wanted=run.spec.gpus,
        gpu_ids=run.spec.gpu_ids,
        visible_gpus=run.spec.visible_gpus,
        learned_peak_bytes=learned_peak_bytes,
        awaited=awaited,
        mount=mount,
    )


def snapshot_for(run: Run, snapshot: Snapshot, machine_probe: str) -> Snapshot:
    """The machine as far as a run is concerned: one that was queued with `--gpu-probe none` asks nothing of GPUs.

    Until the sampler measures what the run asked for, nothing is known to it: no run is placed on simulated GPUs that
    another run asked for. `machine_probe` is that of runs that leave it open.
    """
    asked = machine_probe if run.spec.gpu_probe == AUTO else run.spec.gpu_probe
    if asked == NONE:
        readings = replace(snapshot.readings, gpus=(), probe_problem=None)
        return replace(snapshot, readings=readings, gpus_known=True)
    if _answers(asked, snapshot.readings.probe):
        return snapshot
    return replace(snapshot, readings=replace(snapshot.readings, gpus=(), probe_problem=None), gpus_known=False)


def _answers(asked: str, measured: str) -> bool:
    """Whether what is measured by one probe is what another would measure, too."""
    if SIMULATED in (asked, measured):
        return asked == measured
    return asked == AUTO or measured != NONE


def active_of(run: Run, live: Live | None, now: float) -> ActiveRun:
    """An admitted run; `now` is a wall time."""
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
