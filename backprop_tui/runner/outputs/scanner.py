"""Scans what a run writes besides its log, in a thread, and watches the free disk space."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from backprop_tui.domain.checkpoint_pace import DiskUse
from backprop_tui.domain.governor.disk_forecast import forecast_shortages, saving_run
from backprop_tui.domain.live import Live
from backprop_tui.domain.run import Checkpoint, Run
from backprop_tui.processes.hanging_call import MIN_PAUSE_SECONDS, BackgroundTask, pause_after
from backprop_tui.processes.linux import mount_point_of, mount_points
from backprop_tui.runner.outputs.checkpoints import CheckpointPatterns, CheckpointScanner, Sighting
from backprop_tui.runner.outputs.files import DirectoryNeighbours, OutputFiles, locations_in_command
from backprop_tui.runner.outputs.metric_files import MetricFiles, MetricsFound
from backprop_tui.runner.recorder import Recorder
from backprop_tui.store.home import Home

IDLE_SECONDS = 2.5
SAVING_SECONDS = 2.0
LAST_SCAN_SECONDS = 5.0
ANNOUNCED_DEPTH = 2  # below the directory of an announced checkpoint


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
    reasons = [] if saving is None else forecast_shortages([saving], reserve_bytes)
    return reasons[0].message if reasons else None


ScanResult = Sighting | DiskUse | MetricsFound


class OutputScanner:
    """Finds the checkpoints, metrics and disk use of one attempt."""

    def __init__(self, run: Run, home: Home, recorder: Recorder, pids: Callable[[], Iterable[int]]) -> None:
        """`pids` returns the run's processes."""
        spec = run.spec
        patterns = CheckpointPatterns(spec.checkpoint_globs, spec.cwd)
        self._recorder = recorder
        self._checkpoint_scanner = CheckpointScanner(patterns, self._known_checkpoints)
        self._metric_files = MetricFiles()
        self._files = OutputFiles(
            [*patterns.locations(), *locations_in_command(spec.command, spec.cwd)],
            cwd=spec.cwd,
            since_ns=int(run.attempt.started_at * 1e9),
            pids=pids,
            is_relevant=patterns.matches,
            is_shared=DirectoryNeighbours(home, run.id, spec.cwd).is_shared,
        )
        for checkpoint in recorder.live.checkpoints:
            self._files.add_folder(os.path.dirname(checkpoint.path), depth=ANNOUNCED_DEPTH)
            if checkpoint.sound is None:
                self._checkpoint_scanner.expect(checkpoint.path)
        self._task: BackgroundTask[list[ScanResult]] = BackgroundTask(self._scan, self._pause_seconds)
        self._is_last = False

    def expect(self, path: str) -> None:
        """Watches the directory of a checkpoint that the script announced: others will probably follow there."""
        self._checkpoint_scanner.expect(path)
        self._files.add_folder(os.path.dirname(path), depth=ANNOUNCED_DEPTH)

    def results(self, now: float) -> Sequence[ScanResult]:
        """The results of the last scan, each once; `now` is monotonic."""
        return self._task.result(now) or ()

    def results_at_end(self) -> Sequence[ScanResult]:
        """Scans once more after the script's death; waits at most a few seconds for a file system that hangs."""
        self._is_last = True
        return [result for results in self._task.finish(LAST_SCAN_SECONDS) for result in results]

    def _scan(self, now: float) -> list[ScanResult]:
        files = self._files.scan()
        results: list[ScanResult] = list(self._checkpoint_scanner.scan(files, now, at_end=self._is_last))
        others = (self._metric_files.read(files, is_last=self._is_last), measure_disk(self._known_checkpoints()))
        return [*results, *(result for result in others if result is not None)]

    def _pause_seconds(self, spent: float) -> float:
        """The pause until the next scan; short while a checkpoint is being written or waited for."""
        is_awaited = self._checkpoint_scanner.is_any_pending or self._recorder.live.postponed is not None
        seconds = pause_after(spent, min_seconds=MIN_PAUSE_SECONDS if is_awaited else IDLE_SECONDS)
        return min(seconds, SAVING_SECONDS) if is_awaited else seconds

    def _known_checkpoints(self) -> tuple[Checkpoint, ...]:
        return self._recorder.live.checkpoints
