"""The runs of a store, each opened only when its files changed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from backprop_tui.domain.errors import BrokenRecord
from backprop_tui.domain.live import Live
from backprop_tui.domain.queue_order import in_order
from backprop_tui.domain.run import Run
from backprop_tui.domain.status import ACTIVE, ENDED, Status
from backprop_tui.presentation.known_run import KnownRun, LossCurve
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import Home
from backprop_tui.store.index import read_newest, read_recent
from backprop_tui.store.run_codec import public
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.views import marked_ids
from backprop_tui.tui.reading.curves import CurveReader
from backprop_tui.tui.reading.watched_file import Mark, WatchedFile, mark_of

Holds = Mapping[str, Sequence[JsonObject]]  # of each held run


class _MarkedRun:
    """A run that has a marker, with its files as they were when they were read."""

    __slots__ = ("_curve", "_directory", "_holds", "_known", "_live", "_marks", "_run")

    def __init__(self, folder: str) -> None:
        self._directory = RunDirectory(folder)
        self._marks: tuple[Mark | None, Mark | None] | None = None
        self._run: Run | None = None
        self._live: Live | None = None
        self._holds: Sequence[JsonObject] = ()
        self._known: KnownRun | None = None
        self._curve: CurveReader | None = None

    def read(self, holds: Sequence[JsonObject]) -> KnownRun | None:
        """The run as it is now; None where it cannot be read: its marker is older or younger than its record."""
        marks = mark_of(self._directory.file("run.json")), mark_of(self._directory.file("live.json"))
        if marks != self._marks or holds != self._holds:
            self._marks, self._holds = marks, holds
            self._known = self._opened(holds)
        if self._known is None or self._known.status not in ACTIVE:
            return self._known
        return replace(self._known, curve=self._read_curve(), written_at=self._written_at())

    def _opened(self, holds: Sequence[JsonObject]) -> KnownRun | None:
        try:
            run = self._directory.read()
        except BrokenRecord:
            return None
        live = self._directory.read_live() if run.status in ACTIVE else None
        if live is not None and live.attempt != run.attempt.number:
            live = None
        return KnownRun(record=public(run, self._directory.path, live=live, holds=holds), run=run, live=live)

    def _read_curve(self) -> LossCurve:
        if self._curve is None:
            self._curve = CurveReader(self._directory.file("metrics.jsonl"))
        return self._curve.read()

    def _written_at(self) -> float | None:
        try:
            found = os.stat(self._directory.log)
        except OSError:
            return None
        return found.st_mtime if found.st_size else None


class RunsReader:
    """All runs that the dashboard lists."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._marked: dict[str, _MarkedRun] = {}
        self._recent_file = WatchedFile(home.recent)
        self._index_file = WatchedFile(home.index)
        self._indexed: dict[str, JsonObject] = {}
        self._looks = 0
        self._runs_folder = WatchedFile(home.runs)
        self._directories = 0
        self._ended_of: tuple[AbstractSet[str], Sequence[KnownRun]] | None = None
        self._ended_runs: list[KnownRun] = []

    def read(self, holds: Holds) -> list[KnownRun]:
        """The unfinished, what was admitted first, then the queue; then the ended, newest first.

        Raises:
            StorageFailed: the state directory cannot be read.
        """
        run_ids = marked_ids(self._home)
        self._marked = {one: self._marked.get(one) or _MarkedRun(self._home.run_folder(one)) for one in run_ids}
        found = [one.read(holds.get(run_id, ())) for run_id, one in self._marked.items()]
        known = [one for one in found if one is not None]
        unfinished = [one for one in known if one.status not in ENDED]
        return [*_in_order(unfinished), *self._ended(unfinished, [one for one in known if one.status in ENDED])]

    def total(self) -> int:
        """How many runs there are in all."""
        if self._runs_folder.changed():
            try:
                # Where the file system counts directories as links of the one they are in, they need not be listed.
                links = os.stat(self._home.runs).st_nlink
                self._directories = links - 2 if links > 2 else len(os.listdir(self._home.runs))
            except OSError:
                self._directories = 0
        return self._directories

    def _ended(self, unfinished: Sequence[KnownRun], unindexed: Sequence[KnownRun]) -> list[KnownRun]:
        """The same list as long as nothing of it changed: there may be a thousand, and this is asked each second."""
        changed = self._recent_file.changed()
        is_second = self._looks == 1 and os.path.exists(self._home.index)
        if self._index_file.changed() or changed or is_second:
            # Before the first paint the newest alone, from their own file.
            self._indexed = read_newest(self._home) if self._looks else read_recent(self._home)
            self._ended_of = None
        self._looks += 1
        of = {one.id for one in unfinished}, list(unindexed)
        if self._ended_of != of:
            self._ended_of = of
            self._ended_runs = self._sorted(*of)
        return self._ended_runs

    def _sorted(self, going_on: AbstractSet[str], unindexed: Sequence[KnownRun]) -> list[KnownRun]:
        records = {run_id: KnownRun(record=one) for run_id, one in self._indexed.items() if run_id not in going_on}
        records |= {one.id: one for one in unindexed}
        ended = [one for one in records.values() if one.record["status"] in ENDED]
        return sorted(ended, key=_ended_at, reverse=True)


def _in_order(unfinished: Sequence[KnownRun]) -> list[KnownRun]:
    """What was admitted, oldest first; then the queue, each with its place."""
    admitted = [one for one in unfinished if one.status is not Status.QUEUED]
    queued = {one.id: one for one in unfinished if one.status is Status.QUEUED}
    order = in_order(one.run for one in queued.values() if one.run is not None)
    places: dict[str, int] = {}
    found = []
    for run in order:
        places[run.host] = places.get(run.host, 0) + 1
        found.append(replace(queued[run.id], place=places[run.host]))
    return [*sorted(admitted, key=_started_at), *found]


def _started_at(one: KnownRun) -> tuple[float, str]:
    run = one.run
    return (run.attempts[-1].started_at if run is not None and run.attempts else 0.0), one.id


def _ended_at(one: KnownRun) -> tuple[str, str]:
    return str(one.record.get("ended_at") or one.record.get("created_at") or ""), one.id
