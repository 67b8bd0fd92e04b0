"""NVIDIA GPUs through the command nvidia-smi, for machines where its library cannot be used.

One call asks for all GPUs. Where that call hangs or leaves GPUs out, each is asked by a call of its own for a while, so
that one bad GPU does not hide the others.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from backprop_tui.domain.telemetry import GpuProcess, GpuReading
from backprop_tui.probes.gpu_probe import ProbeUnavailable
from backprop_tui.probes.gpu_record import GpuAnswer, GpuFailed, GpuLost, GpuOutcome, GpuRecord
from backprop_tui.probes.gpu_watch import SILENT, GpuWatch, read_all
from backprop_tui.probes.nvidia_driver import HANGS
from backprop_tui.probes.patience import PatientCall, Unanswered
from backprop_tui.probes.smi_command import SmiAnswer, SmiCommand
from backprop_tui.probes.smi_table import SmiTable, parse_gpus

OPEN_SECONDS = 8.0
CALL_SECONDS = 4.0  # after which a call is killed
ONE_BY_ONE_SECONDS = 60.0
PROCESSES_EVERY = 3  # readings


class NvidiaSmiProbe:
    """Calls the command in threads: it may take longer than a reading, and then the figures are a little older."""

    name = "nvidia-smi"

    def __init__(
        self,
        *,
        sample_seconds: float,
        before: Mapping[int, tuple[GpuReading, float]] | None = None,
        open_seconds: float = OPEN_SECONDS,
        call_seconds: float = CALL_SECONDS,
    ) -> None:
        """`before` as for NVML."""
        self._sample_seconds = sample_seconds
        self._before = before or {}
        self._open_seconds = open_seconds
        self._command = SmiCommand(seconds=call_seconds)
        self._all = PatientCall(self._command.gpus, name="nvidia-smi")
        self._listing = PatientCall(self._command.processes, name="nvidia-smi-processes")
        self._processes: dict[str, tuple[GpuProcess, ...]] = {}
        self._records: dict[int, GpuRecord] = {}
        self._watches: list[GpuWatch] = []
        self._one_by_one_until = 0.0
        self._readings = 0

    def open(self) -> None:
        """Calls it once.

        Raises:
            ProbeUnavailable: not there, failing, hanging, not understood, or without a GPU.
        """
        self._all.ask()
        answer = self._all.take(self._open_seconds)
        if isinstance(answer, Unanswered):
            raise ProbeUnavailable(f"nvidia-smi has not returned for {answer.seconds:.0f} s: {HANGS}")
        self._understand(answer)
