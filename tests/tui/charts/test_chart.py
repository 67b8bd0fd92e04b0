"""Drawing a chart: it fills its area exactly, at every size and with any values."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.plotting.axes import Scale
from backprop_tui.plotting.track import Style
from backprop_tui.presentation.curves import AxisUnit, axis_duration, tick_labels
from backprop_tui.tui.charts.chart import Chart, ChartCurve, chart_frame, draw_chart
from backprop_tui.tui.glyphs import ASCII, UNICODE
from backprop_tui.tui.lines import Token, text_of, width_of

LINE = tuple((float(x), float(x), float(x)) for x in range(101))
CURVE = ChartCurve(label="train", value="2.214", token=Token.ACCENT, letter="t", pieces=(LINE,), ends_in_letter=True)
CHART = Chart(title="loss", curves=(CURVE,), x=Scale(0, 100), y=Scale(0, 100))
numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(
    width=st.integers(1, 90),
    height=st.integers(1, 30),
    values=st.lists(st.tuples(numbers, numbers), max_size=20),
    low=numbers,
    high=numbers,
    log=st.booleans(),
    ascii_only=st.booleans(),
)
def test_a_chart_has_its_size(
    width: int,
    height: int,
    values: list[tuple[float, float]],
    low: float,
    high: float,
    log: bool,  # noqa: FBT001
    ascii_only: bool,  # noqa: FBT001
) -> None:
    bars = tuple((x, y, y) for x, y in sorted(values))
    x = Scale(bars[0][0], bars[-1][0]) if bars else Scale(0, 1)
    chart = replace(
        CHART, curves=(replace(CURVE, pieces=(bars,)),), x=x, y=Scale(min(low, high), max(low, high), log=log),
        checkpoints=tuple(at for at, _ in values), restarts=((2, x.low),), holes=(x.low,), cursor=x.high,
    )  # fmt: skip
    lines = draw_chart(chart, width, height, ASCII if ascii_only else UNICODE)
    assert [width_of(line) for line in lines] == [width] * height
    assert not ascii_only or all(text_of(line).isascii() for line in lines)


def _text(chart: Chart, width: int = 60, height: int = 14, *, ascii_only: bool = False) -> list[str]:
    return [text_of(line).rstrip() for line in draw_chart(chart, width, height, ASCII if ascii_only else UNICODE)]


def test_title_legend_axis_and_labels_surround_the_curve() -> None:
    text = _text(CHART)
    assert text[0].startswith("loss")
    assert text[0].endswith("━━ train 2.214")
    assert text[-1].split() == ["0", "50", "100"]
    assert text[-2].strip().startswith("└───")
    assert text[1].rstrip().endswith("t")
    assert [line.split()[0] for line in text[1:-2] if "┤" in line] == ["100", "80", "60", "40", "20", "0"]


def test_in_ascii_a_curve_is_drawn_by_its_letter() -> None:
    text = _text(CHART, ascii_only=True)
    assert text[0].endswith("tt train 2.214")
    assert sum(line.count("t") for line in text[1:-2]) >= 40
    assert "+-----" in text[-2]


def test_checkpoints_are_marked_below_the_axis_and_resumes_across_the_curves() -> None:
    chart = replace(CHART, checkpoints=(50.0, 1000.0), restarts=((2, 20.0),))
    text = _text(chart)
    assert text[-2].count("◆") == 1
    assert text[-1].index("50") == pytest.approx(text[-2].index("◆"), abs=1)
    assert sum("│" in line[10:] for line in text[1:-3]) >= 8
    assert "│2" in text[1]


def test_values_that_are_not_finite_are_marked_below_the_axis() -> None:
    text = _text(replace(CHART, holes=(50.0,), checkpoints=(20.0,)))
    assert text[-2].split() == ["◆", "!"]


def test_pauses_are_marked_below_the_axis() -> None:
    assert " paused " in _text(replace(CHART, pauses=((20.0, 60.0),)))[-2]
    assert _text(replace(CHART, pauses=((20.2, 20.3),)))[-2].strip() == "║"
    assert _text(replace(CHART, pauses=((200.0, 300.0),)))[-2].strip() == ""


def test_the_planned_end_is_named_beside_the_axis() -> None:
    assert _text(replace(CHART, planned=60_000.0))[-1].split() == ["0", "50", "60k", "▸"]
    assert _text(replace(CHART, planned=60_000.0), ascii_only=True)[-1].endswith("60k >")
    assert "60k" not in _text(replace(CHART, planned=60_000.0), 18)[-1]


def test_the_gap_is_in_the_legend_or_else_where_the_chart_is_empty() -> None:
    chart = replace(CHART, gap="0.019", note="by time")
    assert _text(chart)[0].split() == ["loss", "by", "time", "━━", "train", "2.214", "gap", "0.019"]
    narrow = _text(chart, 36)
    assert "gap" not in narrow[0]
    assert sum("gap 0.019" in line for line in narrow[1:]) == 1
    full = replace(CURVE, pieces=(tuple((float(place), 0.0, 100.0) for place in range(101)),))
    assert not any("gap" in line for line in _text(replace(chart, curves=(full,)), 36))


def test_the_gap_is_shown_in_the_middle_if_the_right_end_is_full() -> None:
    bars = tuple((float(place), 0.0, 60.0 if place < 90 else 100.0) for place in range(101))
    curve = replace(CURVE, pieces=(bars,), style=Style.BAND)
    shown = _text(replace(CHART, curves=(curve,), gap="0.019", note="by time"), 36)
    assert "gap" not in shown[0]
    (row,) = [line for line in shown[1:] if "gap 0.019" in line]
    assert " gap 0.019 " in row
    assert not row.endswith("gap 0.019")


def test_the_legend_drops_the_gap_before_a_curve() -> None:
    validation = replace(CURVE, label="val", value="2.21400", style=Style.POINTS)
    chart = replace(CHART, curves=(CURVE, validation), gap="0.1")
    widths = [row[0] for width in range(12, 60) if (row := _text(chart, width))]
    assert any("val" in title and "gap" not in title for title in widths)
    assert not any("gap" in title and "val" not in title for title in widths)


def test_the_cursor_is_above_the_curves_and_marks_the_points_that_are_read() -> None:
    level = replace(CURVE, pieces=(tuple((float(x), 20.0, 20.0) for x in range(101)),), ends_in_letter=False)
    few = replace(CURVE, token=Token.WARN, pieces=(((0.0, 80.0, 80.0), (70.0, 80.0, 80.0)),), style=Style.POINTS)
    chart = replace(CHART, curves=(level, few), cursor=50.0)
    column = _text(chart)[1].index("│", 8)
    assert all(line[column] in "│●" for line in _text(chart)[1:-2])
    assert sum(line.count("●") for line in _text(chart)) == 2
    pieces = [piece for line in draw_chart(chart, 60, 14, UNICODE) for piece in line if "●" in piece.text]
    assert {piece.token for piece in pieces} == {Token.ACCENT, Token.WARN}
    read = next(line for line in _text(chart) if "●" in line)
    assert read.index("●") > column  # the value of the other curve nearest to the cursor is further on


def test_a_dragged_range_shows_both_ends() -> None:
    text = _text(replace(CHART, dragged=(20.0, 60.0), cursor=90.0))
    assert text[1][10:].count("│") == 2


def test_a_frame_knows_the_position_under_a_column() -> None:
    frame = chart_frame(CHART, 60, 14)
    assert frame is not None
    assert frame.x_at(CHART, 0) == pytest.approx(100 / frame.columns / 2)
    assert frame.x_at(CHART, 59) == pytest.approx(100, abs=2)
    assert frame.x_at(CHART, frame.margin + 1 + frame.columns // 2) == pytest.approx(50, abs=2)
    assert chart_frame(CHART, 10, 14) is None
    assert chart_frame(replace(CHART, curves=()), 60, 14) is None


def test_without_points_it_shows_the_empty_text() -> None:
    assert _text(replace(CHART, curves=(), empty_text="No metrics yet"))[1] == "No metrics yet"


def test_a_chart_of_few_rows_gives_up_its_axis_and_one_without_room_says_so() -> None:
    assert [bool(line) for line in _text(CHART, height=3)] == [True] * 3
    assert "no room" not in " ".join(_text(CHART, height=3))
    assert _text(CHART, height=2)[1] == "no room for the curves"
    assert "no room" in " ".join(_text(CHART, width=12, height=8))


def test_a_faint_curve_is_drawn_behind_the_others() -> None:
    faint = replace(CURVE, token=Token.FAINT, style=Style.FAINT, label="", ends_in_letter=False)
    for curves, is_seen in (((faint,), True), ((faint, CURVE), False), ((CURVE, faint), False)):
        lines = draw_chart(replace(CHART, curves=curves), 60, 14, UNICODE)
        assert any(piece.token is Token.FAINT for line in lines for piece in line) is is_seen


def test_a_gap_between_pieces_stays_empty() -> None:
    parts = replace(CURVE, pieces=(LINE[:20], LINE[80:]), ends_in_letter=False)
    body = _text(replace(CHART, curves=(parts,)))[1:-2]
    assert all(line[20:40].strip() == "" for line in body)
    assert any(line[10:20].strip() for line in body)
    assert any(line[40:].strip() for line in body)


@pytest.mark.parametrize(
    ("low", "high", "unit", "shown"),
    [
        (1.9, 7.4, AxisUnit.METRIC, ["2", "4", "6"]),
        (0.05, 0.31, AxisUnit.METRIC, ["0.1", "0.2", "0.3"]),
        (0.0, 6.6e-4, AxisUnit.METRIC, ["0", "2e-4", "4e-4", "6e-4"]),
        (100_000.0, 160_000.0, AxisUnit.METRIC, ["100k", "120k", "140k", "160k"]),
        (0.0, 100.0, AxisUnit.PERCENT, ["0%", "50%", "100%"]),
        (0.0, 80 * 2.0**30, AxisUnit.GIGABYTES, ["0", "20", "40", "60", "80"]),
        (0.0, 40 * 2.0**20, AxisUnit.GIGABYTES, ["0", "10", "20", "30", "40"]),
        (-1800.0, 0.0, AxisUnit.AGO, ["-30m", "-20m", "-10m", "now"]),
        (0.0, 5400.0, AxisUnit.SECONDS, ["0", "30m", "1h", "1h30m"]),
        (0.0, 60_000.0, AxisUnit.STEPS, ["0", "15k", "30k", "45k", "60k"]),
    ],
)
def test_labels_are_short_and_round(low: float, high: float, unit: AxisUnit, shown: list[str]) -> None:
    assert [text for _, text in tick_labels(Scale(low, high), unit, len(shown))] == shown


def test_a_logarithmic_axis_of_a_few_decades_has_labels_between_them() -> None:
    labels = [text for _, text in tick_labels(Scale(0.09, 1.1, log=True), AxisUnit.METRIC, 5)]
    assert labels == ["0.1", "0.2", "0.5", "1"]


def test_a_logarithmic_axis_is_labelled_by_powers_of_ten() -> None:
    assert [text for _, text in tick_labels(Scale(0.001, 100.0, log=True), AxisUnit.METRIC, 6)] == [
        "0.001", "0.01", "0.1", "1", "10", "100",
    ]  # fmt: skip


def test_a_time_on_an_axis_has_its_unit() -> None:
    assert [axis_duration(seconds) for seconds in (0, 30, -900, 90, 7200, 5400, 172_800)] == [
        "0", "30s", "-15m", "1m30s", "2h", "1h30m", "2d",
    ]  # fmt: skip


def test_the_empty_text_takes_the_rows_that_it_needs() -> None:
    chart = replace(CHART, curves=(), empty_text="No metrics yet. Understood: " + "JSON, " * 30 + "end")
    lines = [text_of(line).strip() for line in draw_chart(chart, 60, 10, UNICODE)]
    assert " ".join(filter(None, lines[1:])) == chart.empty_text
