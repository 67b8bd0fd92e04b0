"""The guard against RAM running out: the youngest run stands still, one at a time, until enough is free again.

Nearly gone is a quarter of the free RAM that a run asks for at its start, enough again is half of it. A paused run
keeps its memory but takes no more of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from backprop_tui.domain.formatting import gigabytes_down, gigabytes_up
from backprop_tui.domain.governor.active import BY_RAM, ActiveRun
from backprop_tui.domain.governor.guard_view import Alarm, GuardAction, View
from backprop_tui.domain.limits import RunLimits
from backprop_tui.domain.requests import PauseRequest

# A pause takes effect, and a reading shows it, before the next run is paused or continued.
SETTLE_SECONDS = 10.0


def pause_when_short(view: View) -> Iterator[GuardAction]:
    """The youngest of the runs by whose limits RAM is nearly gone."""
    free = view.readings.host.ram_available_bytes
    short = [run for run in view.runs if run.paused_by is None and is_short(run, view)]
    if free is None or not short or view.seconds_since_ram_pause < SETTLE_SECONDS:
        return
    youngest = max(short, key=lambda run: (run.started_at, run.id))
    least, enough = least_bytes(youngest.limits), enough_bytes(youngest.limits)
    reason = f"RAM {gigabytes_down(free)} GB free, keeps {gigabytes_up(least)}, continues from {gigabytes_up(enough)}"
    request = PauseRequest(by=BY_RAM, reason=reason)
    yield GuardAction(run_id=youngest.id, alarm=Alarm.RAM, request=request, figure=free, limit=least)


def is_short(run: ActiveRun, view: View) -> bool:
    """Whether RAM is nearly gone; not so when nobody knows how much is free."""
    free = view.readings.host.ram_available_bytes
    return free is not None and free < least_bytes(run.limits)


def is_back(run: ActiveRun, view: View) -> bool:
    """Whether enough RAM is known to be free for the run to go on."""
    free = view.readings.host.ram_available_bytes
    return free is not None and free >= enough_bytes(run.limits)


def least_bytes(limits: RunLimits) -> int:
    """Free RAM below which the run is paused; 0 where the check is off."""
    return limits.min_free_ram_bytes // 4


def enough_bytes(limits: RunLimits) -> int:
    """Free RAM from which it is continued."""
    return limits.min_free_ram_bytes // 2
