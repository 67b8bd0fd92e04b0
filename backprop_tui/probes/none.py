"""GPU probe that measures nothing, for machines without GPUs and users who want none measured."""

from __future__ import annotations

from backprop_tui.domain.telemetry import GpuReading


class NoneProbe:
    """A probe without GPUs."""

    name = "none"

    def open(self) -> None:
        pass

    def read(self, _seconds: float) -> tuple[GpuReading, ...]:
        return ()

    def close(self) -> None:
        pass
