"""Admission: decides whether a queued run starts now and on which GPUs, or why it has to wait.

Missing readings: if free RAM is unknown, nothing is known about the host, so runs start one at a time; load and disk
are not checked if they cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from backprop_tui.domain.formatting import (
    counted,
    disk_gigabytes_up,
    duration,
    gigabytes_down,
    gigabytes_up,
    plain,
)
from backprop_tui.domain.governor.disk_forecast import forecast_shortages, full_disk
from backprop_tui.domain.governor.placement import place
from backprop_tui.domain.governor.reasons import Check, HoldReason, most_blocking_first
from backprop_tui.domain.governor.snapshot import Candidate, MachineSnapshot, Placement
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.telemetry import is_stale


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Admit:
    placement: Placement


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """The run waits, for at least one reason; the most blocking reason comes first."""

    reasons: tuple[HoldReason, ...]


Decision = Admit | Hold


def decide(candidate: Candidate, snapshot: MachineSnapshot) -> Decision:
    """Decides about one run; all checks are evaluated, so that a held run shows every reason."""
    placement = place(candidate, snapshot)
    reasons = [reason for check in HOST_CHECKS for reason in check(candidate, snapshot)]
    if isinstance(placement, Placement):
        return Hold(reasons=most_blocking_first(reasons)) if reasons else Admit(placement=placement)
    return Hold(reasons=most_blocking_first([*reasons, *placement]))


class Decisions:
    """Decides as `decide` does; runs that ask for the same of the same snapshot share a decision."""

    def __init__(self) -> None:
        self._snapshot: MachineSnapshot | None = None
        self._known: dict[Candidate, Decision] = {}

    def decide(self, candidate: Candidate, snapshot: MachineSnapshot) -> Decision:
        """Decides about one run."""
        if snapshot is not self._snapshot:
            self._snapshot, self._known = snapshot, {}
        reservation = snapshot.reservation
        has_reservation = reservation is not None and reservation.run_id == candidate.id
        request = candidate if has_reservation else candidate.request
        if request not in self._known:
            self._known[request] = decide(candidate, snapshot)
        return self._known[request]


def conservative_reason(snapshot: MachineSnapshot) -> str | None:
    """Returns which readings are missing, so that runs start one at a time; None if all are available."""
    readings = snapshot.readings
    if readings.probe_problem is not None:
        since = f" since {snapshot.probe_broken_since}" if snapshot.probe_broken_since else ""
        return f"GPU probe broken{since} ({readings.probe}: {readings.probe_problem})"
    if is_stale(snapshot.readings_age_seconds, snapshot.limits.sample_seconds):
        return f"no readings for {duration(abs(snapshot.readings_age_seconds))}"
    return "free RAM not readable" if readings.host.ram_available_bytes is None else None


def _check_queue_held(_candidate: Candidate, snapshot: MachineSnapshot) -> Iterator[HoldReason]:
    if snapshot.queue_held:
        yield HoldReason(check=Check.QUEUE_HELD, message="queue held by you, nothing new starts")


def _check_dependency(candidate: Candidate, _snapshot: MachineSnapshot) -> Iterator[HoldReason]:
    for dependency in candidate.awaited:
        yield HoldReason(check=Check.DEPENDENCY, figure=dependency.status, message=f"after {dependency.name}")


def _check_conservative(_candidate: Candidate, snapshot: MachineSnapshot) -> Iterator[HoldReason]:
    reason = conservative_reason(snapshot)
    if reason is not None and snapshot.active:
        yield conservative_hold(reason, len(snapshot.active))


def conservative_hold(reason: str, active: int) -> HoldReason:
    """Returns the hold reason of conservative mode, in which one run starts at a time."""
    return HoldReason(check=Check.PROBE, figure=active, limit=1, message=f"{reason}, one run at a time")


def _check_parallel(candidate: Candidate, snapshot: MachineSnapshot) -> Iterator[HoldReason]:
    own, active = candidate.limits.max_parallel, len(snapshot.active)
    limit = snapshot.max_parallel if own is None else own
    if not 0 < limit <= active:
        return
    reason = HoldReason(check=Check.PARALLEL, figure=active, limit=limit, message=f"{counted(active, 'run')} active")
    if own is not None:
        yield replace(reason, message=f"{reason.message} (max_parallel {limit} of this run)")
    else:
        yield reason.by("max_parallel", f"auto: {limit}" if snapshot.limits.max_parallel is None else limit)


def _check_ram(candidate: Candidate, snapshot: MachineSnapshot) -> Iterator[HoldReason]:
    reserve, host = candidate.limits.min_free_ram_bytes, snapshot.readings.host
    free, total = host.ram_available_bytes, host.ram_total_bytes
    if reserve > 0 and free is not None and free < reserve:
        message = f"RAM {gigabytes_down(free)} GB free"
        reason = HoldReason(check=Check.RAM, figure=free, limit=reserve, message=message)
        if total is not None and total < reserve:
            reason = replace(reason, message=f"machine has {gigabytes_down(total)} GB of RAM").as_permanent()
        yield reason.by("min_free_ram_gb", gigabytes_up(reserve))


def _check_load(candidate: Candidate, snapshot: MachineSnapshot) -> Iterator[HoldReason]:
    limit, host = candidate.limits.max_load_per_core, snapshot.readings.host
    if limit <= 0 or host.load_1m is None or not host.cores:
        return
    load = host.load_1m / host.cores
    if load >= limit:
        reason = HoldReason(check=Check.LOAD, figure=load, limit=limit, message=f"load {plain(load)} per core")
        yield reason.by("governor.max_load_per_core", plain(limit))


def _check_disk(candidate: Candidate, snapshot: MachineSnapshot) -> Iterator[HoldReason]:
    reason = full_disk(snapshot.readings.host.disk_free_bytes, candidate.limits.min_free_disk_bytes)
    if reason is not None:
        yield reason


def _check_disk_forecast(candidate: Candidate, snapshot: MachineSnapshot) -> Iterator[HoldReason]:
    """Active runs will fill the disk that this one writes to; another run would only fill it sooner."""
    reserve = candidate.limits.min_free_disk_bytes
    if reserve <= 0:
        return
    for shortage in forecast_shortages(snapshot.saving, reserve):
        if candidate.mount in (None, shortage.mount):
            limit = shortage.needed_bytes + reserve
            reason = HoldReason(check=Check.DISK, figure=shortage.free_bytes, limit=limit, message=shortage.message)
            yield reason.by("governor.min_free_disk_gb", disk_gigabytes_up(reserve))


def _check_start_rate(_candidate: Candidate, snapshot: MachineSnapshot) -> Iterator[HoldReason]:
    seconds = snapshot.bucket.seconds_to_next(snapshot.limits)
    if seconds > 0:
        message = f"start limit, next in {duration(seconds)}"
        reason = HoldReason(check=Check.STARTS, figure=snapshot.bucket.tokens, limit=1, message=message)
        yield reason.by("governor.starts_per_minute", plain(snapshot.limits.starts_per_minute))


HOST_CHECKS: tuple[Callable[[Candidate, MachineSnapshot], Iterator[HoldReason]], ...] = (
    _check_queue_held,
    _check_dependency,
    _check_conservative,
    _check_parallel,
    _check_ram,
    _check_load,
    _check_disk,
    _check_disk_forecast,
    _check_start_rate,
)
