"""Finds the file that a script's output is redirected to, and reads it in a thread."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from io import FileIO

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.live import OwnLog
from backprop_tui.processes.descriptors import files_written_by, is_file, open_descriptors
from backprop_tui.processes.hanging_call import BackgroundTask, pause_after
from backprop_tui.processes.identity import Identity
from backprop_tui.processes.inspection import Inspected, inspect, readers_of_others
from backprop_tui.processes.linux import birth_time_ns
from backprop_tui.processes.regular_files import open_regular
from backprop_tui.readers.events import Progress
from backprop_tui.readers.log_reader import LogReader
from backprop_tui.runner.attempt_beginning import AttemptBeginning
from backprop_tui.runner.outputs.files import is_skipped
from backprop_tui.store.tail import Tail

EARLY_SECONDS = 30.0  # while it is looked for every second
EARLY_PAUSE_SECONDS, LATE_PAUSE_SECONDS = 1.0, 10.0
CONFIRMATION_SECONDS = 0.3  # between the first look that sees a redirected output and the one that follows it
SILENT_SECONDS = 5.0  # without figures in the log, after which other files are searched
FETCHED_BYTES = 4 << 20
FETCHED_AT_END_BYTES = 16 << 20
_TRIED_BYTES = 64 << 10
_MAX_ENTRIES = 5000
_LOG_NAME = re.compile(r"(?:^|[._-])(?:logs?|out|output|stdout|err|stderr|nohup)(?:[._-]|$)|\.txt$", re.IGNORECASE)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class OutputTarget:
    """Where the output goes: a file, read from `start`; or `problem` says why it cannot be read."""

    path: str
    start: int = 0
    problem: str | None = None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The result of one look: a new target, new content of the file, and the size of all printed files."""

    target: OutputTarget | None
    content: bytes
    size: int
    offset: int  # after the content
    restarted: bool
    written_bytes: int
    others: tuple[str, ...] = ()  # files that other trainings print to


class FetchedTail:
    """The part of a file that was fetched but not consumed; a LogFollower uses it like a Tail."""

    def __init__(self, path: str, offset: int) -> None:
        self.path = path
        self.size = offset
        self.restarted = False
        self._fetched_to = offset
        self._buffer = b""
        self._restarts = False

    @property
    def offset(self) -> int:
        return self._fetched_to - len(self._buffer)

    @offset.setter
    def offset(self, offset: int) -> None:
        """Skips to a place in what was fetched, or beyond it."""
        skipped = offset - self.offset
        if 0 <= skipped <= len(self._buffer):
            self._buffer = self._buffer[skipped:]
        else:
            self._buffer, self._fetched_to = b"", offset

    @property
    def fetched_to(self) -> int:
        return self._fetched_to

    def add(self, fetched: Fetched) -> None:
        """Appends what was fetched; the reader may have skipped some of it meanwhile."""
        known = self._fetched_to - (fetched.offset - len(fetched.content))
        if fetched.restarted:
            self._buffer, self._restarts, known = b"", True, 0
        elif not 0 <= known <= len(fetched.content):
            return
        self._buffer += fetched.content[known:]
        self._fetched_to, self.size = fetched.offset, fetched.size

    def look(self) -> int:
        self.restarted, self._restarts = self._restarts, False
        return self.size - self.offset if self._buffer else 0

    def chunk(self, most_bytes: int) -> bytes:
        chunk, self._buffer = self._buffer[:most_bytes], self._buffer[most_bytes:]
        return chunk


