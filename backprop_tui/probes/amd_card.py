"""One AMD card's figures; called in that card's own thread, since the driver may hold up any read.

The files are described in https://docs.kernel.org/gpu/amdgpu/thermal.html and .../amdgpu/driver-misc.html.
"""

from __future__ import annotations

import errno
import os

from backprop_tui.probes.amd_processes import AmdProcesses
from backprop_tui.probes.gpu_record import GpuAnswer, GpuLost, GpuOutcome

# The edge sensor is what limits of about 85 degrees are meant for; the junction's hot spot is made to reach 110.
# Data center cards have no edge sensor: there it is the junction.
_TEMPERATURE_SENSORS = ("edge", "junction")


class AmdCard:
    """Reads what is there: which files a card has depends on its generation and the kernel."""

    def __init__(self, device: str, address: str, processes: AmdProcesses) -> None:
        """`device` is its directory in sysfs, `address` the PCI address."""
        self._device = device
        self._address = address
        self._processes = processes
        self._failures: dict[str, str] = {}

    def ask(self) -> GpuOutcome:
        """Every figure; of those that fail, the reason."""
        self._failures = {}
        if not os.path.isdir(self._device):
            return GpuLost(problem="its device is gone: unplugged, or the driver let it go; see `dmesg | grep amdgpu`")
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
            fan_percent=self._fan(hwmon),
            processes=self._processes.on(self._device),
            hot_at_celsius=self._optional(f"{sensor}_crit", 1000) if sensor else None,
            failures=self._failures,
        )

    def _uuid(self) -> str:
        """As ROCm names it in ROCR_VISIBLE_DEVICES; cards without a serial number go by their PCI address."""
        unique_id = self._text("unique_id")
        return f"GPU-{unique_id.removeprefix('0x')}" if unique_id else self._address

    def _name(self) -> str:
        return self._text("product_name") or f"AMD GPU {self._text('device') or self._address}"

    def _hwmon(self) -> str | None:
        """The directory of its sensors, below its own; the number in the name is any."""
        try:
            names = sorted(os.listdir(os.path.join(self._device, "hwmon")))
        except OSError:
            return None
        return os.path.join("hwmon", names[0]) if names else None

    def _sensor(self, hwmon: str | None) -> str | None:
        """The temperature to go by; older kernels have one without a label."""
        if hwmon is None:
            return None
        labels = {self._text(f"{hwmon}/temp{number}_label"): f"{hwmon}/temp{number}" for number in (1, 2, 3)}
        return next((labels[label] for label in _TEMPERATURE_SENSORS if label in labels), f"{hwmon}/temp1")

    def _power(self, hwmon: str | None) -> float | None:
        """Watts, from microwatts: averaged, or on newer cards of the moment."""
        if hwmon is None:
            return None
        average = self._scaled("power", f"{hwmon}/power1_average", 1_000_000)
        if average is not None or "power" in self._failures:
            return average
        return self._scaled("power", f"{hwmon}/power1_input", 1_000_000)

    def _fan(self, hwmon: str | None) -> float | None:
        """Percent of the full speed; None for cards that the case cools."""
        if hwmon is None:
            return None
        speed, full = self._number("fan", f"{hwmon}/pwm1"), self._optional(f"{hwmon}/pwm1_max", 1) or 255
        return None if speed is None else round(100 * speed / full)

    def _scaled(self, figure: str, name: str, divisor: int) -> float | None:
        value = self._number(figure, name)
        return None if value is None else value / divisor

    def _optional(self, name: str, divisor: int) -> float | None:
        text = self._text(name)
        return int(text) / divisor if text.isdecimal() else None

    def _number(self, figure: str, name: str) -> float | None:
        """None where the card has no such file; a failure where it has one that gives no number."""
        try:
            with open(os.path.join(self._device, name), encoding="ascii", errors="replace") as file:
                text = file.read().strip()
            return float(int(text))
        except OSError as error:
            # A card asleep answers EPERM or EBUSY for its sensors, and has them again when it wakes.
            if error.errno not in (errno.ENOENT, errno.EOPNOTSUPP, errno.EPERM, errno.EBUSY):
                self._failures[figure] = error.strerror or str(error)
        except ValueError:
            self._failures[figure] = "not a number"
        return None

    def _text(self, name: str) -> str:
        """Empty where it cannot be read."""
        try:
            with open(os.path.join(self._device, name), encoding="ascii", errors="replace") as file:
                return file.read().strip()
        except OSError:
            return ""
