"""The learned pace of checkpoints."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.checkpoint_pace import (
    HISTORY_LENGTH,
    OVERDUE_SHARE,
    REQUESTED_WAIT_SECONDS,
    CheckpointPace,
    checkpoint_wait_seconds,
)


def after(*times: float) -> CheckpointPace:
    pace = CheckpointPace()
    for at in times:
        pace = pace.saved(at)
    return pace


def test_nothing_is_expected_before_two_saves_are_known() -> None:
    assert CheckpointPace().due_in(1.0) is None
    assert after(10.0).due_in(11.0) is None


def test_the_next_is_due_an_interval_after_the_last() -> None:
    assert after(10.0, 20.0).due_in(25.0) == 5.0


def test_the_duration_of_a_save_is_added() -> None:
    assert after(10.0, 20.0).measured(growth_bytes=1, duration=2.0).due_in(25.0) == 7.0


def test_a_late_save_is_due_now_and_one_far_too_late_is_no_longer_expected() -> None:
    pace = after(10.0, 20.0)
    assert pace.due_in(31.0) == 0.0
    assert pace.due_in(30.1 + OVERDUE_SHARE * 10) is None


def test_files_that_follow_at_once_belong_to_one_save() -> None:
    assert after(60.0, 120.0, 120.5, 180.0, 180.5).every_seconds == pytest.approx(59.5, abs=0.5)


def test_the_next_attempt_keeps_the_interval_and_waits_for_its_own_first_save() -> None:
    pace = after(10.0, 20.0).next_attempt()
    assert pace.due_in(5.0) is None
    assert pace.saved(12.0).due_in(13.0) == pytest.approx(9.0)


@given(st.lists(st.floats(0, 1e6), max_size=20), st.floats(0, 2e6))
def test_it_remembers_a_few_and_never_expects_in_the_past(times: list[float], at: float) -> None:
    pace = after(*times)
    assert len(pace.intervals) <= HISTORY_LENGTH
    assert all(interval > 0 for interval in pace.intervals)
    due = pace.due_in(at)
    assert due is None or due >= 0


@given(st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=10))
def test_the_growth_of_a_save_is_never_negative(growths: list[int]) -> None:
    pace = CheckpointPace()
    for growth in growths:
        pace = pace.measured(growth_bytes=growth, duration=None)
    assert (pace.bytes_per_save or 0) >= 0


seconds = st.floats(0, 1e5)
EACH_MINUTE = CheckpointPace(last_at=600.0, intervals=(60.0, 60.0))


def test_a_save_due_within_the_grace_is_waited_for() -> None:
    assert checkpoint_wait_seconds(EACH_MINUTE, 650.0, grace_seconds=30) >= 10
    assert checkpoint_wait_seconds(EACH_MINUTE, 610.0, grace_seconds=30) == 0


def test_a_save_in_progress_is_waited_for() -> None:
    assert checkpoint_wait_seconds(CheckpointPace(), 1.0, grace_seconds=30, is_saving=True) == 30


def test_a_file_that_is_overwritten_all_the_time_does_not_use_up_the_grace() -> None:
    often = CheckpointPace(last_at=600.0, intervals=(0.5, 0.5), durations=(15.0,))
    assert 0 < checkpoint_wait_seconds(often, 600.1, grace_seconds=30, is_saving=True) <= 6
    assert checkpoint_wait_seconds(EACH_MINUTE, 610.0, grace_seconds=30, is_saving=True) == 30


def test_a_requested_wait_lasts_until_the_next_save() -> None:
    assert checkpoint_wait_seconds(EACH_MINUTE, 601.0, grace_seconds=30, asked=True) > 60
    assert checkpoint_wait_seconds(CheckpointPace(), 1.0, grace_seconds=30, asked=True) == REQUESTED_WAIT_SECONDS


@given(st.lists(seconds, max_size=5), seconds, seconds, st.booleans())
def test_without_a_request_it_never_exceeds_the_grace(
    saves: list[float],
    at: float,
    grace: float,
    is_saving: bool,  # noqa: FBT001 - as hypothesis gives it
) -> None:
    pace = CheckpointPace()
    for save in sorted(saves):
        pace = pace.saved(save)
    assert 0 <= checkpoint_wait_seconds(pace, at, grace_seconds=grace, is_saving=is_saving) <= grace
