"""Interface of the GPU probes: open, read with a time limit, close."""

from __future__ import annotations

from typing import Protocol

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.telemetry import GpuReading


class ProbeUnavailable(BackpropError):
    """A probe cannot measure; the message says why and what to do.

    `absent` means that the machine has no such driver, tool or card, which is not a fault.
    """

    def __init__(self, problem: str, *, absent: bool = False) -> None:
        super().__init__(problem)
        self.problem = problem
        self.absent = absent


class GpuProbe(Protocol):
    """One way to measure GPUs. A probe may be reopened after it was closed and keeps what it knows."""

    @property
    def name(self) -> str:
        """The name that `--gpu-probe` takes."""

    def open(self) -> None:
        """Prepares for measuring, within the probe's own time limit. Raises: ProbeUnavailable."""

    def read(self, seconds: float) -> tuple[GpuReading, ...]:
        """Measures all GPUs, by index, in about `seconds` at most; a GPU that takes longer keeps its last reading.

        Raises:
            ProbeUnavailable: the driver or tool is gone or broken as a whole.
        """

    def close(self) -> None:
        """Releases the resources of `open`, unless that would hang."""
