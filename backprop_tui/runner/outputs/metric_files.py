"""Reads metrics from the files a script writes beside its log: CSV tables, the Trainer's state, TensorBoard events.

Runs in the thread that scans the output files, because a file system may hang.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from io import FileIO

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.processes.regular_files import open_regular
from backprop_tui.readers.events import Progress
from backprop_tui.readers.files import tensorboard, trainer_state
from backprop_tui.readers.files.csv_log import CsvLog
from backprop_tui.readers.files.tensorboard import TensorBoardLog
from backprop_tui.readers.files.trainer_state import parse_trainer_state
from backprop_tui.runner.outputs.files import OutputFile

MAX_FILES = 64
# Read per scan, from all growing files together: a guardian stays small, and the next scan continues.
MAX_READ_BYTES = 256 << 10
MAX_LAST_READ_BYTES = 8 << 20  # at the last scan
MAX_RESTARTS = 20  # a table whose columns keep changing is given up
MAX_STATE_BYTES = 4 << 20  # tens of thousands of lines, which take ten times that memory while they are read


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class MetricsFound:
    """What the files contained beyond the last scan; the `offset` of these values has no meaning."""

    values: tuple[Progress, ...]


class _GrowingFile:
    """A file that is appended to, and how far it was read."""

    def __init__(self, log: CsvLog | TensorBoardLog, restarts: int) -> None:
        self.log = log
        self.restarts = restarts  # how often it was read from its beginning
        self.position = 0


class MetricFiles:
    """Follows the metric files of one attempt.

    What one scan reads is returned at the next one: so if the log reports the same values, it reports them first.
    """

    def __init__(self) -> None:
        self._budget_bytes = 0  # left to read at this scan
        self._delayed: list[Progress] = []
        self._growing: dict[str, _GrowingFile] = {}
        self._unread: dict[str, OutputFile] = {}  # files with more content than one scan reads

    def read(self, files: Iterable[OutputFile], *, is_last: bool = False) -> MetricsFound | None:
        """Reads changed files and returns the values read at the previous scan, at the last scan all; None if none."""
        changed = self._unread | {file.path: file for file in files}
        self._unread = {}
        values: list[Progress] = []
        self._budget_bytes = MAX_LAST_READ_BYTES if is_last else MAX_READ_BYTES
        for file in changed.values():
            try:
                values += self._read_file(file)
            except OSError:  # removed, or not readable
                self._growing.pop(file.path, None)
        ready, self._delayed = ([*self._delayed, *values], []) if is_last else (self._delayed, values)
        return MetricsFound(values=tuple(ready)) if ready else None

    def _read_file(self, file: OutputFile) -> list[Progress]:
        name = os.path.basename(file.path)
        if name == trainer_state.NAME:
            return _read_trainer_state(file) if file.size_bytes <= MAX_STATE_BYTES else []
        if name.endswith(".csv"):
            return self._read_growth(file, CsvLog)
        if tensorboard.MARK in name:
            return self._read_growth(file, lambda: TensorBoardLog(_series_name(file.path)))
        return []

    def _read_growth(self, file: OutputFile, make_log: Callable[[], CsvLog | TensorBoardLog]) -> list[Progress]:
        growing = self._growing.get(file.path)
        if growing is None or file.size_bytes < growing.position:
            if growing is None and len(self._growing) >= MAX_FILES:
                return []
            restarts = 1 if growing is None else growing.restarts + 1
            growing = self._growing[file.path] = _GrowingFile(make_log(), restarts)
        with FileIO(open_regular(file.path)) as opened:
            opened.seek(growing.position)
            chunk = opened.read(self._budget_bytes) or b""
        self._budget_bytes -= len(chunk)
        growing.position += len(chunk)
        values = growing.log.feed(chunk)
        growing.position += growing.log.pass_over(file.size_bytes - growing.position)
        if isinstance(growing.log, CsvLog) and growing.log.is_another and growing.restarts < MAX_RESTARTS:
            # A logger that gets a new column rewrites its table.
            self._growing[file.path] = _GrowingFile(make_log(), growing.restarts + 1)
            self._unread[file.path] = file
        elif growing.position < file.size_bytes:
            self._unread[file.path] = file
        return values


def _series_name(path: str) -> str:
    """The name of an event file's directory if it is one of several series of a training; otherwise empty."""
    # There are several if the parent directory also contains an event file, or a directory called `train`.
    parent, name = os.path.split(os.path.dirname(path))
    siblings = os.listdir(parent or ".")
    is_one_of_several = "train" in siblings or any(tensorboard.MARK in sibling for sibling in siblings)
    return name if is_one_of_several else ""


def _read_trainer_state(file: OutputFile) -> list[Progress]:
    with FileIO(open_regular(file.path)) as opened:
        return parse_trainer_state(opened.read(MAX_STATE_BYTES) or b"")
