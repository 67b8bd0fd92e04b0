"""Forecasts whether a disk will be full before the runs that save checkpoints on it have ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from backprop_tui.domain.checkpoint_pace import CheckpointPace, needed_bytes, seconds_until_full
from backprop_tui.domain.formatting import disk_gigabytes_down, disk_gigabytes_up, duration, plain
from backprop_tui.domain.governor.reasons import Check, HoldReason
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.lifecycle import timebox_seconds
from backprop_tui.domain.limits import DISK_GIGABYTE, DISK_MEGABYTE
from backprop_tui.domain.live import Live
from backprop_tui.domain.run import Run


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class SavingRun:
    """An active run that writes checkpoints; `seconds_left` of its timebox is None if it has none."""

    name: str
    mount: str
    free_bytes: int
    save_bytes: int
    pace: CheckpointPace
    seconds_left: float | None

    @property
    def needed_bytes(self) -> int:
        return needed_bytes(self.pace, self.save_bytes, self.seconds_left)


def saving_run(run: Run, live: Live, *, passed_seconds: float = 0.0) -> SavingRun | None:
    """Builds the forecast's input from a run and its live record, written `passed_seconds` ago.

    None if it is not known how often and how much the run saves, and for the record of an earlier attempt.
    """
    use, pace = live.disk, live.pace
    if use is None or pace is None or pace.every_seconds is None or live.attempt != run.attempt.number:
        return None
    limit = timebox_seconds(run)
    used = live.clock.running_seconds + (0.0 if live.pause is not None else passed_seconds)
    return SavingRun(
        name=run.label,
        mount=use.mount,
        free_bytes=use.free_bytes,
        save_bytes=use.save_bytes,
        pace=pace,
        seconds_left=None if limit is None else max(0.0, limit - used),
    )


def full_disk(free_bytes: int | None, reserve_bytes: int) -> HoldReason | None:
    """Why a run that keeps `reserve_bytes` free cannot start now; None if it can, or nothing is known."""
    if free_bytes is None or free_bytes >= reserve_bytes:
        return None
    message = f"disk {disk_gigabytes_down(free_bytes)} GB free"
    reason = HoldReason(check=Check.DISK, figure=free_bytes, limit=reserve_bytes, message=message)
    return reason.by("governor.min_free_disk_gb", disk_gigabytes_up(reserve_bytes))


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    mount: str
    free_bytes: int
    needed_bytes: int
    message: str


def forecast_shortages(runs: Iterable[SavingRun], reserve_bytes: int) -> list[Shortage]:
    """Returns the disks that will have less than `reserve_bytes` free; the smallest measurement of each disk counts."""
    by_mount: dict[str, list[SavingRun]] = {}
    for run in runs:
        by_mount.setdefault(run.mount, []).append(run)
    result = []
    for mount, writers in by_mount.items():
        free = min(run.free_bytes for run in writers)
        needed = sum(run.needed_bytes for run in writers)
        if free - needed < reserve_bytes:
            message = _shortage_message(writers, free, reserve_bytes)
            result.append(Shortage(mount=mount, free_bytes=free, needed_bytes=needed, message=message))
    return result


def _shortage_message(writers: Sequence[SavingRun], free_bytes: int, reserve_bytes: int) -> str:
    """`disk 38 GB free, nano-lm-768 writes 1.4 GB every 12m: full in 5h20m`."""
    biggest = max(writers, key=lambda run: run.needed_bytes)
    others = f" and {len(writers) - 1} more" if len(writers) > 1 else ""
    return (
        f"disk {disk_gigabytes_down(free_bytes)} GB free, {biggest.name}{others} {_write_rate(biggest, reserve_bytes)}"
    )


def _write_rate(run: SavingRun, reserve_bytes: int) -> str:
    every, growth = run.pace.every_seconds, run.pace.bytes_per_save
    rate = f"writes {_disk_size(round(growth) if growth else run.save_bytes)}"
    if every is not None:
        rate += f" every {duration(every)}"
    full = seconds_until_full(run.pace, run.free_bytes, reserve_bytes)
    return rate if full is None else f"{rate}: full in {duration(full)}"


def _disk_size(count_bytes: int) -> str:
    if count_bytes < DISK_GIGABYTE // 10:
        return f"{plain(count_bytes / DISK_MEGABYTE)} MB"
    return f"{disk_gigabytes_up(count_bytes)} GB"
