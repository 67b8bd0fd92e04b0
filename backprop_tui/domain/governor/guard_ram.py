"""The guard against running out of RAM: it pauses the youngest run, one at a time, until enough RAM is free again.

RAM is low below a quarter of the free RAM that a run requires at its start; a run continues from half of it. A paused
run keeps its memory but does not allocate more.
"""

from __future__ import annotations

from collections.abc import Iterator

from backprop_tui.domain.formatting import gigabytes_down, gigabytes_up
from backprop_tui.domain.governor.active import BY_RAM, ActiveRun
from backprop_tui.domain.governor.guard_view import Alarm, GuardAction, GuardView
from backprop_tui.domain.limits import RunLimits
from backprop_tui.domain.requests import PauseRequest

# A pause takes effect, and a reading shows it, before the next run is paused or continued.
SETTLE_SECONDS = 10.0


def pause_when_ram_is_low(view: GuardView) -> Iterator[GuardAction]:
    """Pauses the youngest of the runs by whose limits RAM is low."""
    free = view.readings.host.ram_available_bytes
    affected = [run for run in view.runs if run.paused_by is None and is_low(run, view)]
    if free is None or not affected or view.seconds_since_ram_pause < SETTLE_SECONDS:
        return
    youngest = max(affected, key=lambda run: (run.started_at, run.id))
    limit, enough = pause_ram_bytes(youngest.limits), continue_ram_bytes(youngest.limits)
    reason = f"RAM {gigabytes_down(free)} GB free, limit {gigabytes_up(limit)}, continues from {gigabytes_up(enough)}"
    request = PauseRequest(by=BY_RAM, reason=reason)
    yield GuardAction(run_id=youngest.id, alarm=Alarm.RAM, request=request, figure=free, limit=limit)


def is_low(run: ActiveRun, view: GuardView) -> bool:
    """Whether RAM is low by the run's limits; False if the free RAM is unknown."""
    free = view.readings.host.ram_available_bytes
    return free is not None and free < pause_ram_bytes(run.limits)


def has_recovered(run: ActiveRun, view: GuardView) -> bool:
    """Whether enough RAM is known to be free for the run to continue."""
    free = view.readings.host.ram_available_bytes
    return free is not None and free >= continue_ram_bytes(run.limits)


def pause_ram_bytes(limits: RunLimits) -> int:
    """Free RAM below which the run is paused; 0 if the check is off."""
    return limits.min_free_ram_bytes // 4


def continue_ram_bytes(limits: RunLimits) -> int:
    """Free RAM from which the run is continued."""
    return limits.min_free_ram_bytes // 2