class OwnOutput:
    """Looks every second at first, then less often; waits for a disk only at the end, for seconds."""

    def __init__(
        self, log: str, cwd: str, pids: Callable[[], Iterable[int]], known: OwnLog | None, start: AttemptBeginning
    ) -> None:
        """`log` is output.log, `known` what an earlier guardian or attempt found, `start` that of the attempt."""
        self._log = os.path.realpath(log)
        self._cwd = cwd
        self._pids = pids
        self._known = known
        self._start = start
        # Of files in the working directory, before the script wrote; and the directory, if all of it was looked at.
        self._sizes: dict[str, int] | None = None
        self._seen_folder: str | None = None
        self._began: float | None = None
        self._looked_at = 0.0
        self._tail: Tail | None = None
        self._target: OutputTarget | None = None
        self._candidate: OutputTarget | None = None  # the first target, until a second look sees it too
        self._beside: set[Identity] = set()  # processes that ran while another one printed to the log
        self.tail: FetchedTail | None = None
        self.written_bytes = 0
        self.others: tuple[str, ...] = ()
        self.log_has_figures = False
        self.is_urgent = False  # looks every second
        self._is_last = False
        self._task: BackgroundTask[tuple[Fetched, ...]] = BackgroundTask(self._look, self._pause_seconds)

    def adopt(self, known: OwnLog) -> None:
        """Continues with the file that another guardian of this attempt read."""
        self._sizes = {}
        self._target = OutputTarget(path=known.path, start=known.start, problem=known.problem)
        if known.problem is None:
            self._follow(known.path, known.offset)

    def _follow(self, path: str, offset: int) -> None:
        self._tail = Tail(path, offset)
        self.tail = FetchedTail(path, offset)

    def check(self, now: float) -> OutputTarget | None:
        """Takes what the last look fetched; returns the target if it is new. `now` is monotonic."""
        return self._take(self._task.result(now) or ())

    def finish(self, seconds: float) -> OutputTarget | None:
        """Looks a last time, as `check`; waits at most this long for a hanging file system."""
        self._is_last = True
        return self._take(sum(self._task.finish(seconds), ()))

    def _take(self, looks: Iterable[Fetched]) -> OutputTarget | None:
        """Adds what was fetched to the tail of its file; the tail of the file before it stays with its reader."""
        target = None
        for fetched in looks:
            self.written_bytes, self.others = fetched.written_bytes, fetched.others
            if fetched.target is not None:
                target = fetched.target
                self.tail = FetchedTail(target.path, target.start) if target.problem is None else None
            if self.tail is not None:
                self.tail.add(fetched)
        return target

    def _pause_seconds(self, spent: float) -> float:
        if self._candidate is not None:
            return CONFIRMATION_SECONDS
        if self.is_urgent:
            return EARLY_PAUSE_SECONDS
        if self.log_has_figures and self.tail is None:
            return LATE_PAUSE_SECONDS
        is_early = self._began is not None and self._looked_at - self._began < EARLY_SECONDS
        return EARLY_PAUSE_SECONDS if is_early else min(pause_after(spent), LATE_PAUSE_SECONDS)

    # In the thread.

    def _look(self, now: float) -> tuple[Fetched, ...]:
        self._looked_at = now
        if self._began is None:
            self._began = now
        if self._sizes is None:
            self._sizes, self._seen_folder = _sizes_in(self._cwd)
        processes = inspect(self._pids())
        looks = [self._fetched(processes, None)]
        # A file is read to its end before the next one is followed.
        target = self._new_target(processes, now) if len(looks[0].content) < FETCHED_BYTES else None
        if target is not None:
            self._target = target
            self._tail = None if target.problem is not None else Tail(target.path, target.start)
            looks.append(self._fetched(processes, target))
        return tuple(looks)

    def _fetched(self, processes: Mapping[int, Inspected], target: OutputTarget | None) -> Fetched:
        content, restarted, size, offset = self._fetch()
        printed = {path for process in processes.values() for path in process.outputs if is_file(path)}
        return Fetched(
            target=target,
            content=content,
            size=size,
            offset=offset,
            restarted=restarted,
            written_bytes=sum(map(_size_of, printed - {self._log})),
            others=self._others(processes),
        )

    def _fetch(self) -> tuple[bytes, bool, int, int]:
        """New content, whether the file was truncated before it, its size, and the offset after the content."""
        tail = self._tail
        if tail is None:
            return b"", False, 0, 0
        if self.tail is not None and self.tail.path == tail.path:
            tail.offset = self.tail.fetched_to  # the reader may have skipped
        try:
            tail.look()
            restarted = tail.restarted
            if self._is_last and tail.size - tail.offset > FETCHED_AT_END_BYTES:
                tail.offset = tail.size - FETCHED_AT_END_BYTES
            content = tail.chunk(FETCHED_AT_END_BYTES if self._is_last else FETCHED_BYTES)
        except OSError:
            return b"", False, tail.size, tail.offset
        return content, restarted, tail.size, tail.offset

    def _new_target(self, processes: Mapping[int, Inspected], now: float) -> OutputTarget | None:
        """The target if it has changed."""
        printing = _printing(processes)
        target = self._target
        if target is not None and target.problem is None and (not printing or self._is_still_written(processes)):
            return None
        candidate = self._confirmed(self._redirected(printing, processes))
        is_silent = not self.log_has_figures and self._began is not None and now - self._began >= SILENT_SECONDS
        if candidate is None and self._candidate is None and is_silent:
            candidate = self._with_figures(processes) or self._unreadable(printing, processes)
        if candidate is None or (target is not None and target.path == candidate.path):
            return None
        return candidate

    def _confirmed(self, seen: OutputTarget | None) -> OutputTarget | None:
        """The target that was seen, if it is certain that the training's output goes there.

        A helper may start before the training, and end after it: the first file is followed once a second look sees
        it too. A training that is over by the last look prints nothing to the log that could contradict.
        """
        if self._target is not None:
            return seen
        before, self._candidate = self._candidate, seen
        if self._is_last:
            return None if self.log_has_figures else seen or before
        if before is None or seen is None or seen.path != before.path:
            return None
        self._candidate = None
        return before

    def _others(self, processes: Mapping[int, Inspected]) -> tuple[str, ...]:
        if self._target is None or self._target.problem is not None or not self._is_still_written(processes):
            return ()
        paths = {process.outputs[0] for process in _printing(processes) if is_file(process.outputs[0])}
        return tuple(sorted(paths - {self._target.path, self._log}))

    def _is_still_written(self, processes: Mapping[int, Inspected]) -> bool:
        path = None if self._target is None else self._target.path
        return any(path in process.outputs for process in processes.values()) or path in files_written_by(processes)

    def _redirected(self, printing: list[Inspected], processes: Mapping[int, Inspected]) -> OutputTarget | None:
        """The file that standard output of the trainings goes to, if none of them prints to the log."""
        read_by_members = {process.stdin for process in processes.values()}
        if any(process.outputs[0] == self._log or process.outputs[0] in read_by_members for process in printing):
            self._beside.update(process.identity for process in printing)
            return None
        for number in (1, 2):
            for process in printing:
                if self.log_has_figures and process.identity in self._beside:
                    continue  # the training is the one that printed the figures
                path = process.outputs[number - 1]
                if is_file(path) and path != self._log:
                    return self._file_target(path, process.pid, number)
        return None

    def _with_figures(self, processes: Mapping[int, Inspected]) -> OutputTarget | None:
        """A file that a process writes, with the name of a log and with figures in it."""
        for path in sorted(files_written_by(processes)):
            folders = os.path.relpath(os.path.dirname(path), os.path.realpath(self._cwd)).split("/")
            is_of_a_tool = any(is_skipped(folder) for folder in folders if folder not in (".", ".."))
            if path == self._log or is_of_a_tool or not _LOG_NAME.search(os.path.basename(path)):
                continue
            start = self._start_in(path, appends=True)
            if _has_figures(path, start):
                return OutputTarget(path=path, start=start)
        return None

    def _unreadable(self, printing: list[Inspected], processes: Mapping[int, Inspected]) -> OutputTarget | None:
        """Where the output goes if it cannot be read."""
        if not printing or any(process.outputs[0] in ("", self._log) for process in printing):
            return None
        read = {target for pid in processes for target, mode in open_descriptors(pid) if mode & stat.S_IRUSR}
        if any(process.outputs[0] in read for process in printing):
            return None
        path = printing[0].outputs[0]
        kind = path.partition(":")[0]
        if kind in ("pipe", "socket"):
            return OutputTarget(path=path, problem=f"a {kind} to a process that is not part of this run")
        if path.endswith(" (deleted)"):
            return OutputTarget(path=path.removesuffix(" (deleted)"), problem="the file was deleted")
        return OutputTarget(path=path, problem="it is discarded" if path == os.devnull else "not a file")

    def _file_target(self, path: str, pid: int, number: int) -> OutputTarget:
        try:
            same = os.path.samestat(os.stat(path), os.stat(f"/proc/{pid}/fd/{number}"))
            os.close(open_regular(path))
        except OSError as error:
            return OutputTarget(path=path, problem=error.strerror or str(error))
        if not same:
            return OutputTarget(path=path, problem="the path is another file outside of its mount namespace")
        return OutputTarget(path=path, start=self._start_in(path, appends=_appends(pid, number)))

    def _start_in(self, path: str, *, appends: bool) -> int:
        """Where this attempt's output begins in the file: after what it contained before, as far as is known."""
        size = _size_of(path)
        known = self._known
        if not appends:
            return 0
        if known is not None and known.path == path and known.offset <= size:
            return known.offset
        born_ns, sizes = birth_time_ns(path) or 0, self._sizes or {}
        # After the clock was set back, a file of before may seem to be born in this attempt.
        was_absent = path not in sizes and os.path.dirname(path) == self._seen_folder
        if born_ns >= self._start.ns or (was_absent and born_ns >= self._start.earliest_ns()):
            return 0
        return min(size, sizes.get(path, size))


