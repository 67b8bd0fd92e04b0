"""Looks at every active run against the newest readings, and asks the runners to do what the guard decides."""

from __future__ import annotations

import time
from collections.abc import Sequence

from backprop_tui.domain.governor.guard import GuardState, step
from backprop_tui.domain.run import Run
from backprop_tui.domain.status import Status
from backprop_tui.engine.candidates import active_of
from backprop_tui.engine.machine import Capacity
from backprop_tui.engine.measuring import ReadingsSource
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory


class Guard:
    """What the guard remembers from one look to the next.

    It is asked more often than is measured, and looks as soon as there are new readings: heat does not wait.
    """

    def __init__(self, home: Home, machine: Capacity, measurements: ReadingsSource) -> None:
        self._home = home
        self._machine = machine
        self._measurements = measurements
        self._state = GuardState()
        self._seen: int | None = None
        self._due = 0.0

    def look(self, runs: Sequence[Run]) -> None:
        """One look at the active ones among these runs, unless nothing was measured since the last one.

        Raises:
            StorageFailed: a request could not be written; the next look asks again.
        """
        written, now = self._measurements.written_at(), time.monotonic()
        if written == self._seen and now < self._due:
            return
        self._due = now + self._machine.limits.sample_seconds
        self._look(runs)
        self._seen = written

    def _look(self, runs: Sequence[Run]) -> None:
        wall = time.time()
        active = [
            active_of(run, RunDirectory(self._home.run_folder(run.id)).read_live(), wall)
            for run in runs
            if run.status in (Status.STARTING, Status.RUNNING)
        ]
        if not active:
            self._state = GuardState()
            return
        readings = self._measurements.latest()
        result = step(
            self._state,
            active,
            readings,
            now=time.monotonic(),
            sample_seconds=self._machine.limits.sample_seconds,
            readings_age_seconds=wall - readings.time,
        )
        self._state = result.state
        for action in result.actions:
            RunDirectory(self._home.run_folder(action.run_id)).append_request(action.request)
