"""One GPU, asked in a thread of its own: when it hangs, it alone goes stale."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from backprop_tui.domain.telemetry import GpuReading
from backprop_tui.probes.gpu_probe import ProbeUnavailable
from backprop_tui.probes.gpu_record import NOT_RESPONDING, GpuFailed, GpuOutcome, GpuRecord
from backprop_tui.probes.patience import PatientCall, Unanswered

SILENT_AFTER_SECONDS = 1.0  # slower than this is told, even before the figures are stale


class GpuPoller:
    """A record, and the thread that fills it."""

    def __init__(self, record: GpuRecord, ask: Callable[[], GpuOutcome]) -> None:
        self.record = record
        self._call = PatientCall(ask, name=f"gpu-{record.index}")

    @property
    def wedged(self) -> bool:
        """Whether it was asked and has not answered."""
        return self._call.pending

    def begin(self) -> None:
        """Asks, unless the last question is still open."""
        self._call.ask()

    def finish(self, deadline: float) -> GpuReading:
        """What is known of it at the latest at this time of the monotonic clock.

        Raises:
            ProbeUnavailable: no GPU can be asked any more.
        """
        try:
            outcome = self._call.take(deadline - time.monotonic())
        except ProbeUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 whatever a driver's binding raises for one GPU stays with that GPU
            outcome = GpuFailed(problem=f"{type(error).__name__}: {error}")
        now = time.monotonic()
        if not isinstance(outcome, Unanswered):
            self.record.note(outcome, now=now)
        elif outcome.seconds >= SILENT_AFTER_SECONDS:
            self.record.note(GpuFailed(problem=NOT_RESPONDING), now=now)
        return self.record.reading(now)

    def end(self) -> None:
        """Lets its thread go."""
        self._call.end()


def poll_all(pollers: Sequence[GpuPoller], seconds: float) -> tuple[GpuReading, ...]:
    """All at once, so that together they take no longer than the slowest or than this.

    Raises:
        ProbeUnavailable: one of them found out that none can be asked any more; the answers of the others are noted.
    """
    deadline = time.monotonic() + seconds
    for poller in pollers:
        poller.begin()
    readings: list[GpuReading] = []
    unavailable: ProbeUnavailable | None = None
    for poller in pollers:
        try:
            readings.append(poller.finish(deadline))
        except ProbeUnavailable as error:
            unavailable = error
    if unavailable is not None:
        raise unavailable
    return tuple(readings)
