"""How long a stop waits for a checkpoint."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.checkpoint_pace import REQUESTED_WAIT_SECONDS, CheckpointPace, checkpoint_wait_seconds

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
