"""The forecast of full disks."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.checkpoint_pace import CheckpointPace, needed_bytes, seconds_until_full
from backprop_tui.domain.governor.admission import Admit, Hold, decide
from backprop_tui.domain.governor.disk_forecast import SavingRun, forecast_shortages
from backprop_tui.domain.governor.reasons import Check
from backprop_tui.domain.limits import DISK_GIGABYTE
from tests.domain.governor.machines import candidate, snapshot

HOUR = 3600.0


def disk_gb(count: float) -> int:
    return round(count * DISK_GIGABYTE)


def pace(gigabytes: float, every: float = 720.0) -> CheckpointPace:
    return CheckpointPace(last_at=0.0, intervals=(every,), growth_bytes=(disk_gb(gigabytes),))


def saving(
    gigabytes: float = 1.4,
    *,
    free: float = 38.0,
    left: float | None = 100 * HOUR,
    name: str = "nano-lm-768",
    mount: str = "/data",
    grows: bool = True,
) -> SavingRun:
    return SavingRun(
        name=name,
        mount=mount,
        free_bytes=disk_gb(free),
        save_bytes=disk_gb(gigabytes),
        pace=pace(gigabytes if grows else 0.0),
        seconds_left=left,
    )


def test_a_disk_that_will_be_full_within_the_timebox_is_reported_with_figures() -> None:
    (shortage,) = forecast_shortages([saving()], DISK_GIGABYTE)
    assert shortage.message == "disk 38 GB free, nano-lm-768 writes 1.4 GB every 12m: full in 5h17m"


def test_a_disk_that_is_large_enough_is_no_shortage() -> None:
    assert forecast_shortages([saving(left=4 * HOUR)], DISK_GIGABYTE) == []
    assert forecast_shortages([saving(left=5.2 * HOUR)], DISK_GIGABYTE) != []


def test_a_burst_of_small_saves_is_no_forecast_for_hours() -> None:
    burst = CheckpointPace(last_at=1.0, intervals=(0.01, 0.01, 0.01), growth_bytes=(1_400_000,) * 3)
    assert forecast_shortages([replace(saving(free=74), pace=burst)], DISK_GIGABYTE) == []


def test_a_run_that_keeps_its_last_checkpoints_needs_space_for_one_more() -> None:
    assert forecast_shortages([saving(grows=False)], DISK_GIGABYTE) == []
    (shortage,) = forecast_shortages([saving(grows=False, free=2.0)], DISK_GIGABYTE)
    assert shortage.message == "disk 2 GB free, nano-lm-768 writes 1.4 GB every 12m"


def test_runs_on_one_disk_add_up_and_those_on_another_do_not() -> None:
    run = saving(left=3 * HOUR)
    assert forecast_shortages([run], DISK_GIGABYTE) == []
    assert len(forecast_shortages([run, replace(run, name="other")], DISK_GIGABYTE)) == 1
    assert forecast_shortages([run, replace(run, mount="/home")], DISK_GIGABYTE) == []


def test_without_a_timebox_the_forecast_covers_half_a_day() -> None:
    assert forecast_shortages([saving(left=None)], DISK_GIGABYTE) != []
    assert forecast_shortages([saving(left=None, free=100.0)], DISK_GIGABYTE) == []


@pytest.mark.parametrize(("mount", "held"), [("/data", True), (None, True), ("/home", False)])
def test_a_run_that_writes_to_that_disk_is_held(mount: str | None, *, held: bool) -> None:
    machine = replace(snapshot(), saving=(saving(),))
    decision = decide(replace(candidate(), mount=mount), machine)
    assert isinstance(decision, Hold if held else Admit)
    if isinstance(decision, Hold):
        assert [(reason.check, reason.figure) for reason in decision.reasons] == [(Check.DISK, disk_gb(38.0))]


def test_zero_switches_it_off() -> None:
    asks = candidate()
    unchecked = replace(asks, mount="/data", limits=replace(asks.limits, min_free_disk_bytes=0))
    assert isinstance(decide(unchecked, replace(snapshot(), saving=(saving(),))), Admit)


growths = st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=3)


@given(growths, st.floats(1, 1e5), st.integers(0, 10**12), st.none() | st.floats(0, 1e6), st.floats(0, 1e6))
def test_more_time_never_needs_less_and_one_save_always_has_room(
    growth: list[int], every: float, save_bytes: int, left: float | None, more: float
) -> None:
    known = CheckpointPace(last_at=0.0, intervals=(every,), growth_bytes=tuple(growth))
    needed = needed_bytes(known, save_bytes, left)
    assert needed >= save_bytes
    if left is not None:
        assert needed_bytes(known, save_bytes, left + more) >= needed


@given(st.integers(1, 10**12), st.floats(1, 1e5), st.integers(0, 10**13))
def test_it_is_full_when_so_many_saves_are_written(growth: int, every: float, free: int) -> None:
    known = CheckpointPace(last_at=0.0, intervals=(every,), growth_bytes=(growth,))
    full = seconds_until_full(known, free, 0)
    assert full == pytest.approx(free / growth * every)


def test_the_interval_is_unknown_before_two_saves() -> None:
    assert seconds_until_full(CheckpointPace(), 1, 0) is None
    assert needed_bytes(CheckpointPace(), 7, 1e9) == 7
