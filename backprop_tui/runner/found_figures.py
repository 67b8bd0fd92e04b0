"""Reads what a script writes beside its log: tables of figures, the Trainer's state, TensorBoard's events.

Runs in the thread that looks at files, since a file system may hang.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from backprop_tui.domain.values import dataclass
from backprop_tui.readers.files import tensorboard, trainer_state
from backprop_tui.readers.files.csv_log import CsvLog
from backprop_tui.readers.files.tensorboard import TensorBoardLog
from backprop_tui.readers.files.trainer_state import progress_in_state
from backprop_tui.readers.values import Progress
from backprop_tui.runner.written_files import OutputFile

MOST_FILES = 64
MOST_READ_BYTES = 256 << 10  # at a look, of all files that grow: a guardian is small; the next look goes on
MOST_LAST_READ_BYTES = 8 << 20  # at the last look
MOST_BEGINNINGS = 20  # a table whose rows differ for ever is read no more
LONGEST_STATE_BYTES = 4 << 20  # tens of thousands of lines, which take ten times that while they are read


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsFound:
    """What the files said since the last look; `offset` of a value means nothing."""

    values: tuple[Progress, ...]


class _Growing:
    """A file that is appended to, with how far it was read."""

    __slots__ = ("begun", "log", "position")

    def __init__(self, log: CsvLog | TensorBoardLog, begun: int) -> None:
        self.log = log
        self.begun = begun  # how often it was read from its beginning
        self.position = 0


class MetricFiles:
    """Follows the files of one attempt that hold figures.

    What it finds it gives at the look after, so that the log, where it says the same, says it first.
    """

    __slots__ = ("_growing", "_held", "_left_bytes", "_unread")

    def __init__(self) -> None:
        self._left_bytes = 0  # to be read at this look
        self._held: list[Progress] = []
        self._growing: dict[str, _Growing] = {}
        self._unread: dict[str, OutputFile] = {}  # files with more than one look reads

    def take(self, files: Iterable[OutputFile], *, is_last: bool = False) -> MetricsFound | None:
        """What the files that changed by the look before say, at the last look all; None where that is nothing."""
        changed = self._unread | {file.path: file for file in files}
        self._unread = {}
        values: list[Progress] = []
        self._left_bytes = MOST_LAST_READ_BYTES if is_last else MOST_READ_BYTES
        for file in changed.values():
            try:
                values += self._read(file)
            except OSError:  # it was taken away, or may not be read
                self._growing.pop(file.path, None)
        given, self._held = ([*self._held, *values], []) if is_last else (self._held, values)
        return MetricsFound(values=tuple(given)) if given else None

    def _read(self, file: OutputFile) -> list[Progress]:
        name = os.path.basename(file.path)
        if name == trainer_state.NAME:
            return _whole(file) if file.size_bytes <= LONGEST_STATE_BYTES else []
        if name.endswith(".csv"):
            return self._rest(file, CsvLog)
        if tensorboard.MARK in name:
            return self._rest(file, lambda: TensorBoardLog(_series(file.path)))
        return []

    def _rest(self, file: OutputFile, make: Callable[[], CsvLog | TensorBoardLog]) -> list[Progress]:
        known = self._growing.get(file.path)
        if known is None or file.size_bytes < known.position:
            if known is None and len(self._growing) >= MOST_FILES:
                return []
            known = self._growing[file.path] = _Growing(make(), 1 if known is None else known.begun + 1)
        with open(file.path, "rb", buffering=0) as opened:
            opened.seek(known.position)
            chunk = opened.read(self._left_bytes) or b""
        self._left_bytes -= len(chunk)
        known.position += len(chunk)
        values = known.log.feed(chunk)
        known.position += known.log.pass_over(file.size_bytes - known.position)
        if isinstance(known.log, CsvLog) and known.log.is_another and known.begun < MOST_BEGINNINGS:
            # A logger that has a new column writes its table anew.
            self._growing[file.path] = _Growing(make(), known.begun + 1)
            self._unread[file.path] = file
        elif known.position < file.size_bytes:
            self._unread[file.path] = file
        return values


def _series(path: str) -> str:
    """The name of an event file's directory where it is one of several of a training; empty where it is not.

    There are several where the directory above holds an event file too, or one that is called `train`.
    """
    above, name = os.path.split(os.path.dirname(path))
    beside = os.listdir(above or ".")
    is_one_of_several = "train" in beside or any(tensorboard.MARK in one for one in beside)
    return name if is_one_of_several else ""


def _whole(file: OutputFile) -> list[Progress]:
    with open(file.path, "rb", buffering=0) as opened:
        return progress_in_state(opened.read(LONGEST_STATE_BYTES) or b"")
