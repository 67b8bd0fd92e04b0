"""AMD GPUs through the amdgpu driver's files in sysfs."""

from __future__ import annotations

import errno
import os
import re

from backprop_tui.domain.telemetry import GpuProcess, GpuReading
from backprop_tui.probes.gpu_record import (
    GpuAnswer,
    GpuLost,
    GpuOutcome,
    GpuPoller,
    GpuRecord,
    ProbeUnavailable,
    poll_all,
)


class AmdProcesses:
    """Maps cards to the GPU ids of kfd, whose topology names the render node of each id."""

    def __init__(self, sys_root: str) -> None:
        self._kfd = os.path.join(sys_root, "class/kfd/kfd")
        self._gpu_ids: dict[str, int] = {}

    def on_device(self, device: str) -> tuple[GpuProcess, ...]:
        """Returns the processes on the card with this device directory; empty if kfd does not know the card."""
        gpu_id = self._gpu_ids.get(device) or self._gpu_id(device)
        if gpu_id is None:
            return ()
        self._gpu_ids[device] = gpu_id
        pids = [pid for pid in _list_directory(f"{self._kfd}/proc") if pid.isdecimal()]
        memory = {pid: self._number(f"proc/{pid}/vram_{gpu_id}") for pid in pids}
        return tuple(
            GpuProcess(pid=int(pid), memory_bytes=memory[pid])
            for pid in sorted(memory, key=int)
            if memory[pid]  # every process that opened kfd is listed for every GPU
        )

    def _gpu_id(self, device: str) -> int | None:
        names = _list_directory(os.path.join(device, "drm"))
        minors = {name.removeprefix("renderD") for name in names if name.startswith("renderD")}
        for node in _list_directory(f"{self._kfd}/topology/nodes"):
            properties = read_text(self._kfd, f"topology/nodes/{node}/properties").split()
            minor = dict(zip(properties[::2], properties[1::2], strict=False)).get("drm_render_minor")
            if minor in minors:
                return self._number(f"topology/nodes/{node}/gpu_id")
        return None

    def _number(self, name: str) -> int | None:
        text = read_text(self._kfd, name)
        return int(text) if text.isdecimal() else None


