"""Scans what a run writes besides its log, in a thread, and watches the free disk space."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from backprop_tui.domain.checkpoint_pace import DiskUse
from backprop_tui.domain.governor.disk_forecast import forecast_shortages, saving_run
from backprop_tui.domain.live import Live
from backprop_tui.domain.run import Checkpoint, Run
from backprop_tui.processes.descriptors import MAX_PROCESSES
from backprop_tui.processes.hanging_call import MIN_PAUSE_SECONDS, BackgroundTask, pause_after
from backprop_tui.processes.linux import mount_point_of, mount_points
from backprop_tui.runner.attempt_beginning import AttemptBeginning
from backprop_tui.runner.outputs.checkpoints import CheckpointContested, CheckpointFound, CheckpointScanner, Sighting
from backprop_tui.runner.outputs.claims import Claims
from backprop_tui.runner.outputs.files import (
    OutputFiles,
    may_belong_to_run,
)
from backprop_tui.runner.outputs.locations import PathPatterns, locations_in_command, named_folders
from backprop_tui.runner.outputs.metric_files import MetricFiles, MetricsFound
from backprop_tui.runner.outputs.ownership import DirectoryNeighbours
from backprop_tui.runner.recorder import Recorder
from backprop_tui.store.home import Home

IDLE_SECONDS = 2.5
SAVING_SECONDS = 2.0
ANNOUNCED_SECONDS = 1.0
LAST_SCAN_SECONDS = 5.0
LOOK_SECONDS = 0.2  # between checks of the working directories of its processes
MAX_WORKING_FOLDERS = 16
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


class WorkingFolders:
    """The working directories that a script and its children choose for themselves, as Hydra does with job.chdir."""

    def __init__(self, pids: Callable[[], Iterable[int]], cwd: str) -> None:
        self._pids = pids
        self._cwd = cwd
        self._real_cwd: str | None = None  # found by the thread, since its disk may not answer
        self._looked_at = -math.inf
        self._folders: dict[str, None] = {}  # the newest last
        self._added: set[str] = set()

    def look(self) -> Sequence[str]:
        """The directories, the newest first; those of processes that are gone count too. Never waits for a disk."""
        now = time.monotonic()
        if self._real_cwd is not None and now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            for pid in islice(self._pids(), MAX_PROCESSES):
                self._note(pid)
        return list(reversed(self._folders))

    def look_for_new(self) -> Sequence[str]:
        """The directories that were not returned before, and that may belong to a single run."""
        self._real_cwd = self._real_cwd or os.path.realpath(self._cwd)
        new = [folder for folder in self.look() if folder not in self._added and may_belong_to_run(folder)]
        self._added.update(new)
        return new

    def _note(self, pid: int) -> None:
        try:
            folder = os.readlink(f"/proc/{pid}/cwd")
        except OSError:
            return
        if folder not in ("/", self._real_cwd) and not folder.endswith(" (deleted)"):
            self._folders.pop(folder, None)
            if len(self._folders) < MAX_WORKING_FOLDERS:
                self._folders[folder] = None


def _saved(results: Iterable[ScanResult]) -> Iterator[Checkpoint]:
    """The checkpoints that a scan found; they are recorded later."""
    for result in results:
        if isinstance(result, CheckpointFound):
            yield Checkpoint(path=result.path, step=None, saved_at=result.modified_at)


ScanResult = Sighting | DiskUse | MetricsFound


class OutputScanner:
    """Finds the checkpoints, metrics and disk use of one attempt."""

    def __init__(self, run: Run, home: Home, recorder: Recorder, pids: Callable[[], Iterable[int]]) -> None:
        """`pids` returns the run's processes."""
        spec = run.spec
        patterns = PathPatterns(spec.checkpoint_globs, spec.cwd)
        self._recorder = recorder
        self._start = start = AttemptBeginning(run.attempt.started_at, recorder.live)
        since_ns = start.earliest_ns()
        self._checkpoint_scanner = CheckpointScanner(patterns, self._known_checkpoints, since_ns=since_ns)
        self._working_folders = WorkingFolders(pids, spec.cwd)
        self._metric_files = MetricFiles()
        neighbours = DirectoryNeighbours(home, run.id, spec.cwd, named_folders(spec))
        self._files = OutputFiles(
            [*patterns.locations(), *locations_in_command(spec.command, spec.cwd)],
            cwd=spec.cwd,
            since_ns=start.ns,
            pids=pids,
            is_relevant=patterns.matches,
            neighbours=neighbours.active,
            store=home.root,
        )
        self._files.look()
        self._claims = Claims(run, self._files, neighbours, lambda: recorder.live.step)
        for checkpoint in recorder.live.checkpoints:
            self._files.add_folder(os.path.dirname(checkpoint.path), depth=ANNOUNCED_DEPTH)
            if checkpoint.sound is None:
                self._checkpoint_scanner.expect(checkpoint.path)
        self._task: BackgroundTask[list[ScanResult]] = BackgroundTask(self._scan, self._pause_seconds)
        self._is_last = False
        self.shared_directory = recorder.live.shared_directory  # as of the last scan

    def expect(self, path: str) -> None:
        """Watches the directory of a checkpoint that the script announced: others will probably follow there."""
        self._checkpoint_scanner.expect(path)
        self._files.add_folder(os.path.dirname(path), depth=ANNOUNCED_DEPTH)
        self._task.hasten(ANNOUNCED_SECONDS)

    def folders(self) -> Sequence[str]:
        """The directories other than the run's own in which its processes worked last, the newest first."""
        return self._working_folders.look()

    def results(self, now: float) -> Sequence[ScanResult]:
        """The results of the last scan, each once; `now` is monotonic."""
        return self._task.result(now) or ()

    def results_at_end(self) -> Sequence[ScanResult]:
        """Scans once more after the script's death; waits at most a few seconds for a file system that hangs."""
        self._is_last = True
        return [result for results in self._task.finish(LAST_SCAN_SECONDS) for result in results]

    def _scan(self, now: float) -> list[ScanResult]:
        for folder in self._working_folders.look_for_new():
            self._files.add_folder(folder)
        self._files.earliest_ns = self._checkpoint_scanner.since_ns = self._start.earliest_ns()
        files = self._files.scan()
        known = self._known_checkpoints()
        for path in self._claims.changed_alone(known) if self._is_last else ():
            self._checkpoint_scanner.expect(path)
        results: list[ScanResult] = list(self._checkpoint_scanner.scan(files, now, at_end=self._is_last))
        results += self._find_shared(known, results)
        others = (self._metric_files.read(files, is_last=self._is_last), measure_disk(self._known_checkpoints()))
        return [*results, *(result for result in others if result is not None)]

    def _find_shared(self, known: Sequence[Checkpoint], results: Sequence[ScanResult]) -> Sequence[CheckpointContested]:
        """The checkpoints that are of no run for certain; `shared_directory` has those that are not on record, too."""
        own = {saved.path: saved for saved in (*known, *_saved(results))}
        contested = self._claims.contested(own, self._checkpoint_scanner.pending_paths, is_last=self._is_last)
        for doubt in contested:
            own[doubt.path] = replace(own[doubt.path], shared_with=doubt.runs)
        self.shared_directory = self._claims.unowned(own.values(), is_last=self._is_last)
        return contested

    def _pause_seconds(self, spent: float) -> float:
        """The pause until the next scan; short while a checkpoint is being written or waited for."""
        is_awaited = self._checkpoint_scanner.is_any_pending or self._recorder.live.postponed is not None
        seconds = pause_after(spent, min_seconds=MIN_PAUSE_SECONDS if is_awaited else IDLE_SECONDS)
        return min(seconds, SAVING_SECONDS) if is_awaited else seconds

    def _known_checkpoints(self) -> tuple[Checkpoint, ...]:
        return self._recorder.live.checkpoints
