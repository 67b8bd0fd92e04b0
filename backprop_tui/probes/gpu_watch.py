"""Polls each GPU in a thread of its own, so that a GPU that hangs makes only its own readings stale."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from backprop_tui.domain.telemetry import GpuReading
from backprop_tui.probes.gpu_probe import ProbeUnavailable
from backprop_tui.probes.gpu_record import NOT_RESPONDING, GpuFailed, GpuOutcome, GpuRecord
from backprop_tui.processes.hanging_call import HangingCall, Pending

SLOW_AFTER_SECONDS = 1.0  # a GPU that takes longer is reported as not responding, even before its readings are stale


class GpuPoller:
    """The record of a GPU and the thread that updates it."""

    def __init__(self, record: GpuRecord, query: Callable[[], GpuOutcome]) -> None:
        self.record = record
        self._call = HangingCall(query, name=f"gpu-{record.index}")

    @property
    def pending(self) -> bool:
        """Whether a query has not returned yet."""
        return self._call.pending

    def start(self) -> None:
        """Start a query, unless the last one is still pending."""
        self._call.start()

    def collect(self, deadline: float) -> GpuReading:
        """Wait for the query until `deadline` (monotonic) at most and return the current reading.

        Raises:
            ProbeUnavailable: no GPU can be queried any more.
        """
        try:
            outcome = self._call.take(deadline - time.monotonic())
        except ProbeUnavailable:
            raise
        except Exception as error:  # noqa: BLE001, an error of a driver binding affects only this GPU
            outcome = GpuFailed(problem=f"{type(error).__name__}: {error}")
        now = time.monotonic()
        if not isinstance(outcome, Pending):
            self.record.update(outcome, now=now)
        elif outcome.seconds >= SLOW_AFTER_SECONDS:
            self.record.update(GpuFailed(problem=NOT_RESPONDING), now=now)
        return self.record.reading(now)

    def end(self) -> None:
        """End the thread once its query has returned."""
        self._call.end()


def poll_all(pollers: Sequence[GpuPoller], seconds: float) -> tuple[GpuReading, ...]:
    """Query all GPUs in parallel, in about `seconds` at most.

    Raises:
        ProbeUnavailable: no GPU can be queried any more; answers that arrived are recorded.
    """
    deadline = time.monotonic() + seconds
    for poller in pollers:
        poller.start()
    readings: list[GpuReading] = []
    unavailable: ProbeUnavailable | None = None
    for poller in pollers:
        try:
            readings.append(poller.collect(deadline))
        except ProbeUnavailable as error:
            unavailable = error
    if unavailable is not None:
        raise unavailable
    return tuple(readings)
