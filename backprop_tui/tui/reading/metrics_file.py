"""The files that charts are made from, of the runs that are looked at, in a thread of their own."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from backprop_tui.domain.attempts import Attempts
from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.run import Run
from backprop_tui.store.export import export_csv
from backprop_tui.store.home import Home
from backprop_tui.store.metrics import MetricsFile
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.watched_file import WatchedFile
from backprop_tui.tui.charts.figures import RunFigures
from backprop_tui.tui.reading.resources_file import ResourcesFile

MOST_RUNS = 8  # whose files are kept in mind; those looked at least recently are forgotten


class _RunFiles:
    """The files of one run."""

    def __init__(self, run_id: str, directory: RunDirectory) -> None:
        self._run_id = run_id
        self._directory = directory
        self._metrics = MetricsFile(directory.metrics_path)
        self._resources = ResourcesFile(directory.resources_path)
        self._record = WatchedFile(directory.record_path)
        self._run: Run | None = None

    def read(self) -> RunFigures:
        """What is known now."""
        try:
            metrics, used = self._metrics.read(), self._resources.read()
            if self._record.changed():
                self._run = self._directory.read()
        except (BackpropError, OSError) as error:
            return RunFigures(run_id=self._run_id, problem=str(error))
        caught_up = self._metrics.caught_up
        return RunFigures(run_id=self._run_id, metrics=metrics, used=used, run=self._run, caught_up=caught_up)


class ChartReader:
    """Reads on when it is asked to; never in the thread that paints."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._files: OrderedDict[str, _RunFiles] = OrderedDict()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="charts")

    async def read(self, run_ids: Sequence[str]) -> list[RunFigures]:
        """The figures of each of these runs as they are now."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, tuple(run_ids))

    async def export(self, run_id: str, path: str) -> str:
        """Writes all metrics of a run as CSV to `path`, or one numbered after it where that exists; where it is.

        Raises:
            OSError: it could not be written.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._export, run_id, path)

    def _export(self, run_id: str, path: str) -> str:
        directory = RunDirectory(self._home.run_folder(run_id))
        try:
            attempts = Attempts.of(directory.read())
        except BackpropError:  # what is measured is worth having without its record
            attempts = Attempts()
        return export_csv(directory.metrics_path, path, attempts)

    def close(self) -> None:
        """Nothing is read any more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _read(self, run_ids: Sequence[str]) -> list[RunFigures]:
        found = []
        for run_id in run_ids:
            if run_id not in self._files:
                try:
                    self._files[run_id] = _RunFiles(run_id, RunDirectory(self._home.run_folder(run_id)))
                except OSError as error:
                    found.append(RunFigures(run_id=run_id, problem=str(error)))
                    continue
            self._files.move_to_end(run_id)
            found.append(self._files[run_id].read())
        while len(self._files) > max(MOST_RUNS, len(run_ids)):
            self._files.popitem(last=False)
        return found
