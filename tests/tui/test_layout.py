"""The layout of the main screen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.tui.layout import MachineForm, Zoom, compute_layout

sizes = st.integers(min_value=1, max_value=300)


@given(sizes, st.integers(min_value=1, max_value=120), st.integers(min_value=0, max_value=64), st.booleans())
def test_the_rows_never_exceed_a_screen_of_any_size(width: int, height: int, gpus: int, problem: bool) -> None:  # noqa: FBT001
    for zoom in Zoom:
        for opened in (False, True):
            panes = compute_layout(width, height, gpus=gpus, problem=problem, zoom=zoom, opened=opened)
            body = panes.runs_rows if panes.beside else panes.runs_rows + panes.selected_rows
            assert 1 + panes.machine_rows + panes.governor_rows + panes.problem_rows + body + panes.footer_rows <= max(
                1, height
            )
            assert min(panes.runs_rows, panes.selected_rows, panes.machine_rows) >= 0


def test_80_by_24_with_two_gpus_has_all_panes() -> None:
    panes = compute_layout(80, 24, gpus=2, problem=True)
    assert panes.machine_form is MachineForm.SHORT
    assert (panes.machine_rows, panes.machine_heading, panes.host_row) == (3, False, True)
    assert (panes.governor_rows, panes.problem_rows, panes.footer_rows) == (1, 1, 1)
    assert (panes.runs_rows, panes.selected_rows) == (9, 8)


def test_120_by_40_with_four_gpus_has_headings_and_a_chart() -> None:
    panes = compute_layout(120, 40, gpus=4, problem=True)
    assert (panes.machine_form, panes.machine_rows, panes.machine_heading) == (MachineForm.FULL, 6, True)
    assert panes.chart_columns == 44
    assert not panes.beside


def test_a_wide_screen_has_the_selected_run_on_the_right() -> None:
    panes = compute_layout(200, 50, gpus=8)
    assert panes.beside
    assert (panes.runs_width, panes.selected_width) == (118, 82)
    assert compute_layout(200, 35, gpus=8).beside is False


def test_more_gpus_than_a_quarter_of_the_rows_are_folded() -> None:
    assert compute_layout(80, 24, gpus=8).machine_form is MachineForm.PAIRS
    assert compute_layout(80, 24, gpus=16).machine_form is MachineForm.FOURS
    assert compute_layout(80, 24, gpus=64).machine_rows <= 6


def test_below_20_rows_the_selected_run_is_shown_once_it_is_opened() -> None:
    assert compute_layout(80, 18, gpus=1).selected_rows == 0
    opened = compute_layout(80, 18, gpus=1, opened=True)
    assert opened.runs_rows == 0
    assert opened.selected_rows > 0


def test_a_zoomed_run_keeps_the_governor_line_when_there_is_room() -> None:
    assert compute_layout(120, 40, gpus=4, zoom=Zoom.SELECTED).governor_rows == 1
    assert compute_layout(80, 24, gpus=4, zoom=Zoom.SELECTED).governor_rows == 0


def test_a_tiny_screen_has_only_the_header() -> None:
    assert compute_layout(19, 10, gpus=1).runs_rows == 0
