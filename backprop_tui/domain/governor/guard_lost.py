"""The guard's report of a lost GPU; the run itself is left alone."""

from __future__ import annotations

from collections.abc import Iterator

from backprop_tui.domain.governor.active import ActiveRun
from backprop_tui.domain.governor.guard_view import Alarm, GuardAction, GuardView
from backprop_tui.domain.requests import TellRequest
from backprop_tui.domain.telemetry import GpuHealth, GpuReading


def report_lost_gpus(view: GuardView) -> Iterator[GuardAction]:
    """Reports lost GPUs of a run, once for as long as one is lost."""
    for run in view.runs:
        lost = lost_gpus(run, view)
        if lost and (run.id, Alarm.GPU_LOST) not in view.reported:
            problem = f": {lost[0].problem}" if lost[0].problem else ""
            numbers = ", ".join(str(gpu.index) for gpu in lost)
            request = TellRequest(message=f"GPU {numbers} lost{problem}, the run is left alone")
            yield GuardAction(run_id=run.id, alarm=Alarm.GPU_LOST, request=request)


def lost_gpus(run: ActiveRun, view: GuardView) -> list[GpuReading]:
    """Returns the run's lost GPUs, without those that only do not answer at the moment."""
    return [gpu for gpu in view.readings.gpus if gpu.uuid in run.gpu_uuids and gpu.health is GpuHealth.LOST]
