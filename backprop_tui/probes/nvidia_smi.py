"""NVIDIA GPUs through the command nvidia-smi, for machines where the driver's library cannot be used.

One call asks for all GPUs. Where that call hangs or leaves GPUs out, each is asked by a call of its own for a while, so
that one bad GPU does not hide the others.
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
from backprop_tui.probes.patience import PatientCall, Unanswered
from backprop_tui.probes.smi_command import NO_DEVICES, SmiAnswer, SmiCommand, SmiTimedOut, explain_failure
from backprop_tui.probes.smi_table import SmiTable, parse_gpus, parse_processes

CALL_SECONDS = 8.0  # after which a call is killed: without persistence mode it wakes every GPU first
SUSPECT_SECONDS = 1.5  # after which one of several GPUs is suspected of holding up the others
ONE_BY_ONE_SECONDS = 60.0
PROCESS_LIST_EVERY = 3  # readings


class NvidiaSmiProbe:
    """Calls the command in threads: it may take longer than a reading, and then the figures are a little older."""

    name = "nvidia-smi"

    def __init__(
        self,
        *,
        sample_seconds: float,
        before: Mapping[int, tuple[GpuReading, float]] | None = None,
        call_seconds: float = CALL_SECONDS,
        suspect_seconds: float = SUSPECT_SECONDS,
        sys_root: str = "/sys",
    ) -> None:
        """`before` has readings of an earlier process by index, with the monotonic time each was measured."""
        self._sample_seconds = sample_seconds
        self._previous = before or {}
        self._call_seconds = call_seconds
        self._suspect_seconds = suspect_seconds
        self._sys_root = sys_root
        self._command = SmiCommand(seconds=call_seconds)
        self._all = PatientCall(self._command.gpus, name="nvidia-smi")
        self._listing = PatientCall(self._command.processes, name="nvidia-smi-processes")
        self._processes: dict[str, tuple[GpuProcess, ...]] = {}
        self._addresses: dict[str, int] = {}
        self._pollers: dict[int, GpuPoller] = {}
        self._one_by_one_until = 0.0
        self._readings = 0

    def open(self) -> None:
        """Calls it once.

        Raises:
            ProbeUnavailable: not there, failing, hanging, not understood, or without a GPU.
        """
        self._all.ask()
        try:
            answer = self._all.take(self._call_seconds + 1.0)
        except SmiTimedOut:
            answer = Unanswered(seconds=self._call_seconds)
        if isinstance(answer, Unanswered):
            raise ProbeUnavailable(f"nvidia-smi has not returned for {answer.seconds:.0f} s: {SEE_KERNEL_LOG}")
        self._note(answer)

    def read(self, seconds: float) -> tuple[GpuReading, ...]:
        """Every GPU that it ever named.

        Raises:
            ProbeUnavailable: it fails, or prints what is not understood.
        """
        deadline = time.monotonic() + seconds
        if self._readings % PROCESS_LIST_EVERY == 0:
            self._listing.ask()
        self._readings += 1
        if time.monotonic() < self._one_by_one_until:
            readings = poll_all(self._in_order(), seconds)
            if all(reading.problem for reading in readings):
                self._one_by_one_until = 0.0  # it is not the fault of one of them
        else:
            self._read_together(seconds)
            now = time.monotonic()
            readings = tuple(poller.record.reading(now) for poller in self._in_order())
        self._take_processes(min(deadline - time.monotonic(), 0.2))
        return tuple(self._with_processes(reading) for reading in readings)

    def close(self) -> None:
        """Nothing is held between two calls."""

    def _in_order(self) -> list[GpuPoller]:
        return [self._pollers[index] for index in sorted(self._pollers)]

    def _read_together(self, seconds: float) -> None:
        self._all.ask()
        try:
            answer = self._all.take(seconds)
        except SmiTimedOut:
            self._suspect()
            return
        if not isinstance(answer, Unanswered):
            self._note(answer)
        elif answer.seconds >= self._suspect_seconds:
            self._suspect()

    def _suspect(self) -> None:
        """One GPU holds up the call for all."""
        if len(self._pollers) > 1:
            self._one_by_one_until = time.monotonic() + ONE_BY_ONE_SECONDS
            return
        for poller in self._pollers.values():
            poller.record.note(GpuFailed(problem=NOT_RESPONDING), now=time.monotonic())

    def _note(self, answer: SmiAnswer) -> None:
        """Raises: ProbeUnavailable, where it names no GPU."""
        table = parse_gpus(answer.text)
        if not table.answers and not table.lost:
            raise explain_failure(answer, sys_root=self._sys_root)
        self._addresses.update(table.addresses)
        outcomes = self._outcomes(table)
        now = time.monotonic()
        for index, outcome in outcomes.items():
            self._watch(index).record.note(outcome, now=now)
        if outcomes.keys() != self._pollers.keys():
            self._suspect()

    def _outcomes(self, table: SmiTable) -> dict[int, GpuOutcome]:
        """By index; a lost GPU that was never seen before gets the first index that is free."""
        outcomes: dict[int, GpuOutcome] = dict(table.answers)
        for address, lost in table.lost.items():
            if address not in self._addresses:
                taken = set(self._addresses.values())
                self._addresses[address] = next(index for index in range(len(taken) + 1) if index not in taken)
            outcomes[self._addresses[address]] = lost
        return outcomes

    def _watch(self, index: int) -> GpuPoller:
        poller = self._pollers.get(index)
        if poller is None:
            record = GpuRecord(index, sample_seconds=self._sample_seconds, previous=self._previous.get(index))
            poller = self._pollers[index] = GpuPoller(record, lambda: self._ask_alone(record))
        return poller

    def _ask_alone(self, record: GpuRecord) -> GpuOutcome:
        """One GPU by a call of its own, in its own thread."""
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
        gone = answer.exit_code == NO_DEVICES
        return GpuLost(problem="it is no longer there") if gone else GpuFailed(problem=problem.problem)

    def _take_processes(self, seconds: float) -> None:
        """A list that did not come in time comes with the next reading; one that failed leaves that before."""
        if not self._listing.pending:
            return
        try:
            answer = self._listing.take(seconds)
        except (SmiTimedOut, ProbeUnavailable):
            return
        if not isinstance(answer, Unanswered) and answer.exit_code == 0:
            self._processes = parse_processes(answer.text)

    def _with_processes(self, reading: GpuReading) -> GpuReading:
        if reading.health is GpuHealth.LOST:
            return reading
        return replace(reading, processes=self._processes.get(reading.uuid, ()))
