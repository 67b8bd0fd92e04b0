"""What `nvidia-smi --query-...=... --format=csv,noheader,nounits` prints, read with distrust."""

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
# A figure that the GPU has not, or that is not for us; other words in its place are a failure.
_MISSING = frozenset({"n/a", "not supported", "not available", "not found", "insufficient permissions", ""})
# Like: Unable to determine the device handle for GPU0000:3B:00.0: GPU is lost.  Reboot the system to recover this GPU
_LOST_LINE = re.compile(
    r"device handle for GPU.*?([0-9a-f]+:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f])\s*:\s*(.+)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmiTable:
    """The GPUs by index, and by PCI address those that nvidia-smi names as lost."""

    answers: dict[int, GpuAnswer | GpuLost]
    addresses: dict[str, int]
    lost: dict[str, GpuLost]


def parse_gpus(text: str) -> SmiTable:
    """Rows that make sense; all else is left out."""
    table = SmiTable(answers={}, addresses={}, lost={})
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) == len(GPU_FIELDS) and cells[0].isdecimal() and cells[1] and not _cell_error(cells[1]):
            index = int(cells[0])
            table.answers[index] = _answer(cells)
            table.addresses[address(cells[3])] = index
        else:
            found = _LOST_LINE.search(line)
            if found:
                table.lost[address(found[1])] = GpuLost(problem=" ".join(found[2].split()).rstrip("."))
    return table


def parse_processes(text: str) -> dict[str, tuple[GpuProcess, ...]]:
    """By GPU UUID; rows that make no sense are left out."""
    found: dict[str, dict[int, int | None]] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) == len(PROCESS_FIELDS) and cells[1].isdecimal():
            found.setdefault(cells[0], {})[int(cells[1])] = _bytes(cells[2])
    return {
        uuid: tuple(GpuProcess(pid=pid, memory_bytes=held[pid]) for pid in sorted(held)) for uuid, held in found.items()
    }


def address(text: str) -> str:
    """A PCI address as nvidia-smi writes it in tables and in messages: the domain has 4 or 8 digits."""
    domain, _, rest = text.lower().partition(":")
    return f"{domain.lstrip('0') or '0'}:{rest}"


def _answer(cells: list[str]) -> GpuAnswer | GpuLost:
    _, uuid, name, _, temperature, utilization, total, used, power, fan = cells
    words = [word for word in (_cell_error(cell) for cell in cells) if word]
    lost = next((word for word in words if "lost" in word or "reset" in word), None)
    if lost is not None:
        return GpuLost(problem=lost)
    named = {"temperature": temperature, "memory": total, "memory ": used, "utilization": utilization, "power": power}
    failures = {name.strip(): word for name, cell in named.items() if (word := _cell_error(cell))}
    return GpuAnswer(
        uuid=uuid,
        name=name,
        temperature_celsius=_number(temperature),
        utilization_percent=_number(utilization),
        memory_total_bytes=_bytes(total),
        memory_used_bytes=_bytes(used),
        power_watts=_number(power),
        fan_percent=_number(fan),
        failures=failures,
    )


def _bytes(cell: str) -> int | None:
    """From MiB."""
    return int(cell) * _MEBIBYTE if cell.isdecimal() else None


def _number(cell: str) -> float | None:
    """None where there is no finite number."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def _cell_error(cell: str) -> str | None:
    """What stands in brackets, or an error mark, in place of a figure; None where it is a figure or just missing."""
    inner = cell.strip("[]").strip().lower()
    bracketed = cell.startswith("[") or cell.upper().startswith("ERR")
    return inner if bracketed and inner not in _MISSING else None
