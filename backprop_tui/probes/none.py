"""Measures no GPU: for machines without one, and for users who want none looked at."""

from __future__ import annotations

from backprop_tui.domain.telemetry import GpuReading


class NoneProbe:
    """Never fails."""

    name = "none"

    def open(self) -> None:
        """Nothing to get ready."""

    def read(self, _seconds: float) -> tuple[GpuReading, ...]:
        """No GPU."""
        return ()

    def close(self) -> None:
        """Nothing to let go of."""
