"""Reads the metrics of one AMD card from sysfs.

The files are described in https://docs.kernel.org/gpu/amdgpu/thermal.html and .../amdgpu/driver-misc.html.
"""

from __future__ import annotations

import errno
import os

from backprop_tui.probes.amd_processes import AmdProcesses, read_text
from backprop_tui.probes.gpu_record import GpuAnswer, GpuLost, GpuOutcome

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
        """Read all metrics, with the reason for each that fails."""
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
            fan_percent=self._fan(hwmon),
            processes=self._processes.on_device(self._device),
            hot_at_celsius=self._optional(f"{sensor}_crit", 1000) if sensor else None,
            failures=self._failures,
        )

    def _uuid(self) -> str:
        """The UUID that ROCR_VISIBLE_DEVICES takes; the PCI address for cards without a serial number."""
        unique_id = self._text("unique_id")
        return f"GPU-{unique_id.removeprefix('0x')}" if unique_id else self._address

    def _name(self) -> str:
        return self._text("product_name") or f"AMD GPU {self._text('device') or self._address}"

    def _hwmon(self) -> str | None:
        """The directory of the sensors, relative to the device; its name contains an arbitrary number."""
        try:
            names = sorted(os.listdir(os.path.join(self._device, "hwmon")))
        except OSError:
            return None
        return os.path.join("hwmon", names[0]) if names else None

    def _sensor(self, hwmon: str | None) -> str | None:
        """The temperature sensor to use; older kernels have a single one without a label."""
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
        """Percent of the maximum speed; None for passively cooled cards."""
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
