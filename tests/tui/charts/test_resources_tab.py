"""The Resources tab shows what the run used lately, limits as lines, peaks in the legends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backprop_tui.domain.limits import MemoryLimit, RunLimits
from backprop_tui.tui.charts.resources_tab import ResourcesView, draw_resources, resources_view
from backprop_tui.tui.charts.source import ChartData, ResourceSample
from backprop_tui.tui.glyphs import ASCII, UNICODE
from backprop_tui.tui.lines import text_of, width_of
from tests.tui.charts.runs import chart_data
from tests.tui.snapshots import NOW, gb, gpu, queued, running, sample, snapshot

LIMITS = RunLimits(gpu_memory_limit=MemoryLimit(fraction=0.8))
KNOWN = running("nano", spec={"limits": LIMITS})
NOW_KNOWN = snapshot(KNOWN, sample=sample(gpu()))


def _view(data: ChartData | None = None, *, seconds: float = 1800, active: bool = True) -> ResourcesView:
    data = data or chart_data("nano", {}, run=KNOWN.run)
    return resources_view(NOW_KNOWN, data, seconds, active=active)


def test_each_reading_has_a_chart_with_its_limit_and_peak() -> None:
    charts = _view().charts
    assert [(chart.title, chart.value) for chart in charts] == [
        ("GPU 0 utilization", "87%"),
        ("VRAM", "61.2 GB"),
        ("temperature", "71 °C"),
        ("CPU", "1.5 cores"),
        ("RAM", "21.4 GB"),
    ]
    legends = [[f"{curve.label} {curve.value}".strip() for curve in chart.curves if curve.label] for chart in charts]
    assert legends == [
        ["mean 85%"],
        ["limit 64 GB", "peak 61.2 GB"],
        ["pauses at 85", "peak 76 °C"],
        ["peak 1.5"],
        ["peak 21.4 GB"],
    ]


def test_the_headings_of_an_active_run_show_what_the_gauges_show() -> None:
    """A run writes a sample every few seconds, in which a GPU cools down."""
    of_another_run, earlier = sample(gpu(1, temperature_celsius=45.0)), sample(gpu(temperature_celsius=45.0), time=0.0)
    now = sample(gpu(temperature_celsius=45.0))
    for active, current, shown in (
        (True, now, "45 °C"),
        (True, earlier, "76 °C"),
        (True, of_another_run, "76 °C"),
        (False, now, "76 °C"),
    ):
        known = snapshot(KNOWN, sample=current)
        view = resources_view(known, chart_data("nano", {}, run=KNOWN.run), 1800, active=active)
        assert {chart.title: chart.value for chart in view.charts}["temperature"] == shown


def test_without_a_gpu_cpu_and_ram_have_a_chart_each() -> None:
    samples = (ResourceSample(time=NOW.wall - 5, cpu_percent=120.0, ram_bytes=gb(2), processes=1),)
    assert [chart.title for chart in _view(ChartData(run_id="nano", resources=samples)).charts] == ["CPU", "RAM"]


def test_a_run_that_waits_has_one_sentence() -> None:
    waiting = queued("later")
    view = resources_view(snapshot(waiting), ChartData(run_id="later", run=waiting.run), 1800, active=False)
    lines = [text_of(line).strip() for line in draw_resources(view, 100, 20, UNICODE)]
    assert len(lines) == 20
    assert list(filter(None, lines)) == ["Not started yet, so nothing is measured"]


def test_a_short_history_fills_the_chart() -> None:
    assert _view().charts[0].x.low == -600
    assert _view(seconds=7200).range_text == "10m"
    assert _view(ChartData(run_id="nano", resources=(ResourceSample(time=NOW.wall - 4000),))).charts[0].x.low == -1800


def test_a_pause_in_sampling_is_a_gap() -> None:
    data = chart_data("nano", {}, run=KNOWN.run)
    torn = replace(data, resources=data.resources[:20] + data.resources[40:])
    assert len(_view(torn).charts[0].curves[0].pieces) == 2


def test_an_ended_run_shows_its_last_minutes() -> None:
    data = chart_data("nano", {}, run=KNOWN.run)
    old = replace(data, resources=tuple(replace(sample_, time=sample_.time - 90_000) for sample_ in data.resources))
    view = _view(old, active=False)
    assert view.charts[0].curves[0].pieces[-1][-1][0] == 0.0
    assert view.range_text == "10m before its end"
    assert text_of(draw_resources(view, 120, 30, UNICODE)[-2]).rstrip().endswith("end")


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
@pytest.mark.parametrize(
    "size", [(120, 36), (120, 13), (80, 21), (80, 6), (80, 4), (82, 38), (200, 45), (20, 2), (5, 1)]
)
def test_the_tab_fills_every_size(size: tuple[int, int], glyphs: object) -> None:
    for view in (_view(), _view(ChartData(run_id="nano"))):
        lines = draw_resources(view, *size, UNICODE if glyphs is UNICODE else ASCII)
        assert len(lines) == size[1]
        assert all(width_of(line) <= max(size[0], 46) for line in lines)


def test_the_last_line_shows_the_range_and_the_number_of_processes() -> None:
    last = text_of(draw_resources(_view(), 120, 30, UNICODE)[-1])
    assert last.strip() == "14 processes   last 10m (x changes)"
