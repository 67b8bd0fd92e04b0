"""The guard against heat: a GPU at its limit, and whether it has cooled."""

from __future__ import annotations

from collections.abc import Iterator

from backprop_tui.domain.formatting import plain
from backprop_tui.domain.governor import heat
from backprop_tui.domain.governor.active import BY_HEAT, ActiveRun
from backprop_tui.domain.governor.guard_view import READINGS_TO_ACT, Alarm, GuardAction, View
from backprop_tui.domain.governor.heat import continue_below_celsius
from backprop_tui.domain.requests import PauseRequest, StopRequest, TellRequest
from backprop_tui.domain.telemetry import GpuReading


def pause_overheated(view: View) -> Iterator[GuardAction]:
    """A GPU at or above the limit for two readings: its runs pause, end resumably, or are told, as each was queued."""
    for run in view.runs:
        hottest = _overheated_gpu(run, view)
        if run.paused_by is not None or hottest is None:
            continue
        request = _request(run, hottest)
        if isinstance(request, TellRequest) and (run.id, Alarm.OVERHEATED) in view.told:
            continue
        yield GuardAction(
            run_id=run.id,
            alarm=Alarm.OVERHEATED,
            request=request,
            figure=hottest.temperature_celsius,
            limit=run.limits.gpu_max_temp_celsius,
        )


def is_cool(run: ActiveRun, view: View) -> bool:
    """Whether every GPU of the run is known to be below the limit by the margin."""
    below = continue_below_celsius(run.limits)
    temperatures = [track.newest.temperature_celsius for track in view.tracks_of(run)]
    return view.sees_all_of(run) and all(celsius is not None and celsius < below for celsius in temperatures)


def is_hot(run: ActiveRun, view: View) -> bool:
    """Whether a GPU of the run was at its limit when it was last read."""
    return any(_at_limit(run, track.newest) for track in view.tracks_of(run))


def hottest_gpu(run: ActiveRun, view: View) -> GpuReading | None:
    """The hottest GPU of the run; None where no temperature is known."""
    known = [track.newest for track in view.tracks_of(run) if track.newest.temperature_celsius is not None]
    return max(known, key=lambda gpu: gpu.temperature_celsius or 0.0, default=None)


def _overheated_gpu(run: ActiveRun, view: View) -> GpuReading | None:
    """The hottest of those that stay at the limit."""
    tracks = [track for track in view.tracks_of(run) if track.lasts(READINGS_TO_ACT, lambda gpu: _at_limit(run, gpu))]
    return max((track.newest for track in tracks), key=lambda gpu: gpu.temperature_celsius or 0.0, default=None)


def _at_limit(run: ActiveRun, gpu: GpuReading) -> bool:
    return heat.is_hot(gpu.temperature_celsius, run.limits.gpu_max_temp_celsius)


def _request(run: ActiveRun, gpu: GpuReading) -> PauseRequest | StopRequest | TellRequest:
    limits = run.limits
    words = f"GPU {gpu.index} at {plain(gpu.temperature_celsius or 0.0)} C, limit {plain(limits.gpu_max_temp_celsius)}"
    match limits.on_overheat:
        case "warn":
            return TellRequest(message=words)
        case "stop":
            return StopRequest(by=BY_HEAT, reason=words, cause=Alarm.OVERHEATED.value)
        case _:
            reason = f"{words}, continues below {plain(continue_below_celsius(limits))}"
            return PauseRequest(by=BY_HEAT, reason=reason)
