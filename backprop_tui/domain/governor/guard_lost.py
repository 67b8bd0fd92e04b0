"""What the guard says of a GPU that was lost under a run: it tells, and leaves the run to find out for itself."""

from __future__ import annotations

from collections.abc import Iterator

from backprop_tui.domain.governor.active import ActiveRun
from backprop_tui.domain.governor.guard_view import Alarm, GuardAction, View
from backprop_tui.domain.requests import TellRequest
from backprop_tui.domain.telemetry import GpuHealth, GpuReading


def tell_lost_gpus(view: View) -> Iterator[GuardAction]:
    """Told once for as long as a GPU of the run is lost."""
    for run in view.runs:
        lost = lost_gpus(run, view)
        if lost and (run.id, Alarm.GPU_LOST) not in view.told:
            because = f": {lost[0].problem}" if lost[0].problem else ""
            numbers = ", ".join(str(gpu.index) for gpu in lost)
            request = TellRequest(message=f"GPU {numbers} lost{because}, the run is left alone")
            yield GuardAction(run_id=run.id, alarm=Alarm.GPU_LOST, request=request)


def lost_gpus(run: ActiveRun, view: View) -> list[GpuReading]:
    """The run's GPUs that are lost; those that are silent for now are not."""
    return [gpu for gpu in view.readings.gpus if gpu.uuid in run.gpu_uuids and gpu.health is GpuHealth.LOST]
