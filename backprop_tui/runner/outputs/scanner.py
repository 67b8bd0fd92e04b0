"""Scans what a run writes besides its log, in a thread, and watches the free disk space."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from backprop_tui.domain.checkpoint_names import parse_candidate
from backprop_tui.domain.checkpoint_pace import DiskUse
from backprop_tui.domain.governor.disk_forecast import forecast_shortages, saving_run
from backprop_tui.domain.live import Live
from backprop_tui.domain.run import Checkpoint, Run, SharedDirectory
from backprop_tui.processes.descriptors import MAX_PROCESSES
from backprop_tui.processes.hanging_call import MIN_PAUSE_SECONDS, BackgroundTask, pause_after
from backprop_tui.processes.linux import mount_point_of, mount_points
from backprop_tui.runner.attempt_beginning import AttemptBeginning
from backprop_tui.runner.outputs.checkpoints import CheckpointFound, CheckpointPatterns, CheckpointScanner, Sighting
from backprop_tui.runner.outputs.files import (
    OutputFiles,
    locations_in_command,
    may_belong_to_run,
)
from backprop_tui.runner.outputs.metric_files import MetricFiles, MetricsFound
from backprop_tui.runner.outputs.ownership import DirectoryNeighbours
from backprop_tui.runner.recorder import Recorder
from backprop_tui.runner.stop_sequence import SAME_SAVE_SECONDS
from backprop_tui.store.home import Home

IDLE_SECONDS = 2.5
SAVING_SECONDS = 2.0
ANNOUNCED_SECONDS = 1.0
LAST_SCAN_SECONDS = 5.0
LOOK_SECONDS = 0.2  # between checks of the working directories of its processes
MAX_WORKING_FOLDERS = 16
UNCLEAR_SCANS = 4  # before a possible checkpoint of unknown owner is reported: another run may record it as its own
MAX_SHARED_FILES = 5  # that are recorded
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


_Unclear = tuple[str, int]  # a possible checkpoint, and the time of its last change (ns)


def _saved(results: Iterable[ScanResult]) -> Iterator[Checkpoint]:
    """The checkpoints that a scan found; they are recorded later."""
    for result in results:
        if isinstance(result, CheckpointFound):
            yield Checkpoint(path=result.path, step=None, saved_at=result.modified_at)


def _covers(checkpoint: Checkpoint, path: str, changed_ns: int) -> bool:
    """Whether a possible checkpoint, as it was at that time, is a recorded one."""
    is_recorded = path in (checkpoint.path, *checkpoint.candidates)
    return checkpoint.written and is_recorded and changed_ns <= (checkpoint.saved_at + SAME_SAVE_SECONDS) * 1e9


def _shared_directory(unowned: Mapping[_Unclear, Sequence[str]]) -> SharedDirectory | None:
    """The directory of the newest checkpoint without an owner; each is given with the runs that may have written it."""
    if not unowned:
        return None
    folder = os.path.dirname(list(unowned)[-1][0])
    files = {path: runs for (path, _), runs in unowned.items() if os.path.dirname(path) == folder}
    runs = sorted({run_id for others in files.values() for run_id in others})
    return SharedDirectory(folder=folder, runs=tuple(runs), files=tuple(files)[-MAX_SHARED_FILES:])


ScanResult = Sighting | DiskUse | MetricsFound


class OutputScanner:
    """Finds the checkpoints, metrics and disk use of one attempt."""

    def __init__(self, run: Run, home: Home, recorder: Recorder, pids: Callable[[], Iterable[int]]) -> None:
        """`pids` returns the run's processes."""
        spec = run.spec
        patterns = CheckpointPatterns(spec.checkpoint_globs, spec.cwd)
        self._recorder = recorder
        self._start = start = AttemptBeginning(run.attempt.started_at, recorder.live)
        since_ns = start.earliest_ns()
        self._checkpoint_scanner = CheckpointScanner(patterns, self._known_checkpoints, since_ns=since_ns)
        self._working_folders = WorkingFolders(pids, spec.cwd)
        self._metric_files = MetricFiles()
        self._neighbours = DirectoryNeighbours(home, run.id, spec.cwd)
        self._cwd = spec.cwd
        self._files = OutputFiles(
            [*patterns.locations(), *locations_in_command(spec.command, spec.cwd)],
            cwd=spec.cwd,
            since_ns=start.ns,
            pids=pids,
            is_relevant=patterns.matches,
            neighbours=self._neighbours.active,
            store=home.root,
        )
        for checkpoint in recorder.live.checkpoints:
            self._files.add_folder(os.path.dirname(checkpoint.path), depth=ANNOUNCED_DEPTH)
            if checkpoint.sound is None:
                self._checkpoint_scanner.expect(checkpoint.path)
        self._task: BackgroundTask[list[ScanResult]] = BackgroundTask(self._scan, self._pause_seconds)
        self._is_last = False
        self._unclear: dict[_Unclear, int] = {}  # how many scans each has been unclear
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
        results: list[ScanResult] = list(self._checkpoint_scanner.scan(files, now, at_end=self._is_last))
        self.shared_directory = self._find_unowned([*self._known_checkpoints(), *_saved(results)])
        others = (self._metric_files.read(files, is_last=self._is_last), measure_disk(self._known_checkpoints()))
        return [*results, *(result for result in others if result is not None)]

    def _find_unowned(self, own: Sequence[Checkpoint]) -> SharedDirectory | None:
        """The possible checkpoints that no run has recorded, if more evidence is unlikely.

        A run that has checkpoints in a directory of its own does not miss those of other directories.
        """
        unclear: dict[_Unclear, int] = {}
        for path, changed_ns in self._files.undecided().items():
            named = parse_candidate(path, top=self._cwd)
            if named is not None:
                unclear[named.path, changed_ns] = self._unclear.get((named.path, changed_ns), 0) + 1
        self._unclear = unclear
        needed = 1 if self._is_last else UNCLEAR_SCANS
        own_folders = {os.path.dirname(saved.path) for saved in own if saved.written}
        lasting = [
            file
            for file in sorted(unclear, key=lambda file: file[1])
            if unclear[file] >= needed and (not own_folders or os.path.dirname(file[0]) in own_folders)
        ]
        others = {file: self._files.others_at(file[1]) for file in lasting}
        recorded = [*own, *self._neighbours.checkpoints_of(set().union(*others.values()))]
        return _shared_directory(
            {file: others[file] for file in lasting if not any(_covers(saved, *file) for saved in recorded)}
        )

    def _pause_seconds(self, spent: float) -> float:
        """The pause until the next scan; short while a checkpoint is being written or waited for."""
        is_awaited = self._checkpoint_scanner.is_any_pending or self._recorder.live.postponed is not None
        seconds = pause_after(spent, min_seconds=MIN_PAUSE_SECONDS if is_awaited else IDLE_SECONDS)
        return min(seconds, SAVING_SECONDS) if is_awaited else seconds

    def _known_checkpoints(self) -> tuple[Checkpoint, ...]:
        return self._recorder.live.checkpoints
