"""Parses the output of `nvidia-smi --query-...=... --format=csv,noheader,nounits`, which may contain errors."""

from __future__ import annotations

import re

from backprop_tui.domain.telemetry import GpuProcess
from backprop_tui.domain.values import dataclass
from backprop_tui.probes.gpu_record import GpuAnswer, GpuLost

GPU_FIELDS = (
    "index",
    "uuid",
    "name",
    "pci.bus_id",
    "temperature.gpu",
    "utilization.gpu",
    "memory.total",
    "memory.used",
    "power.draw",
    "fan.speed",
)
PROCESS_FIELDS = ("gpu_uuid", "pid", "used_memory")

_MEBIBYTE = 1 << 20
# A metric that the GPU does not have or that we may not read; any other text in its place is a failure.
_MISSING = frozenset({"n/a", "not supported", "not available", "not found", "insufficient permissions", ""})
# Unable to determine the device handle for GPU0000:3B:00.0: GPU is lost.  Reboot the system to recover this GPU
_LOST_LINE = re.compile(
    r"device handle for GPU.*?([0-9a-f]+:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f])\s*:\s*(.+)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmiTable:
    """A parsed table of GPUs."""

    answers: dict[int, GpuAnswer | GpuLost]  # by index
    addresses: dict[str, int]  # index by PCI address
    lost: dict[str, GpuLost]  # by PCI address


def parse_gpus(text: str) -> SmiTable:
    """Parse the metrics of GPUs; skips lines that are not valid."""
    table = SmiTable(answers={}, addresses={}, lost={})
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) == len(GPU_FIELDS) and cells[0].isdecimal() and cells[1] and not _cell_error(cells[1]):
            index = int(cells[0])
            table.answers[index] = _parse_gpu_row(cells)
            table.addresses[normalized_address(cells[3])] = index
        elif match := _LOST_LINE.search(line):
            table.lost[normalized_address(match[1])] = GpuLost(problem=" ".join(match[2].split()).rstrip("."))
    return table


def parse_processes(text: str) -> dict[str, tuple[GpuProcess, ...]]:
    """Parse the processes by GPU UUID; skips rows that are not valid."""
    memory: dict[str, dict[int, int | None]] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) == len(PROCESS_FIELDS) and cells[1].isdecimal():
            memory.setdefault(cells[0], {})[int(cells[1])] = _mebibytes(cells[2])
    return {
        uuid: tuple(GpuProcess(pid=pid, memory_bytes=sizes[pid]) for pid in sorted(sizes))
        for uuid, sizes in memory.items()
    }


def normalized_address(text: str) -> str:
    """A PCI address without leading zeros, since nvidia-smi prints 4 or 8 digits of the domain."""
    domain, _, rest = text.lower().partition(":")
    return f"{domain.lstrip('0') or '0'}:{rest}"


def _parse_gpu_row(cells: list[str]) -> GpuAnswer | GpuLost:
    _, uuid, name, _, temperature, utilization, total, used, power, fan = cells
    errors = [error for error in map(_cell_error, cells) if error]
    lost = next((error for error in errors if "lost" in error or "reset" in error), None)
    if lost is not None:
        return GpuLost(problem=lost)
    metrics = (
        *(("temperature", temperature), ("memory", total), ("memory", used)),
        *(("utilization", utilization), ("power", power)),
    )
    failures = {metric: error for metric, cell in metrics if (error := _cell_error(cell))}
    return GpuAnswer(
        uuid=uuid,
        name=name,
        temperature_celsius=_finite_number(temperature),
        utilization_percent=_finite_number(utilization),
        memory_total_bytes=_mebibytes(total),
        memory_used_bytes=_mebibytes(used),
        power_watts=_finite_number(power),
        fan_percent=_finite_number(fan),
        failures=failures,
    )


def _mebibytes(cell: str) -> int | None:
    """Convert a number of MiB to bytes."""
    return int(cell) * _MEBIBYTE if cell.isdecimal() else None


def _finite_number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def _cell_error(cell: str) -> str | None:
    """The error in brackets, or starting with ERR, in place of a value; None for a value or a missing metric."""
    text = cell.strip("[]").strip().lower()
    is_error = cell.startswith("[") or cell.upper().startswith("ERR")
    return text if is_error and text not in _MISSING else None
