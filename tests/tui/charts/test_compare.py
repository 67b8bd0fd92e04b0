"""Comparing runs shows the best of each row, the options that differ, and the curves with their letters."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from backprop_tui.presentation.compare import ComparedRun
from backprop_tui.tui.charts.choices import ChartChoices
from backprop_tui.tui.charts.compare import CompareView, compare_view, compared_run, draw_compare
from backprop_tui.tui.glyphs import ASCII, UNICODE
from backprop_tui.tui.lines import text_of, width_of
from tests.tui.charts.runs import chart_data, falling, series
from tests.tui.snapshots import NOW, ended, queued, running
from tests.tui.sweep import sweep_runs


def _compared(run_id: str, lr: str, to: float, count: int = 40) -> ComparedRun:
    plain = running(run_id, step=count)
    command = ["python", "train.py", "--lr", lr, "--opt", "adamw"]
    known = replace(plain, record={**plain.record, "command": command})
    metrics = {"loss": series("loss", falling(count, to=to)), "acc": series("acc", [1 / to] * count)}
    return compared_run(known, chart_data(run_id, metrics, run=known.run))


RUNS = (_compared("one", "1e-3", 2.0), _compared("two", "3e-4", 1.0, 80), _compared("three", "1e-4", 3.0))


def _view(choices: ChartChoices | None = None, *, all_options: bool = False) -> CompareView:
    return compare_view(RUNS, choices or ChartChoices(), NOW, all_options=all_options)


def test_the_best_of_a_row_is_starred_whichever_way_is_better() -> None:
    best = {row.label: row.best for row in _view().results}
    assert best["loss (last)"] == frozenset()  # of a minibatch
    assert best["loss (smoothed best)"] == {1}
    assert best["acc (best)"] == {1}
    assert best["step"] == frozenset()


def test_runs_of_unequal_length_have_no_best_without_a_word_about_it() -> None:
    assert _view().best_text.endswith(", unequal steps")
    even = [_compared("a", "1e-3", 2.0, 40), _compared("b", "3e-4", 1.0, 39)]
    assert "unequal" not in compare_view(even, ChartChoices(), NOW, all_options=False).best_text


def test_where_a_value_has_no_room_for_its_step_that_is_below_it() -> None:
    for width in (80, 200):
        lines = [text_of(line) for line in draw_compare(_view(), width, 39, UNICODE, all_options=False).lines]
        at = next(index for index, line in enumerate(lines) if line.startswith(" acc (best)"))
        assert re.findall(r"at \d+", lines[at] + lines[at + 1]) == ["at 0", "at 0", "at 0"]


def test_a_long_label_is_whole_where_two_runs_leave_the_room() -> None:
    runs = []
    for run in RUNS[:2]:
        metrics = {"validation/perplexity_loss": series("validation/perplexity_loss", [2.0, 1.0])}
        runs.append(compared_run(run.known, chart_data(run.known.id, metrics, run=run.run)))
    view = compare_view(runs, ChartChoices(), NOW, all_options=False)
    text = "\n".join(map(text_of, draw_compare(view, 80, 39, UNICODE, all_options=False).lines))
    assert "validation/perplexity_loss (best)" in text
    assert "validation/perplexity_loss (last)" in text


def test_options_that_are_the_same_are_left_out_and_counted() -> None:
    view = _view()
    assert [(row.label, row.cells) for row in view.options] == [("--lr", ("1e-3", "3e-4", "1e-4"))]
    everything = _view(all_options=True)
    assert len(everything.options) == view.same + 1
    assert "--opt" in [row.label for row in everything.options]


def test_curves_are_overlaid_with_a_colour_and_a_letter_each() -> None:
    chart = _view().chart
    assert [curve.letter for curve in chart.curves] == ["A", "B", "C"]
    assert len({curve.token for curve in chart.curves}) == 3
    assert chart.x.high == 79.0
    text = "\n".join(map(text_of, draw_compare(_view(), 120, 39, UNICODE, all_options=False).lines))
    assert all(text.count(letter) >= 2 for letter in "ABC")


def test_a_run_that_is_not_read_yet_has_a_column() -> None:
    view = compare_view([RUNS[0], compared_run(RUNS[1].known, None)], ChartChoices(), NOW, all_options=False)
    assert {row.label: row.cells for row in view.results}["loss (last)"][1] == "-"


def test_runs_have_no_metrics_only_once_all_of_them_are_read() -> None:
    unread, empty = compared_run(RUNS[0].known, None), compared_run(RUNS[1].known, chart_data("two", {}))
    assert compare_view([unread, empty], ChartChoices(), NOW, all_options=False).chart.empty_text == "reading"
    view = compare_view([empty, empty], ChartChoices(), NOW, all_options=False)
    assert view.chart.empty_text == "these runs have no metrics"


def test_a_queued_run_is_waiting() -> None:
    view = compare_view([RUNS[0], compared_run(queued("next"), None)], ChartChoices(), NOW, all_options=False)
    shown = "".join(text_of(line) for line in draw_compare(view, 120, 39, UNICODE, all_options=False).lines)
    assert "waiting" in shown
    assert "queued" not in shown


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
@pytest.mark.parametrize("size", [(120, 39), (80, 23), (200, 49), (60, 10), (30, 5), (10, 2)])
def test_the_screen_fits_every_size(size: tuple[int, int], glyphs: object) -> None:
    for everything in (False, True):
        shown = draw_compare(_view(all_options=everything), *size, UNICODE if glyphs is UNICODE else ASCII,
                             all_options=everything).lines  # fmt: skip
        assert everything or len(shown) <= size[1]
        assert size[0] < 60 or all(width_of(line) <= size[0] for line in shown)


def test_runs_of_a_group_are_named_by_what_differs() -> None:
    runs = [_compared(f"train:lr={lr},seed=1", lr, 2.0) for lr in ("1e-3", "3e-4")]
    view = compare_view(runs, ChartChoices(), NOW, all_options=False)
    assert [column.name for column in view.columns] == ["lr=1e-3", "lr=3e-4"]


def test_options_that_differ_are_shown_before_the_chart_takes_the_rest() -> None:
    view = compare_view(_sweep("1e-2", 2) + _sweep("3e-3", 2), ChartChoices(), NOW, all_options=False)
    page = draw_compare(view, 80, 20, UNICODE, all_options=False)
    shown = "\n".join(map(text_of, page.lines))
    assert len(view.options) == 2
    assert all(f" {option.label} " in shown for option in view.options)
    assert 0 < page.chart_rows < 8


def _sweep(lr: str, seeds: int) -> list[ComparedRun]:
    runs = [run for run in sweep_runs() if f"--lr {lr} " in " ".join(run.record["command"]) + " "]
    metrics = {"val_loss": series("val_loss", falling(40, to=1.0))}
    return [compared_run(run, chart_data(run.id, metrics)) for run in runs[:seeds]]


def test_the_baseline_is_called_so_in_the_row_of_the_differences() -> None:
    view = compare_view(_sweep("1e-2", 2), ChartChoices(), NOW, all_options=False)
    (row,) = [row for row in view.results if row.label == "best - A"]
    assert row.cells[0] == "baseline"


@pytest.mark.parametrize(("counts", "label"), [((2, 2), "2 compared seeds"), ((2, 3), "2-3 compared seeds")])
def test_a_mean_names_how_many_of_the_compared_seeds_are_in_it(counts: tuple[int, int], label: str) -> None:
    runs = [*_sweep("1e-2", counts[0]), *_sweep("3e-3", counts[1])]
    view = compare_view(runs, ChartChoices(), NOW, all_options=False)
    assert f"mean of {label}" in [row.label for row in view.results]
    if len(runs) == 4:
        lines = draw_compare(view, 120, 39, UNICODE, all_options=False).lines
        assert any(f"mean of {label} " in text_of(line) for line in lines)


def test_a_cursor_reads_every_curve_up_to_its_end() -> None:
    row = _view(ChartChoices(cursor=50.0)).results[0]
    assert row.label == "loss (at 50)"
    assert [cell != "-" for cell in row.cells] == [False, True, False]
    assert all(cell != "-" for cell in _view(ChartChoices(cursor=20.0)).results[0].cells)


def test_a_chosen_metric_stands_first_and_is_starred_only_where_its_name_shows_which_way_is_better() -> None:
    rows = _view(ChartChoices(metric="acc")).results
    assert [row.label for row in rows[:2]] == ["acc (last)", "acc (best)"]
    assert rows[0].best == {1}


def test_a_part_of_x_has_its_own_range_of_y() -> None:
    whole, part = _view().chart, _view(ChartChoices(window=(30.0, 60.0))).chart
    assert (part.x.low, part.x.high) == (30.0, 60.0)
    assert part.y.high < whole.y.high
    assert "zoomed" in part.note


def test_a_text_is_not_cut_beside_free_columns() -> None:
    option = "a note that takes more than a column usually has"
    known = replace(RUNS[0].known, record={**RUNS[0].known.record, "note": option})
    view = compare_view([compared_run(known, None), RUNS[1]], ChartChoices(), NOW, all_options=False)
    lines = draw_compare(view, 160, 39, UNICODE, all_options=False).lines
    assert any(option in text_of(line) for line in lines)


def _recorded(run_id: str, loss: float, best: float | None = None, **fields: Any) -> ComparedRun:
    """A run of which only the record has values."""
    known = ended(run_id, metrics={"val_loss": loss}, **fields)
    values = {} if best is None else {"val_loss": {"value": best, "step": 9}}
    return compared_run(replace(known, record=known.record | {"best": values}), chart_data(run_id, {}, run=known.run))


def test_runs_without_points_are_compared_by_what_is_on_record() -> None:
    view = compare_view([_recorded("a", 0.3, 0.1), _recorded("b", 0.2, 0.2)], ChartChoices(), NOW, all_options=False)
    cells = {row.label: row.cells for row in view.results}
    assert cells["val_loss (last)"] == ("0.3000", "0.2000")
    assert cells["val_loss (best)"] == ("0.1000 at 9", "0.2000 at 9")
    assert view.best_text == "best A, val_loss 0.1000"
    assert view.chart.empty_text == "no points on record, only the values above"


def test_without_any_best_value_on_record_the_last_ones_are_compared_and_named_so() -> None:
    runs = [_recorded("a", 0.3), _recorded("b", 0.2)]
    view = compare_view(runs, ChartChoices(), NOW, all_options=False)
    assert view.best_text == "best B, last val_loss 0.2000"
    mixed = compare_view([*runs, _recorded("c", 0.4, 0.4)], ChartChoices(), NOW, all_options=False)
    assert mixed.best_text == "best C, val_loss 0.4000"
    begun = [compared_run(running(name, metrics={"val_loss": 0.1}), None) for name in "ab"]
    assert compare_view(begun, ChartChoices(), NOW, all_options=False).best is None


def test_a_best_value_is_never_compared_with_a_last_one() -> None:
    runs = [_recorded("a", 0.3, 0.1), _recorded("b", 0.2)]
    rows = {row.label: row.cells for row in compare_view(runs, ChartChoices(), NOW, all_options=False).results}
    assert rows["best - A"] == ("baseline", "-")
    lasts = [_recorded("a", 0.3), _recorded("b", 0.2)]
    rows = {row.label: row.cells for row in compare_view(lasts, ChartChoices(), NOW, all_options=False).results}
    assert rows["last - A"] == ("baseline", "-0.10000")


def test_the_best_by_a_smoothed_loss_says_so() -> None:
    metrics = {"loss": series("loss", falling(40, to=1.0))}
    runs = [compared_run(ended(name), chart_data(name, metrics)) for name in "ab"]
    view = compare_view(runs, ChartChoices(), NOW, all_options=False)
    assert view.best_text.startswith("best A, smoothed loss ")
    assert "smoothed best - A" in [row.label for row in view.results]


def test_options_use_the_rows_that_are_too_few_for_the_chart() -> None:
    def run(run_id: str, number: int) -> ComparedRun:
        options = [f"--option-{option}={number}" for option in range(12)]
        plain = running(run_id)
        known = replace(plain, record={**plain.record, "command": ["python", "train.py", *options]})
        return compared_run(known, chart_data(run_id, {"loss": series("loss", falling(10))}, run=known.run))

    view = compare_view([run("a", 1), run("b", 2)], ChartChoices(), NOW, all_options=False)
    for height in range(12, 40):
        page = draw_compare(view, 80, height, UNICODE, all_options=False)
        texts = [text_of(line).strip() for line in page.lines]
        more = [text for text in texts if text.endswith(" more")]
        shown = sum(text.startswith("--option-") for text in texts)
        assert more == ([] if shown == 12 else [f"… {12 - shown} more"])
        assert page.chart_rows or shown == 12 or len(texts) == height, (height, texts)
        assert len(texts) <= height
