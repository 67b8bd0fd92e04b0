"""The runs that are unfinished or not yet indexed, read again only where their files changed."""

from __future__ import annotations

import os

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.run import Run
from backprop_tui.domain.status import Status
from backprop_tui.domain.values import dataclass
from backprop_tui.processes.detached_log import note
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory

Signature = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class LoadedRun:
    """A run as it was when its record had this signature."""

    run: Run
    signature: Signature


class UnfinishedRuns:
    """What `active/` names, run by run; those of other hosts are theirs to look after."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._entries: dict[str, LoadedRun] = {}
        self._broken: dict[str, Signature] = {}

    def refresh(self) -> None:
        """Looks at every marker again; a record that cannot be read is left out and told of once."""
        names = _names_in(self._home.active)
        self._entries = {name: self._entries[name] for name in names if name in self._entries}
        for name in names:
            self.look_at(name)

    def look_at(self, run_id: str) -> Run | None:
        """Reads one run's record again where it changed; None where there is none of this host."""
        try:
            signature = self._signature(run_id)
        except FileNotFoundError:
            self._entries.pop(run_id, None)
            return None
        known = self._entries.get(run_id)
        if known is not None and known.signature == signature:
            return known.run
        if self._broken.get(run_id) == signature:
            return None
        return self._read(run_id, signature)

    def _read(self, run_id: str, signature: Signature) -> Run | None:
        try:
            run = self.directory(run_id).read()
        except BackpropError as error:
            self._broken[run_id] = signature
            self._entries.pop(run_id, None)
            note(f"left out: {error}")
            return None
        if run.host != self._home.host:
            return None
        self._entries[run_id] = LoadedRun(run, signature)
        return run

    def _signature(self, run_id: str) -> Signature:
        found = os.stat(os.path.join(self._home.run_folder(run_id), "run.json"))
        return found.st_mtime_ns, found.st_ino, found.st_size

    def directory(self, run_id: str) -> RunDirectory:
        """The directory of a run, whether it is in the book or not."""
        return RunDirectory(self._home.run_folder(run_id))

    def put(self, run: Run) -> None:
        """A record that this process has just written itself."""
        self._entries[run.id] = LoadedRun(run, self._signature(run.id))

    def run(self, run_id: str) -> Run | None:
        """A run in the book."""
        entry = self._entries.get(run_id)
        return None if entry is None else entry.run

    def runs(self) -> list[Run]:
        """All of this host, in no order."""
        return [entry.run for entry in self._entries.values()]

    def queued(self) -> list[Run]:
        """Those that wait."""
        return [run for run in self.runs() if run.status is Status.QUEUED]

    def active(self) -> list[Run]:
        """Those that were admitted and have not ended."""
        return [run for run in self.runs() if run.status in (Status.STARTING, Status.RUNNING)]


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []  # a rehearsal before the first run
