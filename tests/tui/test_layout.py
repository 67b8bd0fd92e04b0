"""What fits on the screen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.tui.layout import MachineForm, Zoom, layout

sizes = st.integers(min_value=1, max_value=300)


@given(sizes, st.integers(min_value=1, max_value=120), st.integers(min_value=0, max_value=64), st.booleans())
def test_no_screen_is_too_small_and_the_rows_never_exceed_it(width: int, height: int, gpus: int, problem: bool) -> None:  # noqa: FBT001
    for zoom in Zoom:
        for opened in (False, True):
            found = layout(width, height, gpus=gpus, problem=problem, zoom=zoom, opened=opened)
            body = found.runs_rows if found.beside else found.runs_rows + found.selected_rows
            assert 1 + found.machine_rows + found.governor_rows + found.problem_rows + body + found.footer_rows <= max(
                1, height
            )
            assert min(found.runs_rows, found.selected_rows, found.machine_rows) >= 0


def test_80_by_24_with_two_gpus_has_all_panes() -> None:
    found = layout(80, 24, gpus=2, problem=True)
    assert found.machine_form is MachineForm.SHORT
    assert (found.machine_rows, found.machine_heading, found.host_row) == (3, False, True)
    assert (found.governor_rows, found.problem_rows, found.footer_rows) == (1, 1, 1)
    assert (found.runs_rows, found.selected_rows) == (9, 8)


def test_120_by_40_with_four_gpus_has_headings_and_a_chart() -> None:
    found = layout(120, 40, gpus=4, problem=True)
    assert (found.machine_form, found.machine_rows, found.machine_heading) == (MachineForm.FULL, 6, True)
    assert found.chart_columns == 44
    assert not found.beside


def test_a_wide_screen_has_the_selected_run_at_the_right() -> None:
    found = layout(200, 50, gpus=8)
    assert found.beside
    assert (found.runs_width, found.selected_width) == (118, 82)
    assert layout(200, 35, gpus=8).beside is False


def test_more_gpus_than_a_quarter_of_the_rows_are_folded() -> None:
    assert layout(80, 24, gpus=8).machine_form is MachineForm.PAIRS
    assert layout(80, 24, gpus=16).machine_form is MachineForm.FOURS
    assert layout(80, 24, gpus=64).machine_rows <= 6


def test_below_20_rows_the_selected_run_is_there_once_it_is_opened() -> None:
    assert layout(80, 18, gpus=1).selected_rows == 0
    opened = layout(80, 18, gpus=1, opened=True)
    assert opened.runs_rows == 0
    assert opened.selected_rows > 0


def test_a_zoomed_run_keeps_the_governor_where_there_is_room() -> None:
    assert layout(120, 40, gpus=4, zoom=Zoom.SELECTED).governor_rows == 1
    assert layout(80, 24, gpus=4, zoom=Zoom.SELECTED).governor_rows == 0


def test_a_tiny_screen_has_the_counts_alone() -> None:
    assert layout(19, 10, gpus=1).only_counts
    assert layout(19, 10, gpus=1).runs_rows == 0
