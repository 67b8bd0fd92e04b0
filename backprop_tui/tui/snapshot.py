"""The state of the store and the machine at one moment, as frozen values that every pane is made from."""

from __future__ import annotations

import os
from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field
from functools import cached_property
from itertools import islice, takewhile

from backprop_tui.domain.errors import ConfigError
from backprop_tui.domain.formatting import from_iso, iso
from backprop_tui.domain.governor.governor_state import GovernorState
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import MachineLimits
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ENDED
from backprop_tui.presentation.known_run import KnownRun, Moment
from backprop_tui.probes.histories import History
from backprop_tui.probes.logout import LogoutEffect
from backprop_tui.probes.readings import Sample
from backprop_tui.store.fields import JsonObject
from backprop_tui.tui import Mode

RECENT_SECONDS = 86400.0


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """The events of the selected run, oldest first."""

    run_id: str
    events: tuple[JsonObject, ...] = ()


class IndexedRuns(tuple[KnownRun, ...]):  # noqa: SLOT001 - it keeps an index of itself
    """Runs, of which there may be thousands, with an index that is made once."""

    @cached_property
    def by_id(self) -> Mapping[str, KnownRun]:
        return {run.record["id"]: run for run in self}

    @classmethod
    def joined(cls, few: Sequence[KnownRun], many: IndexedRuns) -> IndexedRuns:
        """All of them; the index of `many` serves for both."""
        if not few:
            return many
        runs = cls((*few, *many))
        runs.by_id = ChainMap({run.id: run for run in few}, many.by_id)  # type: ignore[arg-type]
        return runs


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Another machine on which runs are active, as its sampler wrote it."""

    name: str
    sample: Sample
    histories: Mapping[str, History] = field(default_factory=dict)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class WrongSetting:
    """The first error in the settings, with the number of the others.

    `key` is None if it is not about the value of a known one; `place` is the file, perhaps with the line.
    """

    text: str
    key: str | None = None
    place: str = "config.toml"
    others: int = 0

    @classmethod
    def of(cls, errors: Sequence[ConfigError]) -> WrongSetting | None:
        """The errors without the directory of the file, which would leave little room; None without any."""
        if not errors:
            return None
        first, *others = errors
        folder, place = os.path.split(first.where)
        text = sanitize(str(first).removeprefix(f"{folder}/"))
        return cls(text=text, key=first.key, place=sanitize(place), others=len(others))


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The complete state; `runs` are the unfinished ones in their order, then the ended ones, newest first.

    `history` has ended runs of the files of earlier months, if they were asked for. `governor` is None without a living
    supervisor. `total` counts all runs of the store. `histories` are those of each GPU, by UUID, and of the host;
    `nodes` are other machines with active runs. `cooling` has the degrees per second by which a GPU cools, if that is
    measurable. `problem` says why not all can be read, changed or queued. `logout` is None until it is known how a
    logout affects runs.
    """

    moment: Moment
    host: str
    runs: Sequence[KnownRun] = ()
    history: IndexedRuns = field(default_factory=IndexedRuns)
    total: int = 0
    governor: GovernorState | None = None
    supervisor_pid: int | None = None
    queue_held: bool = False
    sample: Sample | None = None
    limits: MachineLimits = field(default_factory=MachineLimits)
    cooling: Mapping[str, float] = field(default_factory=dict)
    histories: Mapping[str, History] = field(default_factory=dict)
    nodes: Sequence[Node] = ()
    opened: OpenRun | None = None
    problem: str | None = None
    wrong_setting: WrongSetting | None = None
    logout: LogoutEffect | None = None
    mode: Mode = Mode.NORMAL

    @property
    def is_demo(self) -> bool:
        """Whether everything is deleted when the dashboard is left."""
        return self.mode is Mode.DEMO

    @property
    def is_read_only(self) -> bool:
        return self.mode is Mode.READ_ONLY

    @property
    def is_beginning(self) -> bool:
        """Whether there never was a run; the runs of a demo are about to appear."""
        return not self.runs and not self.total and not self.is_demo

    def ended_recently(self, run: KnownRun) -> bool:
        """Whether the run ended within the last day."""
        ended = from_iso(run.record.get("ended_at"))
        return ended is not None and self.moment.wall - ended < RECENT_SECONDS

    @property
    def all_runs(self) -> Sequence[KnownRun]:
        return (*self.runs, *self.history) if self.history else self.runs

    @property
    def unfinished(self) -> list[KnownRun]:
        return list(takewhile(lambda run: run.record["status"] not in ENDED, self.runs))

    @property
    def recent_runs(self) -> list[KnownRun]:
        """The unfinished runs, and those that ended within the last day."""
        since = iso(self.moment.wall - RECENT_SECONDS) or ""
        unfinished = self.unfinished
        ended = takewhile(lambda run: sorting_time(run) > since, islice(self.runs, len(unfinished), None))
        return [*unfinished, *(run for run in ended if run.record.get("ended_at"))]

    @property
    def _indices(self) -> Iterator[Mapping[str, KnownRun]]:
        """The runs by id, in one or several parts."""
        runs = self.runs if isinstance(self.runs, IndexedRuns) else IndexedRuns(self.runs)
        for index in (runs.by_id, self.history.by_id):
            yield from index.maps if isinstance(index, ChainMap) else (index,)

    def find(self, run_id: str | None) -> KnownRun | None:
        if run_id is None:
            return None
        return next((index[run_id] for index in self._indices if run_id in index), None)

    def known_ids(self, ids: AbstractSet[str]) -> set[str]:
        """Those of the ids that runs have."""
        return set(ids) - set(ids).difference(*self._indices)


def sorting_time(ended: KnownRun) -> str:
    """The time by which ended runs are sorted, the newest first: of their end, if it is known."""
    return str(ended.record.get("ended_at") or ended.record.get("created_at") or "")
