"""Temperature limits of GPUs, and pausing and continuing runs by them."""

from __future__ import annotations

from collections.abc import Iterator

from backprop_tui.domain.formatting import plain
from backprop_tui.domain.governor.guard_view import READINGS_TO_ACT, Alarm, GuardAction, GuardView
from backprop_tui.domain.governor.snapshot import BY_HEAT, ActiveRun
from backprop_tui.domain.limits import RunLimits
from backprop_tui.domain.requests import NoticeRequest, PauseRequest, StopRequest
from backprop_tui.domain.telemetry import GpuReading

# A start heats the card, so none is allowed within this band below the limit.
START_BAND_CELSIUS = 3.0
# A GPU within this band below the limit is shown with a warning.
NEAR_LIMIT_CELSIUS = 5.0
# With a margin of 0, a run would be paused and continued at every reading.
MIN_MARGIN_CELSIUS = 1.0


def is_hot(celsius: float | None, limit_celsius: float) -> bool:
    """Whether a GPU is at its limit or above; a limit of 0 is none."""
    return celsius is not None and 0 < limit_celsius <= celsius


def is_nearly_hot(celsius: float | None, limit_celsius: float) -> bool:
    """Whether a GPU is close to its limit or above."""
    return celsius is not None and 0 < limit_celsius <= celsius + NEAR_LIMIT_CELSIUS


def start_below_celsius(limits: RunLimits) -> float:
    """Temperature below which a run may start on a GPU without paused runs."""
    return limits.gpu_max_temp_celsius - START_BAND_CELSIUS


def continue_below_celsius(limits: RunLimits) -> float:
    """Temperature below which a run paused for heat continues."""
    return limits.gpu_max_temp_celsius - max(limits.gpu_resume_margin_celsius, MIN_MARGIN_CELSIUS)


def pause_overheated(view: GuardView) -> Iterator[GuardAction]:
    """Acts on runs with a GPU at or above the limit for two readings: pauses, stops or warns them, as configured."""
    for run in view.runs:
        hottest = _overheated_gpu(run, view)
        if run.paused_by is not None or hottest is None:
            continue
        request = _overheat_request(run, hottest)
        if isinstance(request, NoticeRequest) and (run.id, Alarm.OVERHEATED) in view.reported:
            continue
        yield GuardAction(
            run_id=run.id,
            alarm=Alarm.OVERHEATED,
            request=request,
            figure=hottest.temperature_celsius,
            limit=run.limits.gpu_max_temp_celsius,
        )


def is_cool(run: ActiveRun, view: GuardView) -> bool:
    """Whether every GPU of the run is known to be below the limit by the margin."""
    below = continue_below_celsius(run.limits)
    temperatures = [history.newest.temperature_celsius for history in view.histories_of(run)]
    return view.all_gpus_answer(run) and all(celsius is not None and celsius < below for celsius in temperatures)


def is_gpu_hot(run: ActiveRun, view: GuardView) -> bool:
    """Whether a GPU of the run was at its limit at the last reading."""
    return any(_at_limit(run, history.newest) for history in view.histories_of(run))


def hottest_gpu(run: ActiveRun, view: GuardView) -> GpuReading | None:
    """Returns the hottest GPU of the run; None if no temperature is known."""
    gpus = [history.newest for history in view.histories_of(run) if history.newest.temperature_celsius is not None]
    return max(gpus, key=lambda gpu: gpu.temperature_celsius or 0.0, default=None)


def _overheated_gpu(run: ActiveRun, view: GuardView) -> GpuReading | None:
    """The hottest GPU among those that stay at the limit."""
    overheated = [
        history.newest
        for history in view.histories_of(run)
        if history.newest_match(READINGS_TO_ACT, lambda gpu: _at_limit(run, gpu))
    ]
    return max(overheated, key=lambda gpu: gpu.temperature_celsius or 0.0, default=None)


def _at_limit(run: ActiveRun, gpu: GpuReading) -> bool:
    return is_hot(gpu.temperature_celsius, run.limits.gpu_max_temp_celsius)


def _overheat_request(run: ActiveRun, gpu: GpuReading) -> PauseRequest | StopRequest | NoticeRequest:
    limits = run.limits
    message = (
        f"GPU {gpu.index} at {plain(gpu.temperature_celsius or 0.0)} °C, limit {plain(limits.gpu_max_temp_celsius)}"
    )
    match limits.on_overheat:
        case "warn":
            return NoticeRequest(message=message)
        case "stop":
            return StopRequest(by=BY_HEAT, reason=message, cause=Alarm.OVERHEATED.value)
        case _:
            reason = f"{message}, continues below {plain(continue_below_celsius(limits))}"
            return PauseRequest(by=BY_HEAT, reason=reason, gpu=gpu.index, celsius=gpu.temperature_celsius)
