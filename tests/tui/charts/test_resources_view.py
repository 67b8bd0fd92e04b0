"""The Resources tab shows what the run used lately, limits as lines, peaks in the legends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backprop_tui.domain.limits import MemoryLimit, RunLimits
from backprop_tui.tui.charts.figures import RunFigures, Used
from backprop_tui.tui.charts.resources_tab import draw_resources
from backprop_tui.tui.charts.resources_view import ResourcesView, resources_view
from backprop_tui.tui.glyphs import ASCII, UNICODE
from backprop_tui.tui.lines import text_of, width_of
from tests.tui.charts.runs import figures
from tests.tui.snapshots import NOW, gpu, running, sample, snapshot

LIMITS = RunLimits(gpu_memory_limit=MemoryLimit(fraction=0.8))
KNOWN = running("nano", spec={"limits": LIMITS})
NOW_KNOWN = snapshot(KNOWN, sample=sample(gpu()))


def _view(found: RunFigures | None = None, *, seconds: float = 1800, going_on: bool = True) -> ResourcesView:
    found = found or figures("nano", {}, run=KNOWN.run)
    return resources_view(NOW_KNOWN, found, seconds, going_on=going_on)


def test_four_charts_with_limits_and_peaks() -> None:
    charts = _view().charts
    assert [(one.title, one.value) for one in charts] == [
        ("GPU 0 utilisation", "89%"),
        ("VRAM", "61.2 GB"),
        ("temperature", "76 C"),
        ("RAM", "21.4 GB   CPU  1.5 cores"),
    ]
    legends = [[f"{curve.label} {curve.value}".strip() for curve in one.curves if curve.label] for one in charts]
    assert legends == [
        ["mean 84%"],
        ["limit 64 GB", "peak 61.2 GB"],
        ["pauses at 85", "peak 76 C"],
        ["CPU of 32 cores", "peak 21.4 GB"],
    ]


def test_without_a_gpu_cpu_and_ram_have_a_chart_each() -> None:
    used = (Used(time=NOW.wall - 5, cpu_percent=120.0, ram_bytes=2_000_000_000, processes=1),)
    assert [one.title for one in _view(RunFigures(run_id="nano", used=used)).charts] == ["CPU", "RAM"]


def test_a_short_history_fills_the_chart() -> None:
    assert _view().charts[0].x.low == -600
    assert _view(seconds=7200).range_words == "10m"
    assert _view(RunFigures(run_id="nano", used=(Used(time=NOW.wall - 4000),))).charts[0].x.low == -1800


def test_a_pause_in_sampling_is_a_gap() -> None:
    found = figures("nano", {}, run=KNOWN.run)
    torn = replace(found, used=found.used[:20] + found.used[40:])
    assert len(_view(torn).charts[0].curves[0].pieces) == 2


def test_an_ended_run_shows_its_last_minutes() -> None:
    found = figures("nano", {}, run=KNOWN.run)
    old = replace(found, used=tuple(replace(one, time=one.time - 90_000) for one in found.used))
    view = _view(old, going_on=False)
    assert view.charts[0].curves[0].pieces[-1][-1][0] == 0.0
    assert view.range_words == "10m to its end"
    assert text_of(draw_resources(view, 120, 30, UNICODE)[-2]).rstrip().endswith("end")


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
@pytest.mark.parametrize(
    "size", [(120, 36), (120, 13), (80, 21), (80, 6), (80, 4), (82, 38), (200, 45), (20, 2), (5, 1)]
)
def test_the_tab_fills_every_size(size: tuple[int, int], glyphs: object) -> None:
    for view in (_view(), _view(RunFigures(run_id="nano"))):
        lines = draw_resources(view, *size, UNICODE if glyphs is UNICODE else ASCII)
        assert len(lines) == size[1]
        assert all(width_of(line) <= max(size[0], 46) for line in lines)


def test_the_range_and_the_processes_are_told() -> None:
    last = text_of(draw_resources(_view(), 120, 30, UNICODE)[-1])
    assert last.strip() == "all of this run's 14 processes   x range 10m"
