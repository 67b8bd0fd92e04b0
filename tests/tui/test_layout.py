"""The layout of the main screen."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.tui.layout import (
    MIN_PANE_ROWS,
    RULE_PANE_ROWS,
    SPARE_ROWS,
    Layout,
    MachineForm,
    PaneNeeds,
    RulePlace,
    Zoom,
    compute_layout,
    rule_after,
    rule_of,
)

sizes = st.integers(min_value=1, max_value=300)


@given(sizes, st.integers(min_value=1, max_value=120), st.integers(min_value=0, max_value=64), st.booleans())
def test_the_rows_never_exceed_a_screen_of_any_size(width: int, height: int, gpus: int, problem: bool) -> None:  # noqa: FBT001
    for zoom in Zoom:
        for opened in (False, True):
            panes = compute_layout(width, height, gpus=gpus, problem=problem, zoom=zoom, opened=opened)
            left = panes.runs_rows + panes.history_rows
            body = left if panes.beside else left + panes.selected_rows
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
    assert (panes.runs_width, panes.selected_width) == (120, 80)
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


SCREENS = ((120, 40), (200, 50), (160, 45), (250, 60), (100, 30), (80, 24), (160, 36), (300, 100))
rows = st.integers(min_value=1, max_value=120)


def needing(runs: int, selected: int, **fields: object) -> PaneNeeds:
    """Headings included."""
    return PaneNeeds(runs=runs + 1, selected=selected + 1, **fields)  # type: ignore[arg-type]


def check_blank_rows(panes: Layout, needs: PaneNeeds) -> None:
    """No pane has more than two blank rows while another has hidden content; the histories fill any number."""
    runs, selected = panes.runs_rows - needs.runs, panes.selected_rows - needs.selected
    if panes.beside:
        assert runs <= SPARE_ROWS or needs.runs < MIN_PANE_ROWS
        assert runs >= 0 or not panes.history_rows
        return
    if runs < 0:
        assert selected <= SPARE_ROWS or needs.selected < MIN_PANE_ROWS
    if selected < 0:
        assert runs <= SPARE_ROWS or needs.runs < MIN_PANE_ROWS


@given(st.sampled_from(SCREENS), st.integers(0, 16), st.booleans(), st.lists(st.tuples(rows, rows), max_size=8))
def test_no_pane_has_blank_rows_while_another_has_hidden_content(
    screen: tuple[int, int],
    gpus: int,
    problem: bool,  # noqa: FBT001
    story: list[tuple[int, int]],
) -> None:
    shown: Layout | None = None
    for runs, selected in story:
        needs = needing(runs, selected, before=shown)
        shown = compute_layout(*screen, gpus=gpus, problem=problem, needs=needs)
        check_blank_rows(shown, needs)
        again = compute_layout(*screen, gpus=gpus, problem=problem, needs=needing(runs, selected, before=shown))
        assert again == shown, "what does not change does not move"


def test_the_runs_get_the_rows_they_need_and_the_selected_run_the_rest() -> None:
    panes = compute_layout(120, 40, gpus=2, needs=needing(2, 500))
    assert (panes.runs_rows, panes.selected_rows) == (4, 40 - 1 - 4 - 1 - 1 - 4)
    long = compute_layout(120, 40, gpus=2, needs=needing(500, 500))
    assert long.selected_rows == round(0.45 * (long.runs_rows + long.selected_rows))
    short = compute_layout(120, 40, gpus=2, needs=needing(500, 4))
    assert short.selected_rows == 6


def test_the_rule_does_not_move_with_each_run() -> None:
    places = []
    shown = None
    for runs in (*range(2, 15), *range(15, 2, -1)):
        shown = compute_layout(120, 40, gpus=0, needs=needing(runs, 500, before=shown))
        places.append(shown.runs_rows)
        assert shown.runs_rows > runs
    moves = sum(place != next_place for place, next_place in pairwise(places))
    assert moves <= len(places) // 2


def test_below_the_runs_of_a_wide_screen_are_histories() -> None:
    panes = compute_layout(200, 50, gpus=8, needs=needing(10, 500))
    assert panes.runs_rows + panes.history_rows == panes.selected_rows
    assert panes.history_rows > 15
    assert compute_layout(200, 50, gpus=8, needs=needing(500, 500)).history_rows == 0
    assert compute_layout(120, 40, gpus=8, needs=needing(10, 500)).history_rows == 0


@given(st.sampled_from(SCREENS), st.floats(-1, 2), rows, rows)
def test_a_rule_that_was_put_somewhere_stays_there(
    screen: tuple[int, int], place: float, runs: int, selected: int
) -> None:
    shown = compute_layout(*screen, gpus=1, needs=needing(runs, selected))
    rule = rule_after(shown, RulePlace(), place)
    panes = compute_layout(*screen, gpus=1, needs=needing(runs, selected, rule=rule, before=shown))
    assert min(panes.runs_rows, panes.selected_rows) >= MIN_PANE_ROWS
    assert min(panes.runs_width, panes.selected_width) >= 60
    other = compute_layout(*screen, gpus=1, needs=needing(selected, runs, rule=rule, before=panes))
    assert rule_of(other) == rule_of(panes)
    if 0.4 <= place <= 0.6:
        assert abs(rule_of(panes) - place) < 0.05


@given(st.floats(0, 1), st.integers(20, 60))
def test_a_rule_from_a_larger_screen_leaves_room_in_both_panes(place: float, height: int) -> None:
    large = compute_layout(120, 100, gpus=0)
    panes = compute_layout(80, height, gpus=0, needs=needing(50, 50, rule=rule_after(large, RulePlace(), place)))
    rows = panes.runs_rows, panes.selected_rows
    assert min(rows) >= min(RULE_PANE_ROWS, sum(rows) // 3)


def test_without_a_run_there_is_no_selected_run() -> None:
    assert compute_layout(120, 40, gpus=1, needs=PaneNeeds(runs=0)).selected_rows == 0
