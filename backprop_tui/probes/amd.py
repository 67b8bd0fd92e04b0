"""AMD GPUs through the files of the amdgpu driver in sysfs."""

from __future__ import annotations

import os
import re

from backprop_tui.domain.telemetry import GpuReading
from backprop_tui.probes.amd_card import AmdCard
from backprop_tui.probes.amd_processes import AmdProcesses
from backprop_tui.probes.gpu_probe import ProbeUnavailable
from backprop_tui.probes.gpu_record import GpuRecord
from backprop_tui.probes.gpu_watch import GpuPoller, poll_all

AMD_VENDOR = "0x1002"
_CARD = re.compile(r"card(\d+)")  # card0, but not its connectors card0-DP-1


class AmdProbe:
    """Cards are known by their PCI address; one that was unplugged is lost, and back when it is back."""

    name = "amd"

    def __init__(self, *, sample_seconds: float, sys_root: str = "/sys", min_vram_bytes: int = 0) -> None:
        """Without a card of at least that much memory, `open` says there is none for us: see `auto`."""
        self._sample_seconds = sample_seconds
        self._sys_root = sys_root
        self._min_vram_bytes = min_vram_bytes
        self._processes = AmdProcesses(sys_root)
        self._pollers: dict[str, GpuPoller] = {}

    def open(self) -> None:
        """Finds the cards.

        Raises:
            ProbeUnavailable: there is none.
        """
        cards = self._cards()
        if not cards:
            problem = "no AMD card with the driver amdgpu: `sudo modprobe amdgpu` loads it where there is a card"
            raise ProbeUnavailable(problem, absent=True)
        if self._min_vram_bytes and not any(self._is_large(device) for device in cards.values()):
            problem = "only AMD graphics with little memory of its own, as processors have: --gpu-probe amd uses it"
            raise ProbeUnavailable(problem, absent=True)
        self._meet(cards)

    def read(self, seconds: float) -> tuple[GpuReading, ...]:
        """Every card that was ever there since this process began."""
        self._meet(self._cards())
        return poll_all(sorted(self._pollers.values(), key=lambda poller: poller.record.index), seconds)

    def close(self) -> None:
        """No file is held open."""

    def _meet(self, cards: dict[str, str]) -> None:
        for address, device in cards.items():
            if address not in self._pollers:
                record = GpuRecord(len(self._pollers), sample_seconds=self._sample_seconds)
                self._pollers[address] = GpuPoller(record, AmdCard(device, address, self._processes).ask)

    def _cards(self) -> dict[str, str]:
        """The device directories of AMD cards by PCI address, in the order of their numbers."""
        folder = os.path.join(self._sys_root, "class/drm")
        try:
            names = os.listdir(folder)
        except OSError:
            return {}
        numbered = sorted((int(found[1]), name) for name in names if (found := _CARD.fullmatch(name)))
        found_cards: dict[str, str] = {}
        for _, name in numbered:
            device = os.path.realpath(os.path.join(folder, name, "device"))
            if _first_line(os.path.join(device, "vendor")) == AMD_VENDOR:
                found_cards[os.path.basename(device)] = device
        return found_cards

    def _is_large(self, device: str) -> bool:
        total = _first_line(os.path.join(device, "mem_info_vram_total"))
        return total.isdecimal() and int(total) >= self._min_vram_bytes


def _first_line(path: str) -> str:
    """Empty where it cannot be read: the card may vanish as we look."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.readline().strip()
    except OSError:
        return ""
