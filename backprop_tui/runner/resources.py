"""Measures a run's use of CPU, RAM and GPUs, for resources.jsonl and the peaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from backprop_tui.domain.run import Peak
from backprop_tui.processes.tree import TreeUsage, usage
from backprop_tui.runner.gpu_share import GpuShare
from backprop_tui.runner.recorder import Recorder
from backprop_tui.runner.tree import Tree

FIRST_SECONDS = 0.5
CLOSE_SECONDS = 2.0  # between two samples in the first minutes
WIDE_SECONDS = 10.0  # and later
CLOSE_SAMPLES = 60

Figure = TypeVar("Figure", int, float)


def larger(first: Figure | None, second: Figure | None) -> Figure | None:
    """The larger of two figures; None where neither is known."""
    return max((figure for figure in (first, second) if figure is not None), default=None)


class ResourceMeter:
    """Samples often at first, while the script allocates memory, and less often later."""

    __slots__ = ("_count", "_due", "_gpu_share", "_last", "_recorder", "_tree")

    def __init__(self, tree: Tree, recorder: Recorder, gpu_share: Callable[[], GpuShare]) -> None:
        self._tree = tree
        self._recorder = recorder
        self._gpu_share = gpu_share
        self._last: tuple[float, TreeUsage] | None = None
        self._due = 0.0
        self._count = 0

    def sample(self, now: float) -> None:
        """Measures when a sample is due; `now` is monotonic."""
        if now < self._due:
            return
        if self._due == 0.0:
            self._due = now + FIRST_SECONDS
            return
        self._count += 1
        self._due = now + (CLOSE_SECONDS if self._count < CLOSE_SAMPLES else WIDE_SECONDS)
        tree_usage = usage(member.pid for member in self._tree.members())
        cpu_percent = self._cpu_percent(now, tree_usage)
        self._last = (now, tree_usage)
        share = self._gpu_share()
        peak = self._recorder.live.peak
        self._recorder.change(
            ram_bytes=tree_usage.ram_bytes,
            cpu_percent=cpu_percent,
            vram_bytes=share.vram_bytes,
            temperature_celsius=share.temperature_celsius,
            peak=Peak(
                ram_bytes=larger(peak.ram_bytes, tree_usage.ram_bytes),
                vram_bytes=larger(peak.vram_bytes, share.vram_bytes),
                temperature_celsius=larger(peak.temperature_celsius, share.temperature_celsius),
            ),
        )
        self._recorder.record_resources(
            cpu_percent=cpu_percent,
            ram_bytes=tree_usage.ram_bytes,
            processes=tree_usage.processes,
            gpus=share.to_json(),
        )

    def _cpu_percent(self, now: float, tree_usage: TreeUsage) -> float | None:
        """100 is one core; None for the first sample. Too low if a process ended in between, whose time is lost."""
        if self._last is None:
            return None
        last_time, last_usage = self._last
        return round(max(0.0, tree_usage.cpu_seconds - last_usage.cpu_seconds) / (now - last_time) * 100, 1)
