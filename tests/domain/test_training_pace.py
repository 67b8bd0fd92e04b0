"""The pace of a training and the time to its end."""

from __future__ import annotations

import math

import pytest

from backprop_tui.domain.training_pace import PaceMeter


def meter(*points: tuple[float, float], unit: str = "step") -> PaceMeter:
    """A meter that saw these positions, each with the running time before it."""
    result = PaceMeter()
    for at, position in points:
        result.note(position, unit, at)
    return result


@pytest.mark.parametrize("interval", [0.1, 1.0, 60.0])
def test_the_pace_is_right_however_often_a_script_prints(interval: float) -> None:
    points = [(line * interval, 10 * line) for line in range(200)]
    assert meter(*points).step_seconds() == pytest.approx(interval / 10)
    assert meter(*points).seconds_left(4000, points[-1][0]) == pytest.approx(2010 * interval / 10)


def test_output_that_arrives_in_bursts_does_not_matter() -> None:
    points = [(30.0 * burst, 75 * burst + line) for burst in range(1, 9) for line in range(40)]
    assert meter(*points).step_seconds() == pytest.approx(0.4)


def test_a_validation_between_the_steps_is_left_out() -> None:
    points = [(line * 1.0 + 90 * (line >= 50) + 90 * (line >= 100), 10.0 * line) for line in range(150)]
    assert meter(*points).step_seconds() == pytest.approx(0.1, rel=0.05)


def test_the_first_slow_step_is_left_out() -> None:
    assert meter((0, 1), (60, 2), (61, 3), (64, 6), (67, 9)).step_seconds() == pytest.approx(1.0)


def test_between_two_lines_the_time_left_counts_down_and_then_stops() -> None:
    seen = meter((0, 0), (60, 100), (120, 200))
    left = [seen.seconds_left(1000, now) for now in (120, 150, 180, 600)]
    assert left == [480, 450, 420, 420]


def test_without_a_total_or_with_too_few_lines_there_is_no_estimate() -> None:
    assert meter((0, 0), (60, 100), (120, 200)).seconds_left(None, 120) is None
    assert meter((0, 0), (60, 100)).seconds_left(1000, 60) is None
    assert meter((0, 0), (0.2, 100), (0.4, 200)).seconds_left(1000, 0.4) is None


def test_epochs_need_only_one_interval() -> None:
    assert meter((0, 0), (300, 1), unit="epoch").seconds_left(3, 300) == 600
    assert meter((0, 0), (300, 1), unit="epoch").step_seconds() is None


def test_a_restarted_count_starts_a_new_window() -> None:
    seen = meter((0, 0), (10, 100), (20, 200), (21, 50))
    assert seen.seconds_left(1000, 21) is None


def test_a_printed_estimate_is_used_while_it_is_recent() -> None:
    seen = meter((0, 0), (10, 100), (20, 200))
    seen.note_printed(500, 20)
    assert seen.seconds_left(1000, 25) == 495
    for line in range(3, 10):
        seen.note(line * 100, "step", line * 10)
    assert seen.seconds_left(1000, 90) == 10


def test_a_printed_estimate_needs_no_total() -> None:
    seen = PaceMeter()
    seen.note_printed(12, 8)
    assert seen.seconds_left(None, 9) == 11


def test_a_printed_estimate_is_dropped_after_the_total_was_exceeded() -> None:
    seen = PaceMeter()
    seen.note(60, "step", 10)
    seen.note_printed(0, 10)
    assert seen.seconds_left(60, 10) == 0
    seen.note(61, "step", 12)
    assert seen.seconds_left(None, 12) is None


def _with_validation(steps: int, *, every: int, seconds: float) -> list[tuple[float, float]]:
    """A step every 0.65 s, and a validation after every so many steps, seen when a poll every 0.2 s sees it."""
    ends = [step * 0.65 + seconds * ((step - 1) // every) for step in range(1, steps)]
    return [(math.ceil(end / 0.2) * 0.2, float(step)) for step, end in enumerate(ends, start=1)]


def test_validations_that_recur_count_for_the_time_left_but_not_for_the_pace() -> None:
    points = _with_validation(200, every=30, seconds=8)
    assert meter(*points).step_seconds() == pytest.approx(0.65, rel=0.03)
    assert meter(*points).seconds_left(1000, points[-1][0]) == pytest.approx(800 * (0.65 + 8 / 30), rel=0.05)


def test_a_single_gap_is_not_expected_again() -> None:
    points = _with_validation(60, every=30, seconds=8)
    assert meter(*points).seconds_left(1000, points[-1][0]) == pytest.approx(940 * 0.65, rel=0.03)


def test_ten_steps_a_second_that_share_time_stamps_have_a_pace() -> None:
    points = [(math.floor(step / 10 / 0.2) * 0.2, float(step)) for step in range(1, 500)]
    assert meter(*points).step_seconds() == pytest.approx(0.1, rel=0.02)


def test_the_pace_is_that_of_the_last_two_minutes() -> None:
    slow = [(2.0 * step, float(step)) for step in range(200)]
    fast = [(400 + 0.5 * step, 200.0 + step) for step in range(250)]
    assert meter(*slow, *fast).step_seconds() == pytest.approx(0.5, rel=0.02)
    rare = [(300.0 * line, 50.0 * line) for line in range(20)]
    assert meter(*rare).step_seconds() == pytest.approx(6.0)


def test_a_resumed_run_has_the_pace_of_its_steps_and_not_of_its_start() -> None:
    resumed = [(0.0, 1350.0), *((20 + step / 10, 1350.0 + step) for step in range(1, 100))]
    assert meter(*resumed).step_seconds() == pytest.approx(0.1, rel=0.02)
    assert meter(*resumed).seconds_left(2000, 29.9) == pytest.approx(55, rel=0.05)
