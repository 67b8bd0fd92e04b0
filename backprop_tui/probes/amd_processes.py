"""Lists the processes that use memory of an AMD GPU, from the files of its compute driver, kfd."""

from __future__ import annotations

import os

from backprop_tui.domain.telemetry import GpuProcess


class AmdProcesses:
    """Maps cards to the GPU ids of kfd, whose topology names the render node of each id."""

    def __init__(self, sys_root: str) -> None:
        self._kfd = os.path.join(sys_root, "class/kfd/kfd")
        self._gpu_ids: dict[str, int] = {}

    def on_device(self, device: str) -> tuple[GpuProcess, ...]:
        """The processes on the card with this device directory; empty if kfd does not know the card."""
        gpu_id = self._gpu_ids.get(device) or self._gpu_id(device)
        if gpu_id is None:
            return ()
        self._gpu_ids[device] = gpu_id
        memory = {pid: self._number(f"proc/{pid}/vram_{gpu_id}") for pid in self._names("proc") if pid.isdecimal()}
        return tuple(
            GpuProcess(pid=int(pid), memory_bytes=memory[pid])
            for pid in sorted(memory, key=int)
            if memory[pid]  # every process that opened kfd is listed for every GPU
        )

    def _gpu_id(self, device: str) -> int | None:
        minors = {
            name.removeprefix("renderD")
            for name in _list_directory(os.path.join(device, "drm"))
            if name.startswith("renderD")
        }
        for node in self._names("topology/nodes"):
            properties = read_text(self._kfd, f"topology/nodes/{node}/properties").split()
            minor = dict(zip(properties[::2], properties[1::2], strict=False)).get("drm_render_minor")
            if minor in minors:
                return self._number(f"topology/nodes/{node}/gpu_id")
        return None

    def _names(self, folder: str) -> list[str]:
        return _list_directory(os.path.join(self._kfd, folder))

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
