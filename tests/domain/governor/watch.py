"""A harness for the guard: a machine that it checks once a second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from backprop_tui.domain.governor.guard import GuardState, step
from backprop_tui.domain.governor.guard_checks import GuardAction
from backprop_tui.domain.governor.snapshot import ActiveRun
from backprop_tui.domain.requests import ContinueRequest, NoticeRequest, PauseRequest, StopRequest
from backprop_tui.domain.telemetry import GpuReading, Readings
from tests.domain.governor.machines import CALM_HOST, gb


class Watch:
    """A machine looked at once a second, whose runners obey at once, or never when they are deaf."""

    def __init__(self, *runs: ActiveRun, deaf: bool = False, sample_seconds: float = 1.0) -> None:
        self.runs = {run.id: run for run in runs}
        self.deaf = deaf
        self.sample_seconds = sample_seconds
        self.state = GuardState()
        self.now = 0.0

    def see(self, *gpus: GpuReading, ram_gb: float | None = 48.0, age: float = 0.0) -> tuple[GuardAction, ...]:
        """One step, a second after the last, with readings of that age."""
        self.now += 1.0
        for run in list(self.runs.values()):
            if run.paused_by:
                self.runs[run.id] = replace(run, paused_seconds=run.paused_seconds + 1.0)
        host = replace(CALM_HOST, ram_available_bytes=None if ram_gb is None else gb(ram_gb))
        taken = step(
            self.state,
            tuple(self.runs.values()),
            Readings(time=self.now - age, host=host, gpus=gpus, probe="nvml"),
            now=self.now,
            sample_seconds=self.sample_seconds,
            readings_age_seconds=age,
        )
        self.state = taken.state
        if not self.deaf:
            self.obey(taken.actions)
        return taken.actions

    def obey(self, actions: Sequence[GuardAction]) -> None:
        for action in actions:
            run = self.runs[action.run_id]
            match action.request:
                case PauseRequest(by=by):
                    self.runs[run.id] = replace(run, paused_by=by, paused_seconds=0.0)
                case ContinueRequest():
                    self.runs[run.id] = replace(run, paused_by=None, paused_seconds=0.0)
                case StopRequest():
                    self.runs[run.id] = replace(run, stopping=True)
                case NoticeRequest():
                    pass


def requests(actions: Sequence[GuardAction]) -> list[tuple[str, object]]:
    return [(action.run_id, action.request) for action in actions]
