"""Reads the store and the machine's files into a snapshot; a file is opened only after it changed."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Container, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import takewhile

from backprop_tui.client.machine import decode_governor
from backprop_tui.domain.errors import BrokenRecord
from backprop_tui.domain.governor.governor_state import GovernorState
from backprop_tui.domain.run_changes import sort_queue
from backprop_tui.domain.status import ACTIVE, ENDED, Status
from backprop_tui.launchers.lease import supervisor_pid
from backprop_tui.presentation.known_run import KnownRun, Moment
from backprop_tui.presentation.run_facts import with_labels
from backprop_tui.presentation.run_search import search_text
from backprop_tui.probes.histories import History, read_histories
from backprop_tui.probes.readings import Sample, read_sample
from backprop_tui.processes.linux import boot_id
from backprop_tui.processes.users import user_name
from backprop_tui.store.failures import SUPERVISOR, repeated_failure
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.files import read_object
from backprop_tui.store.home import Home
from backprop_tui.store.index import monthly_files, read_month, read_newest, read_recent
from backprop_tui.store.run_directory import RunDirectory, read_lines
from backprop_tui.store.run_view import marked_ids
from backprop_tui.store.watched_file import WatchedFile
from backprop_tui.tui.marked_run import MarkedRun
from backprop_tui.tui.settings_reader import SettingsReader
from backprop_tui.tui.snapshot import IndexedRuns, Node, OpenRun, Snapshot, sorting_time

_COOLING_SECONDS, _LEAST_COOLING_SECONDS, _LEAST_COOLING_CELSIUS = 90.0, 20.0, 2.0
Holds = Mapping[str, Sequence[JsonObject]]  # the reasons why runs are held, by id
MOST_NODES = 32  # of which gauges are read


class GovernorReader:
    """Reads governor.json; the state is None if there is none that can be understood."""

    def __init__(self, home: Home) -> None:
        self._file = WatchedFile(home.governor)
        self._state: GovernorState | None = None
        self.holds: Mapping[str, Sequence[JsonObject]] = {}  # why each waiting run is held

    def read(self) -> GovernorState | None:
        """The state; updates `holds` too."""
        if self._file.changed():
            try:
                record = read_object(self._file.path)
            except BrokenRecord:
                record = None
            self._state = None if record is None else decode_governor(record)
            self.holds = {} if record is None else _decode_holds(record)
        return self._state


def _decode_holds(record: JsonObject) -> dict[str, list[JsonObject]]:
    held = record.get("held")
    if not isinstance(held, dict):
        return {}
    return {
        str(run_id): [reason for reason in reasons if isinstance(reason, dict)]
        for run_id, reasons in held.items()
        if isinstance(reasons, list)
    }


class MachineReader:
    """Reads readings.json and histories.json of a machine; those of `this` one only if they are of this boot."""

    def __init__(self, home: Home, *, this: bool = True) -> None:
        self._is_this = this
        self._file, self._history_file = WatchedFile(home.readings), WatchedFile(home.histories)
        self._sample: Sample | None = None
        self.histories: Mapping[str, History] = {}

    def read(self, wall: float) -> Sample | None:
        """The newest sample; updates `histories` too."""
        if self._file.changed():
            self._sample = read_sample(self._file.path, of_this_boot=self._is_this)
        if self._history_file.changed():
            self.histories = read_histories(self._history_file.path, wall).of
        return self._sample


class NodesReader:
    """Reads what the samplers on other machines with active runs wrote."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._readers: dict[str, MachineReader] = {}

    def read(self, runs: Iterable[KnownRun], wall: float) -> tuple[Node, ...]:
        active = takewhile(lambda run: run.status is not Status.QUEUED and run.status not in ENDED, runs)
        hosts = sorted({str(run.record["host"]) for run in active} - {self._home.host})
        known = {host: self._readers.get(host) or self._reader_of(host) for host in hosts[:MOST_NODES]}
        self._readers = known
        samples = ((host, reader, reader.read(wall)) for host, reader in known.items())
        return tuple(
            Node(name=host, sample=sample, histories=reader.histories)
            for host, reader, sample in samples
            if sample is not None
        )

    def _reader_of(self, host: str) -> MachineReader:
        return MachineReader(Home(self._home.root, host), this=False)


class CoolingMeter:
    """Measures how fast each GPU cools, over the last `_COOLING_SECONDS` of its readings."""

    def __init__(self) -> None:
        self._temperatures: dict[str, deque[tuple[float, float]]] = {}  # by UUID: time, degrees Celsius
        self.cooling: Mapping[str, float] = {}  # degrees per second; only of GPUs that cool measurably

    def note(self, sample: Sample | None) -> None:
        if sample is None:
            return
        now = sample.readings.time
        for gpu in sample.readings.gpus:
            points = self._temperatures.setdefault(gpu.uuid, deque())
            if gpu.temperature_celsius is not None and (not points or points[-1][0] < now - gpu.age_seconds):
                points.append((now - gpu.age_seconds, gpu.temperature_celsius))
            while points and points[0][0] < now - _COOLING_SECONDS:
                points.popleft()
        self.cooling = {uuid: rate for uuid, points in self._temperatures.items() if (rate := _cooling_rate(points))}


