"""Ends the guard's own pauses: continues runs when it is safe, or stops those paused for too long."""

from __future__ import annotations

from collections.abc import Iterator

from backprop_tui.domain.formatting import duration, gigabytes_down, gigabytes_up, plain
from backprop_tui.domain.governor.active import BY_HEAT, BY_RAM
from backprop_tui.domain.governor.guard_heat import hottest_gpu, is_cool, is_hot
from backprop_tui.domain.governor.guard_ram import SETTLE_SECONDS, continue_ram_bytes, has_recovered, is_low
from backprop_tui.domain.governor.guard_view import Alarm, GuardAction, GuardView
from backprop_tui.domain.governor.heat import continue_below_celsius
from backprop_tui.domain.requests import ContinueRequest, StopRequest


def stop_long_paused(view: GuardView) -> Iterator[GuardAction]:
    """Stops runs that the guard has paused for longer than they allow; they can be resumed."""
    for run in view.runs:
        limit = run.limits.max_pause_seconds
        if run.paused_by is None or not run.paused_by_guard or not 0 < limit <= run.paused_seconds:
            continue
        alarm = Alarm.OVERHEATED if run.paused_by == BY_HEAT else Alarm.RAM
        reason = f"paused for {run.paused_by} for {duration(run.paused_seconds)}, at most {duration(limit)}"
        cause = alarm.value if alarm is Alarm.OVERHEATED else None
        request = StopRequest(by=run.paused_by, reason=reason, cause=cause)
        yield GuardAction(run_id=run.id, alarm=alarm, request=request, figure=run.paused_seconds, limit=limit)


def continue_cooled(view: GuardView) -> Iterator[GuardAction]:
    """Continues every run that was paused for heat and whose GPUs are all cool again."""
    for run in view.runs:
        hottest = hottest_gpu(run, view)
        if run.paused_by != BY_HEAT or hottest is None or not is_cool(run, view) or is_low(run, view):
            continue
        figure, below = hottest.temperature_celsius or 0.0, continue_below_celsius(run.limits)
        reason = f"GPU {hottest.index} at {plain(figure)} °C, below {plain(below)}"
        request = ContinueRequest(by=BY_HEAT, reason=reason)
        yield GuardAction(run_id=run.id, alarm=Alarm.OVERHEATED, request=request, figure=figure, limit=below)


def continue_when_ram_recovers(view: GuardView) -> Iterator[GuardAction]:
    """Continues the oldest run that was paused for RAM, one at a time."""
    free = view.readings.host.ram_available_bytes
    ready = [run for run in view.runs if run.paused_by == BY_RAM and has_recovered(run, view) and not is_hot(run, view)]
    if free is None or not ready or view.seconds_since_ram_action < SETTLE_SECONDS:
        return
    oldest = min(ready, key=lambda run: (run.started_at, run.id))
    needed = continue_ram_bytes(oldest.limits)
    reason = f"RAM {gigabytes_down(free)} GB free, needs {gigabytes_up(needed)}"
    request = ContinueRequest(by=BY_RAM, reason=reason)
    yield GuardAction(run_id=oldest.id, alarm=Alarm.RAM, request=request, figure=free, limit=needed)
