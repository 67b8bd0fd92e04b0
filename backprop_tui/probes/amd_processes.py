"""Which processes hold memory of which AMD GPU, from the files of its compute driver, kfd."""

from __future__ import annotations

import os

from backprop_tui.domain.telemetry import GpuProcess


class AmdProcesses:
    """kfd counts GPUs by ids of its own; its topology says which render node, and so which card, is meant."""

    def __init__(self, sys_root: str) -> None:
        self._kfd = os.path.join(sys_root, "class/kfd/kfd")
        self._gpu_ids: dict[str, int] = {}

    def on(self, device: str) -> tuple[GpuProcess, ...]:
        """Those on the card with this device directory; empty where kfd does not say."""
        gpu_id = self._gpu_ids.get(device) or self._gpu_id(device)
        if gpu_id is None:
            return ()
        self._gpu_ids[device] = gpu_id
        held = {pid: self._number(f"proc/{pid}/vram_{gpu_id}") for pid in self._names("proc") if pid.isdecimal()}
        return tuple(
            GpuProcess(pid=int(pid), memory_bytes=held[pid])
            for pid in sorted(held, key=int)
            if held[pid]  # every process that opened kfd is listed for every GPU
        )

    def _gpu_id(self, device: str) -> int | None:
        minors = {
            name.removeprefix("renderD") for name in _listed(os.path.join(device, "drm")) if name.startswith("renderD")
        }
        for node in self._names("topology/nodes"):
            properties = self._text(f"topology/nodes/{node}/properties").split()
            minor = dict(zip(properties[::2], properties[1::2], strict=False)).get("drm_render_minor")
            if minor in minors:
                return self._number(f"topology/nodes/{node}/gpu_id")
        return None

    def _names(self, folder: str) -> list[str]:
        return _listed(os.path.join(self._kfd, folder))

    def _number(self, name: str) -> int | None:
        text = self._text(name).strip()
        return int(text) if text.isdecimal() else None

    def _text(self, name: str) -> str:
        """Empty where it cannot be read: processes come and go."""
        try:
            with open(os.path.join(self._kfd, name), encoding="ascii", errors="replace") as file:
                return file.read()
        except OSError:
            return ""


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