def _cooling_rate(points: Sequence[tuple[float, float]]) -> float | None:
    """None if the readings are too few or fell too little to tell."""
    if not points:
        return None
    (began, first), (ended, last) = points[0], points[-1]
    if ended - began < _LEAST_COOLING_SECONDS or first - last < _LEAST_COOLING_CELSIUS:
        return None
    return (first - last) / (ended - began)


class RunsReader:
    """Reads all runs that the dashboard lists."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._marked: dict[str, MarkedRun] = {}
        self._recent_file = WatchedFile(home.recent)
        self._index_file = WatchedFile(home.index)
        self._indexed: dict[str, JsonObject] = {}
        self._reads = 0
        self._runs_folder = WatchedFile(home.runs)
        self._directories = 0
        self._ended_key: tuple[AbstractSet[str], Sequence[KnownRun]] | None = None
        self._ended_runs: list[KnownRun] = []
        self._history = HistoryReader(home)
        self._labeled_for: tuple[list[str], Sequence[KnownRun], Sequence[KnownRun]] = ([], (), ())
        self._labeled: list[KnownRun] = []
        self._labeled_ended = self._labeled_history = IndexedRuns()

    def read(self, holds: Holds, *, history: bool = False) -> tuple[IndexedRuns, IndexedRuns]:
        """The admitted runs, oldest first, then the queue, then the ended runs, newest first; and older ended runs.

        The older ones, which the index has moved to files of months, are read once `history` asks for them.

        Raises:
            StorageFailed: the state directory cannot be read.
        """
        run_ids = marked_ids(self._home)
        for gone in self._marked.keys() - run_ids:
            self._marked[gone].forget()
        self._marked = {id_: self._marked.get(id_) or MarkedRun(self._home, id_) for id_ in run_ids}
        runs = [marked.read(holds.get(run_id, ())) for run_id, marked in self._marked.items()]
        known = [run for run in runs if run is not None]
        unfinished = [run for run in known if run.status not in ENDED]
        unindexed = [run for run in known if run.status in ENDED]
        ended = self._ended(unfinished, unindexed)
        return self._with_labels(_in_display_order(unfinished), ended, self._history.read(self._indexed, asked=history))

    def _with_labels(
        self, unfinished: list[KnownRun], ended: list[KnownRun], history: list[KnownRun]
    ) -> tuple[IndexedRuns, IndexedRuns]:
        """The runs with their labels, found again when there is another run."""
        ids, last = [run.id for run in unfinished], self._labeled_for
        if ids != last[0] or ended is not last[1] or history is not last[2]:
            self._labeled_for = ids, ended, history
            self._labeled = with_labels([*unfinished, *ended, *history])
            self._labeled_ended = IndexedRuns(self._labeled[len(ids) : len(ids) + len(ended)])
            self._labeled_history = IndexedRuns(self._labeled[len(ids) + len(ended) :])
            for run in self._labeled_history:
                search_text(run)  # kept for the filter, which has no time for it
        fresh = [
            run if (run.differing, run.short) == names else replace(run, differing=names[0], short=names[1])
            for run, names in zip(unfinished, ((run.differing, run.short) for run in self._labeled), strict=False)
        ]
        return IndexedRuns.joined(fresh, self._labeled_ended), self._labeled_history

    def total(self) -> int:
        if self._runs_folder.changed():
            try:
                # Many file systems count the subdirectories in the link count, which saves listing them.
                links = os.stat(self._home.runs).st_nlink
                hidden = int(os.path.isdir(self._home.removed))
                self._directories = (links - 2 if links > 2 else len(os.listdir(self._home.runs))) - hidden
            except OSError:
                self._directories = 0
        return self._directories

    def _ended(self, unfinished: Sequence[KnownRun], unindexed: Sequence[KnownRun]) -> list[KnownRun]:
        """The ended runs; the same list while nothing changed: there may be a thousand, asked for every second."""
        recent_changed = self._recent_file.changed()
        is_second_read = self._reads == 1 and os.path.exists(self._home.index)
        if self._index_file.changed() or recent_changed or is_second_read:
            # Before the first paint only the newest runs are read, which have a file of their own.
            self._indexed = read_newest(self._home) if self._reads else read_recent(self._home)
            self._ended_key = None
        self._reads += 1
        key = {run.id for run in unfinished}, list(unindexed)
        if self._ended_key != key:
            self._ended_key = key
            self._ended_runs = self._sort_ended(*key)
        return self._ended_runs

    def _sort_ended(self, unfinished: AbstractSet[str], unindexed: Sequence[KnownRun]) -> list[KnownRun]:
        runs = {id_: KnownRun(record=record) for id_, record in self._indexed.items() if id_ not in unfinished}
        runs |= {run.id: run for run in unindexed}
        ended = [run for run in runs.values() if run.record["status"] in ENDED]
        return sorted(ended, key=_ended_at, reverse=True)


class HistoryReader:
    """Reads the runs that the index has moved to the files of earlier months; again when one of them changed."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._files: dict[str, tuple[WatchedFile, Mapping[str, JsonObject]]] = {}
        self._runs: list[KnownRun] = []
        self._is_asked = False

    def read(self, indexed: Container[str], *, asked: bool) -> list[KnownRun]:
        """The runs, newest first, without those that are `indexed`; the same list while no file changed."""
        self._is_asked = self._is_asked or asked
        if not self._is_asked:
            return self._runs
        files, changed = {}, False
        for path in monthly_files(self._home):
            file, records = self._files.get(path) or (WatchedFile(path), {})
            if file.changed():
                changed, records = True, read_month(self._home, path)
            files[path] = file, records
        if changed or files.keys() != self._files.keys():
            records_of = {id_: record for _, records in files.values() for id_, record in records.items()}
            runs = [KnownRun(record=record) for id_, record in records_of.items() if id_ not in indexed]
            self._runs = sorted((run for run in runs if run.record["status"] in ENDED), key=_ended_at, reverse=True)
        self._files = files
        return self._runs


