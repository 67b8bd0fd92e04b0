"""The Metrics tab: one metric large, all in a table, facts, cursor and zoom."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from backprop_tui.domain.metric_series import MetricSeries
from backprop_tui.domain.run import Attempt, Checkpoint
from backprop_tui.domain.status import Status
from backprop_tui.plotting.axes import XUnit
from backprop_tui.plotting.track import Style
from backprop_tui.presentation.curves import AxisUnit
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.store.metrics import SeriesBuilder
from backprop_tui.tui.charts.chart import draw_chart
from backprop_tui.tui.charts.choices import ChartChoices, ChartNavigator
from backprop_tui.tui.charts.metric_charts import Plotter
from backprop_tui.tui.charts.metrics_tab import MetricsView, draw_metrics, metrics_view
from backprop_tui.tui.charts.source import ChartData
from backprop_tui.tui.glyphs import ASCII, UNICODE
from backprop_tui.tui.lines import Token, text_of, width_of
from tests.tui.charts.runs import chart_data, falling, series
from tests.tui.snapshots import NOW, ended, running

KNOWN = running(
    "nano",
    step=590,
    total_steps=1000,
    metrics={"loss": 2.1},
    step_seconds=0.118,
    eta_seconds=48.4,
    checkpoints=(Checkpoint(path="/c/400", step=400, saved_at=NOW.wall - 65, sound=True),),
)


def _view(data: ChartData | None = None, choices: ChartChoices | None = None) -> MetricsView:
    return metrics_view(Plotter(KNOWN, data or chart_data("nano"), choices or ChartChoices()), NOW, UNICODE)


def _facts(view: MetricsView) -> list[str]:
    return [text_of(line) for line in view.facts if line]


def _twice(again_at: int, *, value: float = 0.0) -> tuple[dict[str, MetricSeries], ChartData]:
    """A run that was resumed once, after 40 values, at the step `again_at`."""
    assert KNOWN.run is not None
    before = Attempt(number=1, started_at=NOW.wall - 60, boot_id="b", ended_at=NOW.wall - 20, status=Status.STOPPED)
    run = replace(KNOWN.run, attempts=(before, replace(before, number=2, started_at=NOW.wall + 100, ended_at=None)))
    losses = falling(60)
    before_resume = series("loss", losses[:40], every=10)
    after_resume = series(
        "loss", [loss + value for loss in losses[40:]], every=10, first=again_at, begun=NOW.wall + 100
    )
    both = replace(
        before_resume,
        buckets=before_resume.buckets + after_resume.buckets,
        last=after_resume.last,
        count=60,
    )
    metrics = {"loss": both}
    return metrics, chart_data("nano", metrics, run=run)


def test_the_loss_is_large_together_with_the_validation_loss() -> None:
    chart = _view().large
    assert (chart.title, chart.x.high, chart.planned, chart.checkpoints) == ("loss", 590.0, 1000.0, (400.0,))
    assert [(curve.label, curve.token, curve.style) for curve in chart.curves] == [
        ("", Token.FAINT, Style.BAND),
        ("train", Token.ACCENT, Style.LINE),
        ("val", Token.WARN, Style.POINTS),
    ]
    assert [chart.title for chart in _view().small] == ["lr"]


def test_a_few_points_are_not_smoothed() -> None:
    chart = _view(chart_data("nano", {"loss": series("loss", falling(9))})).large
    assert [curve.style for curve in chart.curves] == [Style.LINE]


def test_the_steep_beginning_and_outliers_do_not_determine_the_range() -> None:
    losses = [50.0, *falling(400)]
    losses[200] = 1e6
    chart = _view(chart_data("nano", {"loss": series("loss", losses)})).large
    assert chart.y.high < 8


def test_a_chosen_metric_is_large_and_the_loss_if_that_does_not_exist() -> None:
    view = _view(choices=ChartChoices(metric="lr"))
    assert view.large.title == "lr"
    assert [row.name for row in view.rows if row.chosen] == ["lr"]
    assert _view(choices=ChartChoices(metric="gone")).large.title == "loss"


def test_rows_show_last_and_best() -> None:
    metrics = {"acc": series("acc", [0.1, 0.9, 0.5]), "loss": series("loss", [3.0, 1.0, math.nan])}
    rows = {row.name: row for row in _view(chart_data("nano", metrics)).rows}
    assert (rows["acc"].value, rows["acc"].best, rows["acc"].bad) == ("0.5000", "0.9000", False)
    assert (rows["loss"].value, rows["loss"].best, rows["loss"].bad) == ("NaN", "1.000", True)


def test_facts_show_pace_checkpoints_and_the_newest_values() -> None:
    facts = _facts(_view())
    assert facts[:2] == ["step 590  train 2.098", "val 2.478 at step 500"]
    assert facts[2].startswith("pace 118 ms/step  ETA 50s, at")
    assert facts[3] == "◆ 1 checkpoint, newest 1m ago, intact"


def _navigator(choices: ChartChoices, data: ChartData | None = None) -> ChartNavigator:
    return ChartNavigator.of(Plotter(KNOWN, data or chart_data("nano"), choices))


def test_the_cursor_shows_the_values_of_all_metrics_at_its_position() -> None:
    choices = ChartChoices()
    _navigator(choices).move(-0.17)
    assert choices.cursor == pytest.approx(490)
    view = _view(choices=choices)
    assert _facts(view)[0].startswith("at step 490  train 2.19")
    assert [(row.name, row.value) for row in view.rows] == [("loss", "2.191"), ("val_loss", "2.478"), ("lr", "3.00e-4")]
    assert view.small[0].cursor == choices.cursor
    _navigator(choices).move(-1)
    assert choices.cursor == 0.0
    _navigator(choices).move(1)
    assert choices.cursor is None


def test_the_cursor_shows_the_running_time_too() -> None:
    _, data = _twice(400)
    assert _facts(_view(data, ChartChoices(cursor=350.0)))[0].startswith("at step 350  35s  2.")
    assert _facts(_view(data, ChartChoices(cursor=450.0)))[0].startswith("at step 450  45s  2.")


def test_the_cursor_moves_at_least_to_the_next_point() -> None:
    choices = ChartChoices(metric="val_loss")
    for _ in range(2):
        _navigator(choices).move(-0.001)
    assert choices.cursor == 300


def test_zoom_keeps_the_cursor_in_place_and_returns_to_the_whole_range() -> None:
    choices = ChartChoices(cursor=200.0, shows_plan=True)
    _navigator(choices).zoom(None, 0.5)
    assert choices.window == (100.0, 600.0)
    _navigator(choices).zoom(600.0, 0.5)
    assert choices.window == (350.0, 600.0)
    for _ in range(60):
        _navigator(choices).zoom(400.0, 0.5)
    assert choices.window is not None
    assert choices.window[1] - choices.window[0] == pytest.approx(1000 / 128)
    for _ in range(60):
        _navigator(choices).zoom(None, 2.0)
    assert choices.window is None


def test_a_dragged_range_is_zoomed_into_once_the_button_is_released() -> None:
    choices = ChartChoices()
    _navigator(choices).drag(300.0, 100.0, done=False)
    assert (choices.dragged, choices.window) == ((300.0, 100.0), None)
    _navigator(choices).drag(300.0, 100.0, done=True)
    assert (choices.dragged, choices.window) == (None, (100.0, 300.0))
    chart = _view(choices=choices).large
    assert (chart.x.low, chart.x.high, chart.note) == (100.0, 300.0, "zoomed")
    assert chart.y.high < 7
    choices.cursor = 290.0
    _navigator(choices).move(0.5)
    assert choices.window == (290.0, 490.0)  # it follows the cursor


def test_small_charts_follow_the_chosen_metric_and_a_grid_has_pages_of_all() -> None:
    many = chart_data("nano", {name: series(name, falling()) for name in ("loss", "val_loss", *"abcdefgh")})
    assert [chart.title for chart in _view(many).small] == ["a", "b", "c"]
    assert [chart.title for chart in _view(many, ChartChoices(metric="c")).small] == ["d", "e", "f"]
    assert [chart.title for chart in _view(many, ChartChoices(metric="h")).small] == ["loss", "val_loss", "a"]
    grid = metrics_view(Plotter(KNOWN, many, ChartChoices(metric="c", grid=True)), NOW, UNICODE, most=4)
    assert [(chart.title, chart.chosen) for chart in grid.small] == [
        ("c", True),
        ("d", False),
        ("e", False),
        ("f", False),
    ]
    assert text_of(draw_metrics(grid, 120, 40, UNICODE)[0]).startswith(" 5-8 of 10 metrics")


def test_metrics_are_filtered_by_an_expression_and_an_invalid_one_hides_none() -> None:
    view = _view(choices=ChartChoices(name_filter="^l"))
    assert [row.name for row in view.rows] == ["loss", "lr"]
    assert [row.name for row in _view(choices=ChartChoices(name_filter="rate|lr")).rows] == ["lr"]
    assert len(_view(choices=ChartChoices(name_filter="(")).rows) == 3
    assert len(_view(choices=ChartChoices(name_filter="nothing")).rows) == 3


def test_values_that_are_not_finite_interrupt_the_curve_and_are_marked_and_reported() -> None:
    losses = falling(60)
    losses[30:33] = [math.nan] * 3
    view = _view(chart_data("nano", {"loss": series("loss", losses, every=10)}))
    assert view.large.holes == (300.0,)
    assert [len(piece) for piece in view.large.curves[-1].pieces] == [30, 27]
    assert "! loss not finite 3 times, first at 300" in _facts(view)


def test_the_mark_of_values_that_are_not_finite_is_explained_where_two_lines_replace_the_table() -> None:
    losses = falling(60)
    losses[30] = math.nan
    metrics = {"loss": series("loss", losses, every=10), "val_loss": series("val_loss", falling(5), every=90)}
    rows = [text_of(line) for line in draw_metrics(_view(chart_data("nano", metrics)), 80, 16, UNICODE)]
    assert any("!" in row for row in rows[:-2])
    assert "! loss not finite at 300" in rows[-1] + rows[-2]


def test_steps_that_a_later_attempt_repeated_are_faint() -> None:
    _, data = _twice(300)
    _, faint, counts = _view(data).large.curves
    assert [(piece[0][0], piece[-1][0]) for piece in counts.pieces] == [(0.0, 300.0), (300.0, 490.0)]
    assert (faint.token, faint.style) == (Token.FAINT, Style.FAINT)
    assert [(piece[0][0], piece[-1][0]) for piece in faint.pieces] == [(310.0, 390.0)]


def test_a_resume_is_marked_and_judged() -> None:
    _, smooth = _twice(400)
    assert _view(smooth).large.restarts == ((2, 400.0),)
    assert "resumed once, no jump in loss" in _facts(_view(smooth))
    _, jumped = _twice(400, value=4.0)
    assert "resumed once, loss jumped at step 400" in _facts(_view(jumped))
    _, again = _twice(0, value=4.0)
    assert "resumed once, started over at step 0" in _facts(_view(again))
    assert [piece[0][0] for piece in _view(again).large.curves[-1].pieces] == [0.0, 0.0]


def test_the_guardians_resume_check_takes_precedence_over_the_curve() -> None:
    _, data = _twice(400)
    check = {"verdict": "restarted", "attempt": 2, "message": "started over at step 1 after 400"}
    known = replace(KNOWN, record={**KNOWN.record, "resume_check": check})
    view = metrics_view(Plotter(known, data, ChartChoices()), NOW, UNICODE)
    line = next(line for line in view.facts if text_of(line).startswith("resume"))
    assert text_of(line) == "resume attempt 2 started over at step 1 after 400"
    assert line[1].token is Token.WARN


def test_by_time_the_time_between_attempts_does_not_count() -> None:
    _, data = _twice(400)
    chart = _view(data, ChartChoices(by=XUnit.TIME)).large
    assert chart.x_unit is AxisUnit.SECONDS
    assert chart.restarts == ((2, 40.0),)
    assert chart.x.high == pytest.approx(59.0)
    clock = _view(data, ChartChoices(by=XUnit.CLOCK)).large
    assert clock.restarts == ((2, 160.0),)
    assert clock.x.high == pytest.approx(179.0)


def test_a_log_scale_leaves_out_values_without_a_logarithm_and_says_so() -> None:
    data = chart_data("nano", {"loss": series("loss", [0.0, *falling(50), -1.0])})
    chart = _view(data, ChartChoices(log=True)).large
    assert chart.y.is_log
    assert chart.y.low > 1
    assert chart.note == "log scale without values of 0 and less"
    assert _view(choices=ChartChoices(log=True)).large.note == "log scale"
    negative = _view(chart_data("nano", {"loss": series("loss", [-1.0, -2.0])}), ChartChoices(log=True)).large
    assert (negative.y.is_log, negative.note) == (False, "no value above 0 for a log scale")


def test_the_values_of_the_legend_differ_by_the_gap() -> None:
    noisy = [0.1281 + 0.05 * (-1) ** step for step in range(101)]
    metrics = {"loss": series("loss", noisy, every=10), "val_loss": series("val_loss", [0.1471] * 11, every=100)}
    chart = _view(chart_data("nano", metrics)).large
    train, validation = (float(curve.value) for curve in chart.curves if curve.label)
    assert chart.curves[-1].value == "0.1471"
    assert math.isclose(validation - train, float(chart.gap), abs_tol=1e-4)


def test_the_gap_is_between_training_and_validation_at_the_same_step() -> None:
    def gap(
        train: float, validation: float, *, validated: int, cursor: float | None = None, by: XUnit = XUnit.STEP
    ) -> str:
        metrics = {
            "loss": series("loss", [train] * 100, every=10),
            "val_loss": series("val_loss", [validation] * validated, every=100),
        }
        return _view(chart_data("nano", metrics), ChartChoices(cursor=cursor, by=by)).large.gap

    assert gap(0.1281, 0.1471, validated=10) == "0.0190 at 900"
    assert gap(0.1281, 0.1471, validated=11) == "0.0190"
    assert gap(0.1281, 0.1471, validated=10, cursor=410.0) == "0.0190 at 400"
    assert gap(2.5, 2.0, validated=11) == "-0.500"
    assert gap(2.5, 2.0, validated=11, by=XUnit.TIME) == "-0.500"
    assert gap(2.5, math.nan, validated=11) == ""
    assert gap(2.5, 2.0, validated=30) == ""  # beyond the training: nothing to compare it with
    assert _view(chart_data("nano", {"loss": series("loss", falling())})).large.gap == ""


def test_x_extends_to_the_planned_end_on_request() -> None:
    chart = _view(choices=ChartChoices(shows_plan=True)).large
    assert (chart.x.high, chart.planned) == (1000.0, None)
    by_time = _view(choices=ChartChoices(by=XUnit.TIME)).large
    assert by_time.planned is None


def test_the_pointer_moves_the_cursor_to_a_point_until_it_leaves() -> None:
    choices = ChartChoices()

    def hovered(at: float | None) -> float | None:
        _navigator(choices).hover(at)
        return choices.cursor

    assert [hovered(303.0), hovered(None)] == [300.0, None]
    _navigator(choices).point(196.0)
    assert [hovered(303.0), hovered(None)] == [300.0, 200.0]


def test_pauses_are_marked_on_an_axis_of_time() -> None:
    data = replace(chart_data("nano", run=KNOWN.run), pauses=((NOW.wall - 30, NOW.wall - 20), (NOW.wall - 5, None)))
    assert _view(data).large.pauses == ()
    chart = _view(data, ChartChoices(by=XUnit.TIME)).large
    assert chart.pauses == ((30.0, 40.0), (55.0, chart.x.high))


def _empty_text(known: KnownRun, *, caught_up: bool = True) -> str:
    data = replace(chart_data("nano", {}), caught_up=caught_up)
    return metrics_view(Plotter(known, data, ChartChoices()), NOW, UNICODE).large.empty_text


def test_without_metrics_it_says_which_formats_are_understood() -> None:
    assert _empty_text(running("nano")).startswith("No metrics yet. Understood: ")
    assert _empty_text(ended("nano")).startswith("No metrics. Understood: ")
    assert _view(ChartData(run_id="nano", problem="cannot be read")).large.empty_text == "cannot be read"


def test_it_has_no_metrics_only_if_all_was_read_and_no_value_is_known() -> None:
    assert _empty_text(running("nano"), caught_up=False) == "reading"
    assert _empty_text(running("nano", metrics={"loss": 1.2})) == "waiting for the first points"
    assert _empty_text(ended("nano", metrics={"loss": 1.2})) == "no points are recorded"


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
@pytest.mark.parametrize(
    "size", [(120, 36), (120, 13), (80, 21), (80, 6), (82, 38), (200, 45), (60, 6), (20, 2), (5, 1)]
)
def test_the_tab_fills_every_size(size: tuple[int, int], glyphs: object) -> None:
    chosen = UNICODE if glyphs is UNICODE else ASCII
    many = {name: series(name, falling()) for name in ("loss", "val_loss", *(f"metric-{place}" for place in range(30)))}
    for data in (chart_data("nano"), chart_data("nano", many), chart_data("nano", {})):
        view = metrics_view(Plotter(KNOWN, data, ChartChoices(metric="metric-29")), NOW, chosen)
        lines = draw_metrics(view, *size, chosen)
        assert len(lines) == size[1]
        assert all(width_of(line) <= size[0] for line in lines)
    if size[1] > 10:
        text = "\n".join(map(text_of, draw_metrics(view_of(many), *size, chosen)))
        assert "metric-29" in text


def view_of(metrics: dict[str, MetricSeries]) -> MetricsView:
    return _view(chart_data("nano", metrics), ChartChoices(metric="metric-29"))


def test_a_best_that_is_smoothed_is_marked_because_it_may_be_worse_than_the_last() -> None:
    metrics = {"loss": series("loss", falling(60)), "acc": series("acc", falling(60))}
    view = _view(chart_data("nano", metrics))
    text = "\n".join(map(text_of, draw_metrics(view, 120, 30, UNICODE)))
    loss, accuracy = view.rows
    assert "best *smoothed" in text
    assert f"{loss.best}* " in text
    assert f"{accuracy.best}  " in text


def test_the_best_value_of_the_objective_goes_by_its_direction() -> None:
    objective = {"metric": "score", "direction": "max", "source": "option"}
    known = replace(KNOWN, record=KNOWN.record | {"objective": objective, "metrics": {"score": 2.0}})
    data = chart_data("nano", {"score": series("score", [1.0, 3.0, 2.0])})
    (row,) = metrics_view(Plotter(known, data, ChartChoices()), NOW, UNICODE).rows
    assert row.best == "3.000"


def test_output_that_was_not_read_interrupts_the_curve_and_is_reported() -> None:
    builder = SeriesBuilder("loss")
    for step in range(60):
        if step == 30:
            builder.note_skip()
        builder.add(3 - step / 30, step)
    known = replace(KNOWN, record=KNOWN.record | {"best": {"loss": {"value": 1.25, "step": 58}}})
    view = metrics_view(Plotter(known, chart_data("nano", {"loss": builder.snapshot()}), ChartChoices()), NOW, UNICODE)
    assert [row.best for row in view.rows] == ["1.250"], "as everywhere else"
    assert [len(piece) for piece in view.large.curves[-1].pieces] == [30, 30]
    assert "! figures missing: not all output was read" in _facts(view)
    for width, text in ((60, "loss  1.033  ! figures missing"), (24, "loss  1.033  !")):
        assert text in text_of(draw_chart(view.large, width, 10, UNICODE)[0])
