"""The curves of a group: every curve is in the legend or counted, at every height."""

from __future__ import annotations

import re

import pytest

from backprop_tui.presentation.group_table import group_table
from backprop_tui.tui.charts.choices import ChartChoices
from backprop_tui.tui.charts.compare import compared_run
from backprop_tui.tui.charts.group_curves import color_parameters, draw_group_curves, group_curves
from backprop_tui.tui.charts.overlay import OverlayCache
from backprop_tui.tui.glyphs import UNICODE
from backprop_tui.tui.lines import text_of
from tests.tui.charts.runs import chart_data, falling, series
from tests.tui.sweep import sweep_run


def _lines(count: int, height: int) -> list[str]:
    runs = []
    for place in range(count):
        known = sweep_run(f"--lr {place + 1}", None, metrics={"val_loss": 1.0}, best={})
        metrics = {"val_loss": series("val_loss", falling(40, to=1 + place / 2))}
        runs.append(compared_run(known, chart_data(known.id, metrics)))
    table = group_table([run.record for run in runs])
    parameter = next(iter(color_parameters(table)), None)
    curves = group_curves(runs, table, parameter, ChartChoices(), OverlayCache())
    lines, _ = draw_group_curves(curves, 60, height, UNICODE, note="", keys={})
    return [text_of(line) for line in lines]


@pytest.mark.parametrize("height", [*range(3, 13), 30])
@pytest.mark.parametrize("count", [1, 3, 12])
def test_the_legend_counts_the_curves_that_it_leaves_out(count: int, height: int) -> None:
    lines = _lines(count, height)
    assert len(lines) == height
    text = "\n".join(lines)
    named = re.findall(r"━━ [A-L] \d+", text)
    left_out = re.search(r"\+(\d+) more", text)
    assert len(named) + int(left_out[1] if left_out else 0) == (0 if count == 1 else count)


@pytest.mark.parametrize("height", [3, 4, 5])
def test_a_pane_of_a_few_rows_has_curves_or_says_that_it_has_no_room(height: int) -> None:
    text = "\n".join(_lines(3, height))
    assert ("no room for the curves" in text) == (height == 3)
    assert re.search(r"[⠁-⣿]", text) is None or height > 3
