"""The metrics of a run: extremes, and buckets for drawing, in bounded memory."""

from __future__ import annotations

import math
import os
from itertools import pairwise
from pathlib import Path

import pytest

from backprop_tui.domain.formatting import from_iso
from backprop_tui.domain.run import AttemptTimeline
from backprop_tui.domain.smoothed_curve import Extreme
from backprop_tui.store import metrics as metrics_module
from backprop_tui.store.export import export_csv, rows
from backprop_tui.store.metrics import MAX_BUCKETS, MetricsFile, SeriesBuilder, read_metrics
from tests.support.runs import Runs


def _append(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.writelines(line + "\n" for line in lines)


def _line(step: int | str, loss: float | str, **more: float) -> str:
    pairs = "".join(f', "{name}": {value}' for name, value in more.items())
    return f'{{"time": "2026-01-02T03:04:05.678Z", "step": {step}, "metrics": {{"loss": {loss}{pairs}}}}}'


def test_extremes_and_the_best_value(runs: Runs) -> None:
    guardian = runs.guarded("r")
    for step, loss, accuracy in ((1, 3.0, 0.1), (2, 1.0, 0.7), (3, 2.0, 0.6)):
        guardian.measures(step, loss=loss, acc=accuracy, lr=0.1)
    series = read_metrics(guardian.directory)
    assert list(series) == ["loss", "acc", "lr"]
    assert (series["loss"].best, series["acc"].best, series["lr"].best) == (Extreme(2.0, 1), Extreme(0.7, 2), None)
    assert (series["loss"].first, series["loss"].last, series["loss"].most) == (
        Extreme(3.0, 1),
        Extreme(2.0, 3),
        Extreme(3.0, 1),
    )
    assert series["loss"].drawn() == [(1.0, 3.0), (2.0, 1.0), (3.0, 2.0)]
    guardian.ends()


def test_values_that_are_not_finite_are_counted_and_not_drawn(runs: Runs) -> None:
    guardian = runs.guarded("r")
    guardian.measures(1, loss=1.0)
    guardian.measures(2, loss="NaN")
    with open(guardian.directory.file("metrics.jsonl"), "ab") as file:
        file.write(b'not json\n{"step": 3, "metrics": {"loss": []}}\n{"step": 4, "metr')
    series = read_metrics(guardian.directory)["loss"]
    assert (series.count, series.not_finite, series.least) == (2, 1, Extreme(1.0, 1))
    assert series.last is not None
    assert math.isnan(series.last.value)
    assert series.drawn() == [(1.0, 1.0)]
    guardian.ends()


def test_a_run_without_metrics_has_none(runs: Runs) -> None:
    assert read_metrics(runs.queued("r")) == {}


def test_a_long_series_is_thinned_evenly_and_keeps_its_ends() -> None:
    series = SeriesBuilder("loss")
    for step in range(50_000):
        series.add(float(-step), step)
    course = series.snapshot()
    assert len(course.buckets) <= MAX_BUCKETS
    assert course.buckets[-1].last == -49_999.0
    gaps = {after.step - before.step for before, after in pairwise(course.buckets[:-1])}
    assert len(gaps) == 1
    assert (series.count, series.least) == (50_000, Extreme(-49_999.0, 49_999))


def test_no_spike_is_lost_however_long_the_series() -> None:
    series = SeriesBuilder("loss")
    for step in range(100_000):
        series.add(1000.0 if step == 54_321 else 1.0, step)
    assert max(bucket.most for bucket in series.snapshot().buckets) == 1000.0


def test_no_bucket_spans_a_resume_from_an_earlier_step() -> None:
    series = SeriesBuilder("loss")
    for attempt in range(3):
        for step in range(attempt * 1000, attempt * 1000 + 3000):
            series.add(float(step), step)
    falls = [(before, after) for before, after in pairwise(series.snapshot().buckets) if after.step < before.step]
    assert len(falls) == 2


def test_a_gap_is_between_buckets_however_long_the_series() -> None:
    series = SeriesBuilder("loss")
    for step in range(50_000):
        series.add(math.nan if 20_000 <= step < 20_010 else 1.0, step)
    series.add(math.inf, 50_000)
    course = series.snapshot()
    assert [hole.step for hole in course.holes] == [20_000.0, 50_000.0]
    after = [place for place, bucket in enumerate(course.buckets) if bucket.after_hole]
    assert [(course.buckets[place - 1].step, course.buckets[place].step > 20_009) for place in after] == [
        (19_999.0, True)
    ]
    assert course.not_finite == 11


def test_memory_is_bounded_whatever_is_printed() -> None:
    series = SeriesBuilder("loss")
    for step in range(60_000):
        series.add(math.nan if step % 2 else 1.0, -step)
    course = series.snapshot()
    assert len(course.buckets) <= MAX_BUCKETS
    assert len(course.holes) <= 64
    assert (course.holes[0].step, course.holes[-1].step) == (-1.0, -59_999.0)
    assert len(series._points) < 100


def test_values_added_at_once_equal_values_added_one_by_one() -> None:
    steps = list(range(10_000))
    values = [math.nan if step % 777 < 3 else math.sin(step / 100) for step in steps]
    at_once, one_by_one = SeriesBuilder("loss"), SeriesBuilder("loss")
    at_once.extend(values, steps, [""] * len(steps))
    for step, value in zip(steps, values, strict=True):
        one_by_one.add(value, step)
    assert at_once.snapshot() == one_by_one.snapshot()


def test_a_growing_file_is_read_on_and_an_incomplete_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    file = MetricsFile(str(path))
    assert file.read() == {}
    _append(path, _line(1, 3.0))
    assert file.read()["loss"].last == Extreme(3.0, 1)
    with path.open("a") as torn:
        torn.write(_line(2, 2.0)[:-3])
    assert file.read()["loss"].last == Extreme(3.0, 1)
    _append(path, _line(2, 2.0)[-3:])
    assert file.read()["loss"].last == Extreme(2.0, 2)


def test_a_replaced_file_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    _append(path, *(_line(step, 3.0) for step in range(9)))
    file = MetricsFile(str(path))
    assert file.read()["loss"].count == 9
    path.write_text(_line(1, 1.0) + "\n")
    assert file.read()["loss"].count == 1


def test_steps_that_are_not_printed_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    _append(path, *(_line("null", value) for value in (3.0, 2.0, '"Infinity"', 1.0)))
    course = MetricsFile(str(path)).read()["loss"]
    assert [bucket.step for bucket in course.buckets] == [1.0, 2.0, 4.0]
    assert (course.count, course.not_finite) == (4, 1)


def test_a_large_file_is_sampled_first_and_exact_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "metrics.jsonl"
    _append(path, *(_line(step, -99.0 if step == 4_567 else 1.0) for step in range(9_000)))
    monkeypatch.setattr(metrics_module, "LARGE_BYTES", 10_000)
    monkeypatch.setattr(metrics_module, "SLICE_BYTES", 200_000)
    monkeypatch.setattr(metrics_module, "_SAMPLE_PARTS", 20)
    file = MetricsFile(str(path))
    first = file.read()["loss"]
    assert first.count < 1_000
    assert first.buckets[-1].step > 8_000
    looks = 0
    while not file.caught_up:
        last = file.read()["loss"]
        looks += 1
    assert looks > 2
    assert (last.count, last.least) == (9_000, Extreme(-99.0, 4_567))


def test_an_export_has_a_column_for_each_metric_and_overwrites_no_file(tmp_path: Path) -> None:
    source, target = tmp_path / "metrics.jsonl", tmp_path / "run.csv"
    _append(source, _line(1, 3.0), "no json", _line(2, 2.0, acc=0.5))
    assert export_csv(str(source), str(target)) == str(target)
    assert target.read_text().splitlines() == [
        "time,attempt,seconds,step,epoch,loss,acc",
        "2026-01-02T03:04:05.678Z,,,1,,3.0,",
        "2026-01-02T03:04:05.678Z,,,2,,2.0,0.5",
    ]
    assert os.path.basename(export_csv(str(source), str(target))) == "run-2.csv"


def test_an_export_has_attempt_and_running_time_and_names_values_that_are_not_finite(tmp_path: Path) -> None:
    source, target = tmp_path / "metrics.jsonl", tmp_path / "run.csv"
    times = ("2026-01-02T03:04:05.500Z", "2026-01-02T03:04:15.500Z", "no time")
    _append(source, *(f'{{"time": "{time}", "step": 1, "metrics": {{"loss": "NaN"}}}}' for time in times))
    start = from_iso("2026-01-02T03:04:05Z")
    assert start is not None
    attempts = AttemptTimeline(starts=(start, start + 10), idle=(0.0, 7.0))
    export_csv(str(source), str(target), attempts)
    assert target.read_text().splitlines()[1:] == [
        f"{times[0]},1,0.5,1,,NaN",
        f"{times[1]},2,3.5,1,,NaN",
        "no time,,,1,,NaN",
    ]


def test_output_that_was_not_read_interrupts_the_curve_and_is_not_exported(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    _append(path, _line(1, 3.0), _line(2, 2.0), '{"metrics": {}, "skipped_bytes": 9}', _line(9, 1.0))
    series = MetricsFile(str(path)).read()["loss"]
    assert [bucket.after_hole for bucket in series.buckets] == [False, False, True]
    assert (series.skips, series.count, series.not_finite, series.holes) == (1, 3, 0, ())
    assert [row["step"] for row in rows(str(path), AttemptTimeline())] == [1, 2, 9]
