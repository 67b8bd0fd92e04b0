"""How long an end waits for a checkpoint."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.patience import REQUESTED_WAIT_SECONDS, patience_seconds
from backprop_tui.domain.save_pace import SavePace

seconds = st.floats(0, 1e5)
EACH_MINUTE = SavePace(last_at=600.0, intervals=(60.0, 60.0))


def test_one_that_is_due_within_the_grace_is_waited_for() -> None:
    assert patience_seconds(EACH_MINUTE, 650.0, grace_seconds=30) >= 10
    assert patience_seconds(EACH_MINUTE, 610.0, grace_seconds=30) == 0


def test_one_that_is_being_written_is_waited_for() -> None:
    assert patience_seconds(SavePace(), 1.0, grace_seconds=30, is_saving=True) == 30


def test_a_file_that_is_written_over_all_the_time_is_not_waited_for_through_the_grace() -> None:
    often = SavePace(last_at=600.0, intervals=(0.5, 0.5), durations=(15.0,))
    assert 0 < patience_seconds(often, 600.1, grace_seconds=30, is_saving=True) <= 6
    assert patience_seconds(EACH_MINUTE, 610.0, grace_seconds=30, is_saving=True) == 30


def test_who_asks_waits_for_the_next_whenever_it_comes() -> None:
    assert patience_seconds(EACH_MINUTE, 601.0, grace_seconds=30, asked=True) > 60
    assert patience_seconds(SavePace(), 1.0, grace_seconds=30, asked=True) == REQUESTED_WAIT_SECONDS


@given(st.lists(seconds, max_size=5), seconds, seconds, st.booleans())
def test_unasked_it_is_never_longer_than_the_grace(
    saves: list[float],
    at: float,
    grace: float,
    is_saving: bool,  # noqa: FBT001 - as hypothesis gives it
) -> None:
    pace = SavePace()
    for save in sorted(saves):
        pace = pace.saved(save)
    assert 0 <= patience_seconds(pace, at, grace_seconds=grace, is_saving=is_saving) <= grace
