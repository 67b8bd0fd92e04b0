"""The state of the store and the machine at one moment, as frozen values that every pane is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import cached_property
from itertools import takewhile

from backprop_tui.domain.formatting import from_iso, iso
from backprop_tui.domain.governor.governor_state import GovernorState
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import MachineLimits
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


class OlderRuns(tuple[KnownRun, ...]):  # noqa: SLOT001 - it keeps an index of itself
    """Ended runs of earlier months, of which there may be thousands."""

    @cached_property
    def _by_id(self) -> dict[str, KnownRun]:
        return {run.id: run for run in self}

    def find(self, run_id: str | None) -> KnownRun | None:
        return None if run_id is None else self._by_id.get(run_id)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The complete state; `runs` are the unfinished ones in their order, then the ended ones, newest first.

    `history` has ended runs of the files of earlier months, if they were asked for. `governor` is None without a living
    supervisor. `total` counts all runs of the store. `histories` are those of each GPU, by UUID, and of the host;
    `cooling` has the degrees per second by which a GPU cools, if that is measurable. `problem` says why not all of the
    store can be read or changed. `logout` is None until it is known how a logout affects runs.
    """

    moment: Moment
    host: str
    runs: Sequence[KnownRun] = ()
    history: OlderRuns = field(default_factory=OlderRuns)
    total: int = 0
    governor: GovernorState | None = None
    supervisor_pid: int | None = None
    queue_held: bool = False
    sample: Sample | None = None
    limits: MachineLimits = field(default_factory=MachineLimits)
    cooling: Mapping[str, float] = field(default_factory=dict)
    histories: Mapping[str, History] = field(default_factory=dict)
    opened: OpenRun | None = None
    problem: str | None = None
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
        return [
            run
            for run in self.runs  # ended ones in the order in which they were queued
            if (str(ended) > since if (ended := run.record.get("ended_at")) else run.record["status"] not in ENDED)
        ]

    def find(self, run_id: str | None) -> KnownRun | None:
        run = next((run for run in self.runs if run.record["id"] == run_id), None)
        return self.history.find(run_id) if run is None else run