def _printing(processes: Mapping[int, Inspected]) -> list[Inspected]:
    """The processes that may be trainings, oldest first: no shells or helpers."""
    readers = readers_of_others(processes.values())
    able = (process for process in processes.values() if not process.is_sequencer and process.identity not in readers)
    return sorted(able, key=lambda process: (process.identity.start_time, process.pid))


def _appends(pid: int, number: int) -> bool:
    try:
        with open(f"/proc/{pid}/fdinfo/{number}", encoding="ascii") as file:
            lines = file.read().splitlines()
    except OSError:
        return True
    return any(line.startswith("flags:") and int(line.split()[1], 8) & os.O_APPEND for line in lines)


def _sizes_in(folder: str) -> tuple[dict[str, int], str | None]:
    """The sizes of the files in a directory, and its real path if these are all of them."""
    sizes: dict[str, int] = {}
    real = os.path.realpath(folder)
    try:
        with os.scandir(real) as entries:
            for count, entry in enumerate(entries):
                if count >= _MAX_ENTRIES:
                    return sizes, None
                if entry.is_file():
                    sizes[entry.path] = entry.stat().st_size
    except OSError:  # gone, or not readable
        return sizes, None
    return sizes, real


def _size_of(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _has_figures(path: str, start: int) -> bool:
    try:
        with FileIO(open_regular(path)) as file:
            file.seek(max(start, _size_of(path) - _TRIED_BYTES))
            content = file.read(_TRIED_BYTES) or b""
    except OSError:
        return False
    values = LogReader(0).feed(content)
    return any(isinstance(value, Progress) and (value.step is not None or value.metrics) for value in values)
