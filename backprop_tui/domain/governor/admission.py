"""Admission: whether a queued run starts now, and where, or why not.

A reading that is missing: no free RAM means that nothing is known of the host, so runs start one at a time; load and
disk that cannot be read are not checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from backprop_tui.domain.formatting import counted, duration, gigabytes_down, gigabytes_up, plain
from backprop_tui.domain.governor.disk_forecast import shortages
from backprop_tui.domain.governor.placement import place
from backprop_tui.domain.governor.reasons import Check, HoldReason, most_blocking_first
from backprop_tui.domain.governor.snapshot import Candidate, Placement, Snapshot
from backprop_tui.domain.limits import MachineLimits
from backprop_tui.domain.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Admit:
    """Start it there."""

    placement: Placement


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Not now, for all these reasons, the most blocking first; never none."""

    reasons: tuple[HoldReason, ...]


Decision = Admit | Hold


def decide(candidate: Candidate, snapshot: Snapshot) -> Decision:
    """Every check is asked, so that a held run names all that holds it."""
    placement = place(candidate, snapshot)
    reasons = [reason for check in HOST_CHECKS for reason in check(candidate, snapshot)]
    if isinstance(placement, Placement):
        return Hold(reasons=most_blocking_first(reasons)) if reasons else Admit(placement=placement)
    return Hold(reasons=most_blocking_first([*reasons, *placement]))


def conservative_because(snapshot: Snapshot) -> str | None:
    """What the governor is blind to, so that runs start one at a time; None when it sees."""
    readings = snapshot.readings
    if readings.probe_problem is not None:
        since = f" since {snapshot.probe_broken_since}" if snapshot.probe_broken_since else ""
        return f"GPU probe broken{since} ({readings.probe}: {readings.probe_problem})"
    if snapshot.readings_stale:
        return f"nothing measured for {duration(abs(snapshot.readings_age_seconds))}"
    return "free RAM not readable" if readings.host.ram_available_bytes is None else None


def _queue_held(_candidate: Candidate, snapshot: Snapshot) -> Iterator[HoldReason]:
    if snapshot.queue_held:
        yield HoldReason(check=Check.QUEUE_HELD, message="queue held by you, nothing new starts")


def _dependency(candidate: Candidate, _snapshot: Snapshot) -> Iterator[HoldReason]:
    for awaited in candidate.awaited:
        yield HoldReason(check=Check.DEPENDENCY, figure=awaited.status, message=f"after {awaited.name}")


def _alone_when_blind(_candidate: Candidate, snapshot: Snapshot) -> Iterator[HoldReason]:
    because = conservative_because(snapshot)
    if because is not None and snapshot.active:
        yield one_at_a_time(because, len(snapshot.active))


def one_at_a_time(because: str, active: int) -> HoldReason:
    """The reason of conservative mode."""
    return HoldReason(check=Check.PROBE, figure=active, limit=1, message=f"{because}, one run at a time")


def _parallel(candidate: Candidate, snapshot: Snapshot) -> Iterator[HoldReason]:
    own, active = candidate.limits.max_parallel, len(snapshot.active)
    most = snapshot.limits.max_parallel if own is None else own
    if 0 < most <= active:
        message = f"{counted(active, 'run')} active, at most {most}"
        yield HoldReason(check=Check.PARALLEL, figure=active, limit=most, message=message)


def _ram(candidate: Candidate, snapshot: Snapshot) -> Iterator[HoldReason]:
    keeps, free = candidate.limits.min_free_ram_bytes, snapshot.readings.host.ram_available_bytes
    if keeps > 0 and free is not None and free < keeps:
        message = f"RAM {gigabytes_down(free)} GB free, keeps {gigabytes_up(keeps)}"
        yield HoldReason(check=Check.RAM, figure=free, limit=keeps, message=message)


def _load(candidate: Candidate, snapshot: Snapshot) -> Iterator[HoldReason]:
    most, host = candidate.limits.max_load_per_core, snapshot.readings.host
    if most <= 0 or host.load_1m is None or not host.cores:
        return
    load = host.load_1m / host.cores
    if load >= most:
        message = f"load {plain(load)} per core, waiting below {plain(most)}"
        yield HoldReason(check=Check.LOAD, figure=load, limit=most, message=message)


def _disk(candidate: Candidate, snapshot: Snapshot) -> Iterator[HoldReason]:
    keeps, free = candidate.limits.min_free_disk_bytes, snapshot.readings.host.disk_free_bytes
    if keeps > 0 and free is not None and free < keeps:
        message = f"disk {gigabytes_down(free)} GB free, keeps {gigabytes_up(keeps)}"
        yield HoldReason(check=Check.DISK, figure=free, limit=keeps, message=message)


def _disk_forecast(candidate: Candidate, snapshot: Snapshot) -> Iterator[HoldReason]:
    """What runs already will fill the disk this one writes to: it would only be full sooner."""
    keeps = candidate.limits.min_free_disk_bytes
    if keeps <= 0:
        return
    for shortage in shortages(snapshot.saving, keeps):
        if candidate.mount in (None, shortage.mount):
            limit = shortage.needed_bytes + keeps
            yield HoldReason(check=Check.DISK, figure=shortage.free_bytes, limit=limit, message=shortage.message)


def _starts(_candidate: Candidate, snapshot: Snapshot) -> Iterator[HoldReason]:
    seconds = snapshot.bucket.seconds_to_next(snapshot.limits)
    if seconds > 0:
        message = f"next start in {duration(seconds)} ({_pace(snapshot.limits)})"
        yield HoldReason(check=Check.STARTS, figure=snapshot.bucket.tokens, limit=1, message=message)


def _pace(limits: MachineLimits) -> str:
    """How fast starts come: the burst, and the minutes in which it fills again."""
    minutes = limits.start_burst / limits.starts_per_minute
    return f"{counted(limits.start_burst, 'start')} in {plain(minutes)} min"


HOST_CHECKS: tuple[Callable[[Candidate, Snapshot], Iterator[HoldReason]], ...] = (
    _queue_held,
    _dependency,
    _alone_when_blind,
    _parallel,
    _ram,
    _load,
    _disk,
    _disk_forecast,
    _starts,
)
