"""The GPUs: which probe sees them, and whether they can be used."""

from __future__ import annotations

from collections.abc import Iterator

from backprop_tui.cli.doctor.findings import Finding, bad, ok, warn
from backprop_tui.cli.machine_view import MachineReadings
from backprop_tui.domain.telemetry import GpuHealth, GpuReading
from backprop_tui.presentation import numbers


def look_at_gpus(machine: MachineReadings, configured: str) -> Iterator[Finding]:
    """The probe that was picked, why others were not, and each GPU; `configured` is `gpu.probe`."""
    readings = machine.readings
    over = "; ".join(f"{name}: {why}" for name, why in machine.passed_over.items())
    if configured == "none":
        yield ok("gpu probe", 'switched off by gpu.probe = "none"')
    elif readings.probe_problem is not None:
        advice = 'until then one run starts at a time; nvidia-smi may tell more, gpu.probe = "none" does without'
        yield bad("gpu probe", f"{readings.probe}: {readings.probe_problem}", advice)
    elif not machine.gpus_known:
        yield warn(
            "gpu probe", "the driver has not answered yet", "run nvidia-smi: where it hangs too, a reboot is due"
        )
    elif readings.gpus:
        yield ok("gpu probe", f"{readings.probe} picked" + (f"; {over}" if over else ""))
    else:
        yield ok("gpu probe", "no GPU found" + (f" ({over})" if over else ""))
    for gpu in readings.gpus:
        yield _look_at(gpu)


def _look_at(gpu: GpuReading) -> Finding:
    name = f"gpu {gpu.index}"
    free = None
    if gpu.memory_total_bytes is not None and gpu.memory_used_bytes is not None:
        free = gpu.memory_total_bytes - gpu.memory_used_bytes
    celsius = "" if gpu.temperature_celsius is None else f", {gpu.temperature_celsius:.0f} C"
    message = f"{gpu.name}, {numbers.size(free)} of {numbers.size(gpu.memory_total_bytes)} free{celsius}"
    problem = f"{message}: {gpu.health}" + (f", {gpu.problem}" if gpu.problem else "")
    match gpu.health:
        case GpuHealth.OK:
            return ok(name, message if gpu.problem is None else f"{message}; {gpu.problem}")
        case GpuHealth.HOT:
            return warn(name, problem, "runs on it pause until it is cooler: look at fans and air, or gpu.max_temp_c")
        case GpuHealth.LOST:
            return bad(name, problem, "look in dmesg for Xid and `fallen off the bus`; it needs a reset or a reboot")
        case _:
            return warn(name, problem, "no run starts on it until it answers; nvidia-smi in a shell may tell more")
