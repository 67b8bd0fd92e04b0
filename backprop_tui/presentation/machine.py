"""The machine's readings as text: GPUs, who uses them, the host."""

from __future__ import annotations

import re

from backprop_tui.domain.formatting import plain
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.telemetry import GpuProcess, HostReading, Readings
from backprop_tui.presentation import durations, numbers

SIMULATED = "simulated"


def short_gpu_model(name: str) -> str:
    """The word of a GPU's name that tells it from others: H100, 4090, MI300X."""
    words = [word for word in re.split(r"[\s\-]+", sanitize(name)) if word]
    with_digits = next((word for word in words if any(letter.isdecimal() for letter in word)), "")
    return with_digits.removeprefix("RTX") or (words[-1] if words else "")


def no_gpu_note(readings: Readings, *, gpus_known: bool) -> str:
    if readings.probe_problem is not None:
        return f"GPUs unknown: {sanitize(readings.probe)}: {sanitize(readings.probe_problem)}"
    return "no GPU · runs use the CPU" if gpus_known else "the driver has not answered yet"


def gpu_problem(problem: str | None, age_seconds: float, now: float) -> str:
    since = f" since {durations.clock(now - age_seconds)}" if age_seconds >= 1 else ""
    reason = f" · {sanitize(problem)}" if problem else ""
    return f"not answering{since}{reason}"


def foreign_process(process: GpuProcess) -> str:
    """A process on a GPU that belongs to none of the shown runs: `not ours: pid 40412 (mika) 31.3 GB`."""
    owner = ""
    if process.owner:
        owner = f" ({sanitize(process.owner)})"
    elif process.run:
        owner = f" (run {sanitize(process.run)})"
    memory = f" {numbers.size(process.memory_bytes)}" if process.memory_bytes is not None else ""
    return f"not ours: pid {process.pid}{owner}{memory}"


def host_line(host: HostReading) -> str:
    cores = "" if host.cores is None else f" on {plain(host.cores)} cores"
    ram = "-" if host.ram_total_bytes is None else numbers.memory(used_ram(host), host.ram_total_bytes)
    parts = [
        f"CPU {numbers.percent(host.cpu_percent)}",
        f"load {load(host.load_1m)}{cores}",
        f"RAM {ram}",
        f"disk {numbers.size(host.disk_free_bytes)} free",
    ]
    return ", ".join(parts)


def load(load_1m: float | None) -> str:
    return numbers.NOTHING if load_1m is None else f"{load_1m:.1f}"


def used_ram(host: HostReading) -> int | None:
    total, available = host.ram_total_bytes, host.ram_available_bytes
    return None if total is None or available is None else max(0, total - available)
