"""The Metrics tab shows one metric large, all in a table, and says what happened."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from backprop_tui.domain.run import Attempt, Checkpoint
from backprop_tui.domain.status import Status
from backprop_tui.store.metrics import Course
from backprop_tui.tui.charts.chart import Unit
from backprop_tui.tui.charts.choices import ChartChoices
from backprop_tui.tui.charts.figures import RunFigures
from backprop_tui.tui.charts.metrics_tab import draw_metrics
from backprop_tui.tui.charts.metrics_view import MetricsView, metrics_view, moved_cursor
from backprop_tui.tui.drawing.lines import text_of, width_of
from backprop_tui.tui.snapshot import Curve
from backprop_tui.tui.view.tokens import Token
from backprop_tui.tui.wording.glyphs import ASCII, UNICODE
from tests.tui.charts.runs import course, falling, figures
from tests.tui.snapshots import NOW, running

KNOWN = running(
    "nano",
    step=590,
    total_steps=1000,
    metrics={"loss": 2.1},
    curve=Curve(step_seconds=0.118),
    checkpoints=(Checkpoint(path="/c/400", step=400, saved_at=NOW.wall - 65, sound=True),),
)


def _view(found: RunFigures | None = None, choices: ChartChoices | None = None) -> MetricsView:
    return metrics_view(KNOWN, found or figures("nano"), choices or ChartChoices(), NOW, UNICODE)


def _facts(view: MetricsView) -> list[str]:
    return [text_of(line) for line in view.facts if line]


def _twice(again_at: int, *, value: float = 0.0) -> tuple[dict[str, Course], RunFigures]:
    """A run that was resumed once after 40 values, at a step."""
    assert KNOWN.run is not None
    before = Attempt(number=1, started_at=NOW.wall - 60, boot_id="b", ended_at=NOW.wall - 20, status=Status.STOPPED)
    run = replace(KNOWN.run, attempts=(before, replace(before, number=2, started_at=NOW.wall + 100, ended_at=None)))
    losses = falling(60)
    one = course("loss", losses[:40], every=10)
    two = course("loss", [loss + value for loss in losses[40:]], every=10, first=again_at, begun=NOW.wall + 100)
    both = replace(one, buckets=one.buckets + two.buckets, last=two.last, count=60)
    metrics = {"loss": both}
    return metrics, figures("nano", metrics, run=run)


def test_the_loss_is_large_with_what_it_is_on_other_data() -> None:
    chart = _view().large
    assert (chart.title, chart.x.high, chart.checkpoints) == ("loss", 1000.0, (400.0,))
    assert [(one.label, one.token, one.faint) for one in chart.curves] == [
        ("", Token.FAINT, True),
        ("train", Token.ACCENT, False),
        ("val", Token.WARN, False),
    ]
    assert [one.title for one in _view().small] == ["lr"]


def test_a_few_points_are_not_smoothed() -> None:
    chart = _view(figures("nano", {"loss": course("loss", falling(9))})).large
    assert [one.faint for one in chart.curves] == [False]


def test_the_steep_beginning_and_outliers_do_not_settle_the_range() -> None:
    losses = [50.0, *falling(400)]
    losses[200] = 1e6
    chart = _view(figures("nano", {"loss": course("loss", losses)})).large
    assert chart.y.high < 8


def test_another_metric_is_large_where_it_was_chosen_and_the_loss_where_it_is_not_there() -> None:
    view = _view(choices=ChartChoices(metric="lr"))
    assert view.large.title == "lr"
    assert [row.name for row in view.rows if row.chosen] == ["lr"]
    assert _view(choices=ChartChoices(metric="gone")).large.title == "loss"


def test_rows_tell_last_and_best() -> None:
    metrics = {"acc": course("acc", [0.1, 0.9, 0.5]), "loss": course("loss", [3.0, 1.0, math.nan])}
    rows = {row.name: row for row in _view(figures("nano", metrics)).rows}
    assert (rows["acc"].last, rows["acc"].best, rows["acc"].bad) == ("0.5000", "0.9000", False)
    assert (rows["loss"].last, rows["loss"].best, rows["loss"].bad) == ("NaN", "1.000", True)


def test_pace_checkpoints_and_the_newest_values_are_told() -> None:
    facts = _facts(_view())
    assert facts[0].startswith("newest step 590  2.0")
    assert facts[1].startswith("pace 118 ms/step  1k in 50s")
    assert facts[2] == "◆ 1 checkpoint, newest 1m ago, sound"


def test_the_cursor_reads_the_values_at_its_place() -> None:
    choices = ChartChoices()
    choices.cursor = moved_cursor(figures("nano"), choices, -10, 59)
    assert choices.cursor == pytest.approx(490)
    assert _facts(_view(choices=choices))[0].startswith("at cursor step 490  2.19")
    assert moved_cursor(figures("nano"), choices, -100, 59) == 0.0
    assert moved_cursor(figures("nano"), choices, 100, 59) is None


def test_a_resume_is_marked_and_judged() -> None:
    _, smooth = _twice(400)
    assert _view(smooth).large.restarts == (400.0,)
    assert "resumed once, no jump in loss" in _facts(_view(smooth))
    _, jumped = _twice(400, value=4.0)
    assert "resumed once, loss jumped at step 400" in _facts(_view(jumped))
    _, again = _twice(0, value=4.0)
    assert "resumed once, began again at step 0" in _facts(_view(again))
    assert len(_view(again).large.curves[-1].pieces) == 2


def test_by_time_what_passed_between_attempts_does_not_count() -> None:
    _, found = _twice(400)
    chart = _view(found, ChartChoices(by_time=True)).large
    assert chart.x_unit is Unit.SECONDS
    assert chart.restarts == (40.0,)
    assert chart.x.high == pytest.approx(59.0)


def test_a_log_scale_leaves_out_what_has_no_logarithm() -> None:
    found = figures("nano", {"loss": course("loss", [0.0, *falling(50), -1.0])})
    chart = _view(found, ChartChoices(log=True)).large
    assert chart.y.is_log
    assert chart.y.low > 1


def test_without_figures_it_says_what_is_understood() -> None:
    view = _view(figures("nano", {}))
    assert view.large.nothing.startswith("No figures yet")
    assert _view(RunFigures(run_id="nano", problem="cannot be read")).large.nothing == "cannot be read"


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
@pytest.mark.parametrize(
    "size", [(120, 36), (120, 13), (80, 21), (80, 6), (82, 38), (200, 45), (60, 6), (20, 2), (5, 1)]
)
def test_the_tab_fills_every_size(size: tuple[int, int], glyphs: object) -> None:
    chosen = UNICODE if glyphs is UNICODE else ASCII
    many = {name: course(name, falling()) for name in ("loss", "val_loss", *(f"metric-{place}" for place in range(30)))}
    for found in (figures("nano"), figures("nano", many), figures("nano", {})):
        view = metrics_view(KNOWN, found, ChartChoices(metric="metric-29"), NOW, chosen)
        lines = draw_metrics(view, *size, chosen)
        assert len(lines) == size[1]
        assert all(width_of(line) <= size[0] for line in lines)
    if size[1] > 10:
        text = "\n".join(map(text_of, draw_metrics(view_of(many), *size, chosen)))
        assert "metric-29" in text


def view_of(metrics: dict[str, Course]) -> MetricsView:
    return _view(figures("nano", metrics), ChartChoices(metric="metric-29"))
