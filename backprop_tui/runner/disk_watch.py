"""Watches the disk space for a run's checkpoints, and warns once when it will not last."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from backprop_tui.domain.disk_use import DiskUse
from backprop_tui.domain.governor.disk_forecast import saving_run, shortages
from backprop_tui.domain.live import Live
from backprop_tui.domain.run import Checkpoint, Run
from backprop_tui.processes.mounts import mount_point_of, mount_points
from backprop_tui.runner.recorder import Recorder


def measure_disk(checkpoints: Sequence[Checkpoint]) -> DiskUse | None:
    """Measures the disk of the newest checkpoint; None without a checkpoint. Blocks as long as its file system does."""
    sized = [checkpoint for checkpoint in checkpoints if checkpoint.size_bytes is not None]
    if not sized:
        return None
    newest = sized[-1]
    folder = os.path.dirname(newest.path)
    try:
        status = os.statvfs(folder)
        mount = mount_point_of(os.path.realpath(folder), mount_points())
    except OSError:
        return None
    return DiskUse(mount=mount, free_bytes=status.f_bavail * status.f_frsize, save_bytes=newest.size_bytes or 0)


def record_disk_use(recorder: Recorder, use: DiskUse, run: Run, now: float) -> None:
    """Puts a measurement into the live record, and warns if the disk is going to fill up; `now` is monotonic."""
    live = recorder.live
    warning = _warning(replace(live, disk=use, clock=live.clock.at(now, paused=live.pause is not None)), run)
    if warning is not None and live.disk_warning is None:
        recorder.record_event("disk", warning)
    recorder.change(disk=use, disk_warning=warning)


def _warning(live: Live, run: Run) -> str | None:
    reserve_bytes = run.spec.limits.min_free_disk_bytes
    saving = saving_run(replace(run, name="it"), live) if reserve_bytes > 0 else None
    reasons = [] if saving is None else shortages([saving], reserve_bytes)
    return reasons[0].message if reasons else None
