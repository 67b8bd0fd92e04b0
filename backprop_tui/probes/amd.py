"""GPU probe for AMD cards, which reads the amdgpu driver's files in sysfs."""

from __future__ import annotations

import os
import re

from backprop_tui.domain.telemetry import GpuReading
from backprop_tui.probes.amd_card import AmdCard
from backprop_tui.probes.amd_processes import AmdProcesses, read_text
from backprop_tui.probes.gpu_probe import ProbeUnavailable
from backprop_tui.probes.gpu_record import GpuRecord
from backprop_tui.probes.gpu_watch import GpuPoller, poll_all

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
        """Find the cards.

        Raises:
            ProbeUnavailable: there is no usable card.
        """
        cards = self._cards()
        if not cards:
            problem = "no AMD card with the amdgpu driver: if there is a card, load it with `sudo modprobe amdgpu`"
            raise ProbeUnavailable(problem, absent=True)
        if self._min_vram_bytes and not any(self._is_large(device) for device in cards.values()):
            problem = "only integrated AMD graphics with little memory of its own: --gpu-probe amd uses it anyway"
            raise ProbeUnavailable(problem, absent=True)
        self._add_pollers(cards)

    def read(self, seconds: float) -> tuple[GpuReading, ...]:
        """Readings of all cards seen since this process started."""
        self._add_pollers(self._cards())
        return poll_all(sorted(self._pollers.values(), key=lambda poller: poller.record.index), seconds)

    def close(self) -> None:
        """Nothing to do: no file is kept open."""

    def _add_pollers(self, cards: dict[str, str]) -> None:
        for address, device in cards.items():
            if address not in self._pollers:
                record = GpuRecord(len(self._pollers), sample_seconds=self._sample_seconds)
                self._pollers[address] = GpuPoller(record, AmdCard(device, address, self._processes).query)

    def _cards(self) -> dict[str, str]:
        """Device directories of the AMD cards by PCI address, in the order of their card numbers."""
        folder = os.path.join(self._sys_root, "class/drm")
        try:
            names = os.listdir(folder)
        except OSError:
            return {}
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
