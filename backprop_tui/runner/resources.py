"""Measures what a run uses: CPU and RAM of its processes, its share of GPUs; for resources.jsonl and the peak."""

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


def most(one: Figure | None, other: Figure | None) -> Figure | None:
    """The larger one; None where neither is known."""
    known = [figure for figure in (one, other) if figure is not None]
    return max(known, default=None)


class ResourceMeter:
    """Samples closely at first, when memory is allocated, and widely later."""

    __slots__ = ("_count", "_due", "_gpu_share", "_last", "_recorder", "_tree")

    def __init__(self, tree: Tree, recorder: Recorder, gpu_share: Callable[[], GpuShare]) -> None:
        self._tree = tree
        self._recorder = recorder
        self._gpu_share = gpu_share
        self._last: tuple[float, TreeUsage] | None = None
        self._due = 0.0
        self._count = 0

    def sample(self, now: float) -> None:
        """Measures when it is time to; `now` is monotonic."""
        if now < self._due:
            return
        if self._due == 0.0:
            self._due = now + FIRST_SECONDS
            return
        self._count += 1
        self._due = now + (CLOSE_SECONDS if self._count < CLOSE_SAMPLES else WIDE_SECONDS)
        used = usage(member.pid for member in self._tree.members())
        cpu_percent = self._cpu_percent(now, used)
        self._last = (now, used)
        share = self._gpu_share()
        peak = self._recorder.live.peak
        self._recorder.change(
            ram_bytes=used.ram_bytes,
            cpu_percent=cpu_percent,
            vram_bytes=share.vram_bytes,
            temperature_celsius=share.temperature_celsius,
            peak=Peak(
                ram_bytes=most(peak.ram_bytes, used.ram_bytes),
                vram_bytes=most(peak.vram_bytes, share.vram_bytes),
                temperature_celsius=most(peak.temperature_celsius, share.temperature_celsius),
            ),
        )
        self._recorder.resources(
            cpu_percent=cpu_percent, ram_bytes=used.ram_bytes, processes=used.processes, gpus=share.lines()
        )

    def _cpu_percent(self, now: float, used: TreeUsage) -> float | None:
        """100 is one core; None for the first sample. A process that ended in between takes its time with it."""
        if self._last is None:
            return None
        earlier, before = self._last
        return round(max(0.0, used.cpu_seconds - before.cpu_seconds) / (now - earlier) * 100, 1)
