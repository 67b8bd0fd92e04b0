"""Watches what a run writes beside its log, in a thread: the guardian takes what was seen and waits for no disk."""

from __future__ import annotations

import os
from collections.abc import Sequence

from backprop_tui.domain.disk_use import DiskUse
from backprop_tui.domain.run import Checkpoint, Run
from backprop_tui.processes.tree import descendants
from backprop_tui.runner.aside import CLOSEST_SECONDS, Aside, paced
from backprop_tui.runner.checkpoint_patterns import CheckpointPatterns
from backprop_tui.runner.disk_watch import measured
from backprop_tui.runner.found_checkpoints import CheckpointScanner, Sighting
from backprop_tui.runner.found_figures import MetricsFound, MetricFiles
from backprop_tui.runner.neighbours import DirectoryNeighbours
from backprop_tui.runner.recorder import Recorder
from backprop_tui.runner.writing_places import locations_in_command
from backprop_tui.runner.written_files import OutputFile, OutputFiles
from backprop_tui.store.home import Home

IDLE_SECONDS = 2.5
AWAITED_SECONDS = 2.0
LAST_LOOK_SECONDS = 5.0
ANNOUNCED_DEPTH = 2  # below the directory that an announced checkpoint lies in


Seen = Sighting | DiskUse | MetricsFound


class OutputScanner:
    """Everything that is learned from the files of one attempt."""

    def __init__(self, run: Run, home: Home, recorder: Recorder, script_pid: int) -> None:
        spec = run.spec
        patterns = CheckpointPatterns(spec.checkpoint_globs, spec.cwd)
        self._script_pid = script_pid
        self._recorder = recorder
        self._checkpoints = CheckpointScanner(patterns, self._known)
        self._figures = MetricFiles()
        self._files = OutputFiles(
            [*patterns.places(), *locations_in_command(spec.command, spec.cwd)],
            cwd=spec.cwd,
            since_ns=int(run.attempt.started_at * 1e9),
            pids=self._pids,
            is_wanted=patterns.wants,
            is_shared=DirectoryNeighbours(home, run.id, spec.cwd).share_cwd,
        )
        for checkpoint in recorder.live.checkpoints:
            self._files.learn(os.path.dirname(checkpoint.path), depth=ANNOUNCED_DEPTH)
            if checkpoint.sound is None:
                self._checkpoints.expect(checkpoint.path)
        self._aside: Aside[list[Seen]] = Aside(self._look, self._pause_seconds)
        self._is_last = False

    def expect(self, path: str) -> None:
        """The script announced a checkpoint there: where one lies, others will."""
        self._checkpoints.expect(path)
        self._files.learn(os.path.dirname(path), depth=ANNOUNCED_DEPTH)

    def seen(self, now: float) -> Sequence[Seen]:
        """What the last look saw, once; `now` is monotonic."""
        return self._aside.result(now) or ()

    def seen_last(self) -> Sequence[Seen]:
        """Looks once more when the script is dead; a file system that hangs is waited for a few seconds, no more."""
        self._is_last = True
        return [sighting for found in self._aside.last(LAST_LOOK_SECONDS) for sighting in found]

    def _look(self, now: float) -> list[Seen]:
        files: Sequence[OutputFile] = self._files.look(now)
        take = self._checkpoints.take_last if self._is_last else self._checkpoints.take
        seen: list[Seen] = list(take(files, now))
        found = (self._figures.take(files, is_last=self._is_last), measured(self._known()))
        return [*seen, *(one for one in found if one is not None)]

    def _pause_seconds(self, spent: float) -> float:
        """Short while a checkpoint is being written or waited for, whatever a look costs."""
        is_awaited = self._checkpoints.is_any_pending or self._recorder.live.postponed is not None
        seconds = paced(spent, closest_seconds=CLOSEST_SECONDS if is_awaited else IDLE_SECONDS)
        return min(seconds, AWAITED_SECONDS) if is_awaited else seconds

    def _known(self) -> tuple[Checkpoint, ...]:
        return self._recorder.live.checkpoints

    def _pids(self) -> list[int]:
        return [self._script_pid, *descendants(self._script_pid)]
