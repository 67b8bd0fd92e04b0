"""GPU probe that runs nvidia-smi, for machines on which NVML cannot be used.

One call queries all GPUs. If it hangs or omits a GPU, each GPU is queried by a separate call for a while, so that one
broken GPU does not hide the others.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from backprop_tui.domain.telemetry import GpuHealth, GpuProcess, GpuReading
from backprop_tui.probes.gpu_probe import ProbeUnavailable
from backprop_tui.probes.gpu_record import NOT_RESPONDING, GpuFailed, GpuLost, GpuOutcome, GpuRecord
from backprop_tui.probes.gpu_watch import GpuPoller, poll_all
from backprop_tui.probes.nvidia_driver import SEE_KERNEL_LOG
from backprop_tui.probes.smi_command import NO_DEVICES, SmiAnswer, SmiCommand, SmiTimedOut, explain_failure
from backprop_tui.probes.smi_table import SmiTable, parse_gpus, parse_processes
from backprop_tui.processes.hanging_call import HangingCall, Pending

CALL_SECONDS = 8.0  # then the call is killed; without persistence mode it has to wake every GPU first
SUSPECT_SECONDS = 1.5  # then one GPU is suspected of blocking the call for all
ONE_BY_ONE_SECONDS = 60.0
PROCESS_LIST_EVERY = 3  # readings


class NvidiaSmiProbe:
    """Runs the command in threads; if it takes longer than a reading may, the metrics are slightly older."""

    name = "nvidia-smi"

    def __init__(
        self,
        *,
        sample_seconds: float,
        previous: Mapping[int, tuple[GpuReading, float]] | None = None,
        call_seconds: float = CALL_SECONDS,
        suspect_seconds: float = SUSPECT_SECONDS,
        sys_root: str = "/sys",
    ) -> None:
        """`previous` has the readings of an earlier process by index, each with its monotonic time."""
        self._sample_seconds = sample_seconds
        self._previous = previous or {}
        self._call_seconds = call_seconds
        self._suspect_seconds = suspect_seconds
        self._sys_root = sys_root
        self._command = SmiCommand(seconds=call_seconds)
        self._query_all = HangingCall(self._command.gpus, name="nvidia-smi")
        self._query_processes = HangingCall(self._command.processes, name="nvidia-smi-processes")
        self._processes: dict[str, tuple[GpuProcess, ...]] = {}
        self._addresses: dict[str, int] = {}
        self._pollers: dict[int, GpuPoller] = {}
        self._one_by_one_until = 0.0
        self._readings = 0

    def open(self) -> None:
        """Run nvidia-smi once.

        Raises:
            ProbeUnavailable: it is missing, fails, hangs, prints something unexpected, or finds no GPU.
        """
        self._query_all.start()
        try:
            answer = self._query_all.take(self._call_seconds + 1.0)
        except SmiTimedOut:
            answer = Pending(seconds=self._call_seconds)
        if isinstance(answer, Pending):
            raise ProbeUnavailable(f"nvidia-smi has not returned for {answer.seconds:.0f} s: {SEE_KERNEL_LOG}")
        self._update(answer)

    def read(self, seconds: float) -> tuple[GpuReading, ...]:
        """Readings of all GPUs that nvidia-smi ever reported.

        Raises:
            ProbeUnavailable: it fails, or prints something unexpected.
        """
        deadline = time.monotonic() + seconds
        if self._readings % PROCESS_LIST_EVERY == 0:
            self._query_processes.start()
        self._readings += 1
        if time.monotonic() < self._one_by_one_until:
            readings = poll_all(self._pollers_by_index(), seconds)
            if all(reading.problem for reading in readings):
                self._one_by_one_until = 0.0  # the problem is not that of a single GPU
        else:
            self._read_together(seconds)
            now = time.monotonic()
            readings = tuple(poller.record.reading(now) for poller in self._pollers_by_index())
        self._update_processes(min(deadline - time.monotonic(), 0.2))
        return tuple(self._with_processes(reading) for reading in readings)

    def close(self) -> None:
        """Nothing to do: no resources are kept between calls."""

    def _pollers_by_index(self) -> list[GpuPoller]:
        return [self._pollers[index] for index in sorted(self._pollers)]

    def _read_together(self, seconds: float) -> None:
        self._query_all.start()
        try:
            answer = self._query_all.take(seconds)
        except SmiTimedOut:
            self._suspect()
            return
        if not isinstance(answer, Pending):
            self._update(answer)
        elif answer.seconds >= self._suspect_seconds:
            self._suspect()

    def _suspect(self) -> None:
        """Start querying GPUs one by one, since one of them blocks the call for all."""
        if len(self._pollers) > 1:
            self._one_by_one_until = time.monotonic() + ONE_BY_ONE_SECONDS
            return
        for poller in self._pollers.values():
            poller.record.update(GpuFailed(problem=NOT_RESPONDING), now=time.monotonic())

    def _update(self, answer: SmiAnswer) -> None:
        """Update the records.

        Raises:
            ProbeUnavailable: the answer contains no GPU.
        """
        table = parse_gpus(answer.text)
        if not table.answers and not table.lost:
            raise explain_failure(answer, sys_root=self._sys_root)
        self._addresses.update(table.addresses)
        outcomes = self._outcomes(table)
        now = time.monotonic()
        for index, outcome in outcomes.items():
            self._poller(index).record.update(outcome, now=now)
        if outcomes.keys() != self._pollers.keys():
            self._suspect()

    def _outcomes(self, table: SmiTable) -> dict[int, GpuOutcome]:
        """Outcomes by index; a lost GPU that was not seen before gets the first free index."""
        outcomes: dict[int, GpuOutcome] = dict(table.answers)
        for address, lost in table.lost.items():
            if address not in self._addresses:
                taken = set(self._addresses.values())
                self._addresses[address] = next(index for index in range(len(taken) + 1) if index not in taken)
            outcomes[self._addresses[address]] = lost
        return outcomes

    def _poller(self, index: int) -> GpuPoller:
        poller = self._pollers.get(index)
        if poller is None:
            record = GpuRecord(index, sample_seconds=self._sample_seconds, previous=self._previous.get(index))
            poller = self._pollers[index] = GpuPoller(record, lambda: self._query_one(record))
        return poller

    def _query_one(self, record: GpuRecord) -> GpuOutcome:
        """Query a single GPU; called in a thread."""
        try:
            answer = self._command.gpu(str(record.index))
        except SmiTimedOut:
            return GpuFailed(problem=NOT_RESPONDING)
        table = parse_gpus(answer.text)
        if record.index in table.answers:
            return table.answers[record.index]
        if table.lost:
            return next(iter(table.lost.values()))
        problem = explain_failure(answer, sys_root=self._sys_root)
        is_gone = answer.exit_code == NO_DEVICES
        return GpuLost(problem="the GPU is gone") if is_gone else GpuFailed(problem=problem.problem)

    def _update_processes(self, seconds: float) -> None:
        """Take over the list of processes; a late one is used in the next reading, a failed one is ignored."""
        if not self._query_processes.pending:
            return
        try:
            answer = self._query_processes.take(seconds)
        except (SmiTimedOut, ProbeUnavailable):
            return
        if not isinstance(answer, Pending) and answer.exit_code == 0:
            self._processes = parse_processes(answer.text)

    def _with_processes(self, reading: GpuReading) -> GpuReading:
        if reading.health is GpuHealth.LOST:
            return reading
        return replace(reading, processes=self._processes.get(reading.uuid, ()))
