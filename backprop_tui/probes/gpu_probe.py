"""What every GPU probe offers: open, read with a time limit, close."""

from __future__ import annotations

from typing import Protocol

from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.telemetry import GpuReading


class ProbeUnavailable(BackpropError):
    """A probe cannot measure; the message says why and what to do.

    `absent` means that there is nothing for it here, which is no fault: no such driver, tool or card.
    """

    def __init__(self, problem: str, *, absent: bool = False) -> None:
        super().__init__(problem)
        self.problem = problem
        self.absent = absent


class GpuProbe(Protocol):
    """One way to measure GPUs; opened again after it was closed, it goes on where it was."""

    @property
    def name(self) -> str:
        """As `--gpu-probe` spells it."""

    def open(self) -> None:
        """Gets ready to measure, within a time limit of its own.

        Raises:
            ProbeUnavailable: it cannot.
        """

    def read(self, seconds: float) -> tuple[GpuReading, ...]:
        """Every GPU, by index, in about this many seconds at most; those that are not done are shown as they were.

        Raises:
            ProbeUnavailable: what it measures with is gone or broken as a whole.
        """

    def close(self) -> None:
        """Lets go of what `open` took, except where that hangs."""