def _in_display_order(unfinished: Sequence[KnownRun]) -> list[KnownRun]:
    """The admitted runs, oldest first; then the queued ones, each with its position in the queue."""
    admitted = [run for run in unfinished if run.status is not Status.QUEUED]
    queued = {run.id: run for run in unfinished if run.status is Status.QUEUED}
    positions: Counter[tuple[str, str]] = Counter()  # by queue
    queue = []
    for run in sort_queue(known.run for known in queued.values() if known.run is not None):
        if run.queue is not None:
            positions[run.queue] += 1
        queue.append(replace(queued[run.id], queue_position=run.queue and positions[run.queue]))
    return [*sorted(admitted, key=_started_at), *queue]


def _started_at(known: KnownRun) -> tuple[float, str]:
    run = known.run
    return (run.attempts[-1].started_at if run is not None and run.attempts else 0.0), known.id


def _ended_at(known: KnownRun) -> tuple[str, str]:
    return sorting_time(known), known.id


class StoreReader:
    """Reads only what changed since the last time. Not thread-safe."""

    def __init__(self, home: Home, config_path: str) -> None:
        self._home = home
        self._owner = home.foreign_owner()
        self._boot_id = boot_id()
        self._settings = SettingsReader(config_path)
        self._governor = GovernorReader(home)
        self._machine = MachineReader(home)
        self._nodes = NodesReader(home)
        self._cooling = CoolingMeter()
        self._runs = RunsReader(home)
        self._opened: OpenRun | None = None
        self._events = WatchedFile("")

    def read(self, selected: str | None, *, history: bool = False) -> Snapshot:
        """The current state; `selected` is the id of the run whose events are read too.

        With `history` it has the runs of earlier months too.

        Raises:
            StorageFailed: the state directory cannot be read.
        """
        moment = Moment(wall=time.time(), monotonic=time.monotonic(), boot_id=self._boot_id)
        pid = supervisor_pid(self._home)
        governor = self._governor.read()
        held = os.path.exists(self._home.queue_held)
        runs, older = self._runs.read(self._governor.holds if pid is not None else {}, history=history)
        if governor is not None:
            active = self._still_active(governor.active, runs)
            governor = None if pid is None else replace(governor, queue_held=held, active=active)
        sample = self._machine.read(moment.wall)
        self._cooling.note(sample)
        self._settings.read()
        return Snapshot(
            moment=moment,
            host=self._home.host,
            runs=runs,
            history=older,
            total=self._runs.total(),
            governor=governor,
            supervisor_pid=pid,
            queue_held=held,
            sample=sample,
            limits=self._settings.limits,
            wrong_setting=self._settings.wrong,
            histories=self._machine.histories,
            nodes=self._nodes.read(runs, moment.wall),
            cooling=self._cooling.cooling,
            opened=self.read_events(selected),
            problem=self._problem(),
        )

    def _still_active(self, decided: int, runs: Iterable[KnownRun]) -> int:
        """How many of the runs that were active at the governor's last pass are, as far as all records can be read."""
        unfinished = (run.record for run in takewhile(lambda run: run.record["status"] not in ENDED, runs))
        active = sum(record["status"] in ACTIVE and record["host"] == self._home.host for record in unfinished)
        return decided if self._home.unreadable_report() else min(decided, active)

    def _problem(self) -> str | None:
        """What keeps this user from seeing or changing all of the store, or from queuing runs."""
        if self._owner is not None:
            return f"the store of {user_name(self._owner)}: as root you can look, and change nothing"
        failure = repeated_failure(self._home, SUPERVISOR)
        if failure is not None:
            return f"the supervisor keeps failing, {failure.reason}: backprop-tui doctor"
        return self._home.unreadable_report()

    def read_events(self, run_id: str | None) -> OpenRun | None:
        if run_id is None:
            return None
        path = RunDirectory(self._home.run_folder(run_id)).events_path
        if self._events.path != path:
            self._events = WatchedFile(path)
        if self._events.changed() or self._opened is None:
            self._opened = OpenRun(run_id=run_id, events=tuple(read_lines(path)))
        return self._opened
