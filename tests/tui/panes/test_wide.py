"""What a wide screen has room for: histories of any number of devices in any number of rows, and arguments."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.probes.histories import HOST, History
from backprop_tui.tui.glyphs import ASCII, UNICODE, Curves, area
from backprop_tui.tui.lines import text_of, width_of
from backprop_tui.tui.panes.wide import device_histories, draw_arguments, draw_histories
from tests.tui.snapshots import gpu, running, sample, snapshot

POINTS = st.lists(st.none() | st.floats(-10, 200) | st.just(float("nan")), max_size=300).map(tuple)


def test_a_gap_is_blank_and_zero_is_a_line() -> None:
    assert area((0.0, 0.0, None, None, 100.0, 100.0), 3, 2, Curves.BRAILLE) == ["  ⣿", "⣀ ⣿"]
    assert area((0.0, 0.0, None, None, 100.0, 100.0), 3, 2, Curves.BLOCKS) == ["  █", "▁ █"]
    assert area((0.0, 0.0, None, None, 100.0, 100.0), 3, 2, Curves.ASCII) == ["  #", "# #"]


@given(POINTS, st.integers(1, 60), st.integers(1, 12))
def test_an_area_has_the_size_that_it_was_given(points: tuple[float | None, ...], width: int, rows: int) -> None:
    for curves in Curves:
        drawn = area(points, width, rows, curves)
        assert [len(row) for row in drawn] == [width] * rows


@given(st.integers(0, 40), st.integers(60, 200), st.integers(3, 60))
def test_histories_share_the_rows_equally(gpus: int, width: int, rows: int) -> None:
    history = History(utilization=(100.0,) * 100, memory=(80.0,) * 100, celsius=(70.0,) * 100)
    histories = {f"GPU-{index}": history for index in range(gpus)} | {HOST: history}
    devices = device_histories(snapshot(sample=sample(*map(gpu, range(gpus))), histories=histories))
    for glyphs in (UNICODE, ASCII):
        lines = draw_histories(devices, width, rows, glyphs)
        assert len(lines) <= rows
        if gpus + 1 < rows:
            assert len(lines) > rows - gpus - 1
            texts = [text_of(line).strip() for line in lines[1:]]
            begins = [index for index, text in enumerate(texts) if text.startswith(("GPU", "CPU"))]
            drawn = [list(filter(None, texts[begin:end])) for begin, end in pairwise([*begins, len(texts)])]
            assert len({len(chart) for chart in drawn}) == 1, "only charts of one height can be compared"
            assert texts[-1]
            gaps = {end - begin - len(chart) for (begin, end), chart in zip(pairwise(begins), drawn, strict=False)}
            assert len(gaps) <= 1, "blank rows are spread evenly"
            assert gaps <= {0, 1, 2}
        assert all(width_of(line) <= width for line in lines)


def test_devices_are_apart_where_there_is_room_and_one_without_a_history_takes_none() -> None:
    full = History(utilization=(100.0,) * 9, memory=(100.0,) * 9, celsius=(100.0,) * 9)
    devices = device_histories(
        snapshot(sample=sample(gpu(0), gpu(1), gpu(2)), histories={"GPU-0": full, "GPU-2": full})
    )
    rows = [text_of(line).strip() for line in draw_histories(devices, 100, 11, UNICODE)[1:]]
    assert [bool(row) for row in rows] == [True] * 4 + [False] * 2 + [True] * 4
    eight = {f"GPU-{index}": full for index in range(8)}
    many = draw_histories(
        device_histories(snapshot(sample=sample(*map(gpu, range(8))), histories=eight)), 200, 21, UNICODE
    )
    assert all(text_of(line).strip() for line in many), "too few blank rows for all of them"
    assert (rows[0].split()[:2], rows[6].split()[:2]) == (["GPU", "0"], ["GPU", "2"])
    assert all(text_of(line).strip() for line in draw_histories(devices, 100, 7, UNICODE))


def test_a_short_history_fills_the_width_and_the_heading_says_how_long_it_is() -> None:
    for points, seconds, share in (
        (1, "1m", 0.25),
        (2, "1m", 0.5),
        (12, "3m", 1.0),
        (60, "15m", 1.0),
        (240, "20m30s", 1.0),
    ):
        history = History(utilization=(100.0,) * points, memory=(50.0,) * points, celsius=(None,) * points)
        lines = draw_histories(device_histories(snapshot(histories={HOST: history})), 100, 4, UNICODE)
        assert f"Last {seconds} " in text_of(lines[0])
        assert abs(text_of(lines[1])[13:54].count("⣿") - 42 * share) <= 4


def test_what_is_older_than_the_screen_shows_does_not_squeeze_what_is_new() -> None:
    points = (80.0, *[None] * 200, 100.0, 100.0)
    history = History(utilization=points, memory=points, celsius=(None,) * len(points))
    lines = draw_histories(device_histories(snapshot(histories={HOST: history})), 100, 4, UNICODE)
    assert "Last 1m " in text_of(lines[0])
    assert text_of(lines[1])[13:54].count("⣿") == 20


def test_all_devices_are_there_also_where_they_are_more_than_rows() -> None:
    history = History(utilization=(50.0,) * 9, memory=(80.0,) * 9, celsius=(70.0,) * 9)
    histories = {f"GPU-{index}": history for index in range(8)} | {HOST: history}
    devices = device_histories(snapshot(sample=sample(*map(gpu, range(8))), histories=histories))
    for rows in (3, 4, 6, 9):
        lines = [text_of(line) for line in draw_histories(devices, 120, rows, UNICODE)]
        assert "memory" not in lines[0]
        shown = re.findall(r"(GPU \d|CPU) +⣤+", "\n".join(lines))
        assert shown == [*(f"GPU {index}" for index in range(8)), "CPU"]
    assert "+3 devices" in text_of(draw_histories(devices, 120, 2, UNICODE)[0])
    assert "memory" in text_of(draw_histories(devices, 120, 10, UNICODE)[0])


def test_without_gpus_the_host_has_two_charts_and_no_temperature() -> None:
    history = History(utilization=(50.0,) * 9, memory=(80.0,) * 9, celsius=(None,) * 9)
    lines = draw_histories(device_histories(snapshot(histories={HOST: history})), 100, 10, UNICODE)
    assert "temperature" not in text_of(lines[0])
    assert text_of(lines[1]).startswith(" CPU, RAM")


def test_without_any_history_one_line_says_so_instead_of_a_blank_screen() -> None:
    lines = draw_histories(device_histories(snapshot(sample=sample(gpu()))), 100, 30, UNICODE)
    assert [text_of(line).strip() for line in lines[1:]] == ["no history yet, a point every 15s"]


@given(st.lists(st.text(max_size=30), max_size=30), st.integers(20, 120), st.integers(0, 12))
def test_arguments_fit_and_what_does_not_is_counted(words: list[str], width: int, most: int) -> None:
    record = running("a").record | {"command": ["python", "train.py", *words], "script": "train.py"}
    lines = draw_arguments(record, width, most, UNICODE)
    assert len(lines) <= max(most, 0)


def test_arguments_stand_in_rows() -> None:
    command = ["python", "train.py", "data/train.bin", "--lr", "3e-4", "--batch-size=128", "--compile"]
    record = running("a").record | {"command": command, "script": "train.py"}
    assert [text_of(line).rstrip() for line in draw_arguments(record, 60, 9, UNICODE)[1:]] == [
        " data/train.bin   --lr 3e-4   --batch-size 128",
        " --compile yes",
    ]
    assert "+2 more" in text_of(draw_arguments(record, 30, 2, UNICODE)[0])
