"""Applies the guard's rules (domain/governor/guard.py) to the active runs whenever there are new readings.

The resulting requests, for example to pause a run on an overheated GPU, go to the runs' guardians by requests.jsonl.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from backprop_tui.domain.governor.guard import GuardState, step
from backprop_tui.domain.governor.snapshot import ActiveRun
from backprop_tui.domain.live import Live
from backprop_tui.domain.run import Run
from backprop_tui.domain.status import Status
from backprop_tui.engine.capacity import Capacity, active_of
from backprop_tui.engine.readings import ReadingsSource
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory

CALM_SECONDS = 5.0  # between two looks at the live record of a run that is not paused


class Guard:
    """Keeps the guard's state between checks."""

    def __init__(self, home: Home, capacity: Capacity, readings_source: ReadingsSource) -> None:
        self._home = home
        self._capacity = capacity
        self._readings_source = readings_source
        self._state = GuardState()
        self._checked: int | None = None  # time of the newest readings that were checked
        self._due = 0.0
        self._guarded: tuple[Sequence[Run], Sequence[Run]] = ((), ())  # all runs, and those that are active
        self._known: dict[str, tuple[Run, Live | None, ActiveRun]] = {}  # of the last check, by run id

    def check(self, runs: Sequence[Run]) -> None:
        """Checks the active runs among these against new readings, and once per sampling interval without any.

        Called more often than the sampler measures, so that new readings are acted on at once. If a request cannot be
        written (StorageFailed), the next check tries again.
        """
        written, now = self._readings_source.written_at(), time.monotonic()
        if written == self._checked and now < self._due:
            return
        self._due = now + self._capacity.limits.sample_seconds
        self._check(runs)
        self._checked = written

    def _check(self, runs: Sequence[Run]) -> None:
        now = time.monotonic()
        if self._guarded[0] is not runs:
            self._guarded = runs, [run for run in runs if run.status in (Status.STARTING, Status.RUNNING)]
        self._known = {run.id: self._look_at(run, now) for run in self._guarded[1]}
        active = [known[2] for known in self._known.values()]
        if not active:
            self._state = GuardState()
            return
        readings = self._readings_source.latest()
        result = step(
            self._state,
            active,
            readings,
            now=now,
            sample_seconds=self._capacity.limits.sample_seconds,
            readings_age_seconds=time.time() - readings.time,
        )
        self._state = result.state
        for action in result.actions:
            RunDirectory(self._home.run_folder(action.run_id)).append_request(action.request)

    def _look_at(self, run: Run, now: float) -> tuple[Run, Live | None, ActiveRun]:
        """A run and its live record; for some seconds the last one, unless the guard has to do with the run.

        A guardian refuses a request that no longer applies.
        """
        known = self._known.get(run.id)
        last = None if known is None else known[1]
        is_calm = last is not None and last.pause is None and run.id not in self._state.sent
        live = self._capacity.live_records.latest(run.id, now, seconds=CALM_SECONDS if is_calm else 0.0).live
        if known is not None and known[0] is run and last is live and is_calm:
            return known
        return run, live, active_of(run, live, now)