def read_text(*parts: str) -> str:
    """The stripped content of a file; empty if it cannot be read, for example because a process or card is gone."""
    try:
        with open(os.path.join(*parts), encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def _list_directory(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


# Temperature limits of about 85 degrees refer to the edge sensor; the junction (hot spot) is designed to reach 110.
# Data center cards have no edge sensor, so the junction is used there.
_TEMPERATURE_SENSORS = ("edge", "junction")


class AmdCard:
    """One card; which files it has depends on its generation and the kernel.

    Called in a thread per card, since the driver may block any read.
    """

    def __init__(self, device: str, address: str, processes: AmdProcesses) -> None:
        """`device` is the card's directory in sysfs, `address` its PCI address."""
        self._device = device
        self._address = address
        self._processes = processes
        self._failures: dict[str, str] = {}

    def query(self) -> GpuOutcome:
        """Reads all metrics, with the reason for each that fails."""
        self._failures = {}
        if not os.path.isdir(self._device):
            return GpuLost(problem="the device is gone: unplugged or released by the driver; see `dmesg | grep amdgpu`")
        hwmon = self._hwmon()
        total, used = self._number("memory", "mem_info_vram_total"), self._number("memory", "mem_info_vram_used")
        sensor = self._sensor(hwmon)
        return GpuAnswer(
            uuid=self._uuid(),
            name=self._name(),
            temperature_celsius=self._scaled("temperature", f"{sensor}_input", 1000) if sensor else None,
            utilization_percent=self._number("utilization", "gpu_busy_percent"),
            memory_total_bytes=None if total is None else int(total),
            memory_used_bytes=None if used is None else int(used),
            power_watts=self._power(hwmon),
            power_limit_watts=None if hwmon is None else self._optional(f"{hwmon}/power1_cap", 1_000_000),
            fan_percent=self._fan(hwmon),
            processes=self._processes.on_device(self._device),
            hot_at_celsius=self._optional(f"{sensor}_crit", 1000) if sensor else None,
            failures=self._failures,
        )

    def _uuid(self) -> str:
        """Returns the UUID that ROCR_VISIBLE_DEVICES takes; the PCI address for cards without a serial number."""
        unique_id = self._text("unique_id")
        return f"GPU-{unique_id.removeprefix('0x')}" if unique_id else self._address

    def _name(self) -> str:
        return self._text("product_name") or f"AMD GPU {self._text('device') or self._address}"

    def _hwmon(self) -> str | None:
        """Returns the directory of the sensors, relative to the device; its name contains an arbitrary number."""
        names = sorted(_list_directory(os.path.join(self._device, "hwmon")))
        return os.path.join("hwmon", names[0]) if names else None

    def _sensor(self, hwmon: str | None) -> str | None:
        """Returns the temperature sensor to use; older kernels have a single one without a label."""
        if hwmon is None:
            return None
        labels = {self._text(f"{hwmon}/temp{number}_label"): f"{hwmon}/temp{number}" for number in (1, 2, 3)}
        return next((labels[label] for label in _TEMPERATURE_SENSORS if label in labels), f"{hwmon}/temp1")

    def _power(self, hwmon: str | None) -> float | None:
        """Watts: the average, or on newer cards the current value."""
        if hwmon is None:
            return None
        average = self._scaled("power", f"{hwmon}/power1_average", 1_000_000)
        if average is not None or "power" in self._failures:
            return average
        return self._scaled("power", f"{hwmon}/power1_input", 1_000_000)

    def _fan(self, hwmon: str | None) -> float | None:
        """Returns the percent of the maximum speed; None for passively cooled cards."""
        if hwmon is None:
            return None
        speed, full = self._number("fan", f"{hwmon}/pwm1"), self._optional(f"{hwmon}/pwm1_max", 1) or 255
        return None if speed is None else round(100 * speed / full)

    def _scaled(self, metric: str, name: str, divisor: int) -> float | None:
        value = self._number(metric, name)
        return None if value is None else value / divisor

    def _optional(self, name: str, divisor: int) -> float | None:
        text = self._text(name)
        return int(text) / divisor if text.isdecimal() else None

    def _number(self, metric: str, name: str) -> float | None:
        """The number in a file; None if there is no such file. Any other error is noted as a failure of the metric."""
        try:
            with open(os.path.join(self._device, name), encoding="ascii", errors="replace") as file:
                text = file.read().strip()
            return float(int(text))
        except OSError as error:
            # Sensors of a sleeping card return EPERM or EBUSY until it wakes up.
            if error.errno not in (errno.ENOENT, errno.EOPNOTSUPP, errno.EPERM, errno.EBUSY):
                self._failures[metric] = error.strerror or str(error)
        except ValueError:
            self._failures[metric] = "not a number"
        return None

    def _text(self, name: str) -> str:
        return read_text(self._device, name)


AMD_VENDOR = "0x1002"
_CARD = re.compile(r"card(\d+)")  # card0, but not its connectors card0-DP-1


class AmdProbe:
    """Identifies cards by PCI address; an unplugged card is reported as lost until it is back."""

    name = "amd"

    def __init__(self, *, sample_seconds: float, sys_root: str = "/sys", min_vram_bytes: int = 0) -> None:
        """Unless a card has at least `min_vram_bytes` of memory, `open` raises ProbeUnavailable; see `auto`."""
        self._sample_seconds = sample_seconds
        self._sys_root = sys_root
        self._min_vram_bytes = min_vram_bytes
        self._processes = AmdProcesses(sys_root)
        self._pollers: dict[str, GpuPoller] = {}

    def open(self) -> None:
        cards = self._cards()
        if not cards:
            raise ProbeUnavailable("no AMD card with a loaded amdgpu driver", absent=True)
        if self._min_vram_bytes and not any(self._is_large(device) for device in cards.values()):
            problem = "only integrated AMD graphics with little memory of its own: --gpu-probe amd uses it anyway"
            raise ProbeUnavailable(problem, absent=True)
        self._add_pollers(cards)

    def read(self, seconds: float) -> tuple[GpuReading, ...]:
        """Returns readings of all cards seen since this process started."""
        self._add_pollers(self._cards())
        return poll_all(sorted(self._pollers.values(), key=lambda poller: poller.record.index), seconds)

    def close(self) -> None:
        pass

    def _add_pollers(self, cards: dict[str, str]) -> None:
        for address, device in cards.items():
            if address not in self._pollers:
                record = GpuRecord(len(self._pollers), sample_seconds=self._sample_seconds)
                self._pollers[address] = GpuPoller(record, AmdCard(device, address, self._processes).query)

    def _cards(self) -> dict[str, str]:
        """Returns the device directories of the AMD cards by PCI address, in the order of their card numbers."""
        folder = os.path.join(self._sys_root, "class/drm")
        names = _list_directory(folder)
        numbered = sorted((int(match[1]), name) for name in names if (match := _CARD.fullmatch(name)))
        cards: dict[str, str] = {}
        for _, name in numbered:
            device = os.path.realpath(os.path.join(folder, name, "device"))
            if read_text(device, "vendor") == AMD_VENDOR:
                cards[os.path.basename(device)] = device
        return cards

    def _is_large(self, device: str) -> bool:
        total = read_text(device, "mem_info_vram_total")
        return total.isdecimal() and int(total) >= self._min_vram_bytes
