"""Merging the events of several formats in one log, and recognizing the bars of the training."""

from __future__ import annotations

from typing import Any

import pytest

from backprop_tui.readers import bar_semantics, progress_bars
from backprop_tui.readers.events import CheckpointSaved, MergedEvent, Progress
from backprop_tui.readers.log_reader import LogReader


def read(*lines: str) -> list[MergedEvent]:
    reader = LogReader()
    return [*reader.feed("".join(line + "\n" for line in lines).encode()), *reader.finish()]


def steps_and_metrics(*lines: str) -> list[tuple[int | None, dict[str, float]]]:
    """Step and metrics of the events with metrics."""
    return [
        (event.step, dict(event.metrics)) for event in read(*lines) if isinstance(event, Progress) and event.metrics
    ]


def steps(*lines: str) -> list[int | None]:
    return [event.step for event in read(*lines)]


def bar(done: int, total: int, *, label: str = "", figures: str = "", elapsed: str = "00:04") -> str:
    return f"{label}{100 * done // total:3d}%|███▎      | {done}/{total} [{elapsed}<00:08, 10.68it/s{figures}]"


LOSS = "{'loss': '1.5', 'epoch': '0.5'}"


def test_a_dict_gets_the_step_of_the_bar_redrawn_after_it() -> None:
    assert steps_and_metrics(bar(0, 60), bar(4, 60), LOSS, bar(5, 60)) == [(5, {"loss": 1.5})]


def test_a_dict_without_a_bar_after_it_gets_the_previous_step() -> None:
    assert steps_and_metrics(bar(0, 60), bar(4, 60), LOSS) == [(4, {"loss": 1.5})]
    assert steps_and_metrics(bar(0, 60), bar(4, 60), LOSS, "saving checkpoint to out", bar(9, 60)) == [
        (4, {"loss": 1.5})
    ]


def test_once_dicts_were_printed_the_bar_reports_progress_and_eta() -> None:
    values = read(bar(0, 60), LOSS, bar(5, 60), bar(7, 60))
    assert [(event.step, getattr(event, "eta_seconds", None)) for event in values] == [(5, None), (5, 8.0), (7, 8.0)]
    assert isinstance(values[-1], Progress)
    assert values[-1].total_steps == 60


def test_a_nested_evaluation_bar_is_not_a_step() -> None:
    inner = (bar(0, 2), bar(2, 2))
    evaluated = "{'eval_loss': '1.0', 'epoch': '0.5'}"
    assert steps_and_metrics(bar(0, 60), LOSS, bar(20, 60), *inner, evaluated, bar(20, 60)) == [
        (20, {"loss": 1.5}),
        (20, {"eval_loss": 1.0}),
    ]
    assert steps(bar(0, 60), LOSS, bar(60, 60), *inner)[-1] == 60


def test_a_data_bar_is_not_a_step_even_if_it_completed_before_a_loss() -> None:
    data = (bar(0, 5000), bar(5000, 5000))
    assert steps(*data) == []
    assert steps_and_metrics(*data, "loss: 0.5") == [(None, {"loss": 0.5})]
    assert steps_and_metrics(*data, bar(0, 60), LOSS, bar(5, 60)) == [(5, {"loss": 1.5})]


def test_an_abandoned_bar_is_forgotten() -> None:
    left = bar(3, 5000)
    again = (bar(0, 60), bar(60, 60), bar(0, 50), bar(10, 50))
    assert steps_and_metrics(left, *again, LOSS, bar(10, 50)) == [(10, {"loss": 1.5})]


def test_a_labelled_bar_without_metrics_counts_only_if_the_label_means_training() -> None:
    assert steps(bar(5, 9, label="Writing model shards: ")) == []
    assert steps(bar(5, 9, label="Files: ", figures=", size=3")) == []
    assert steps(bar(5, 9, label="Training: ")) == [5]
    assert steps(bar(5, 9, label="Steps: ")) == [5]
    assert steps(bar(5, 9, label="Generating train split: ")) == []


def test_epochs_in_a_label_give_steps_of_the_whole_training() -> None:
    lines = [bar(4, 8, label=f"Epoch {epoch}/3: ", figures=f", loss=0.{epoch}") for epoch in (1, 2)]
    values = read(*lines)
    assert [event.step for event in values] == [4, 12]
    assert isinstance(values[-1], Progress)
    assert (values[-1].epoch, values[-1].total_steps, values[-1].total_epochs) == (2.0, 24, 3)
    assert values[-1].eta_seconds == 8 + 12


def test_epochs_that_count_from_0_are_recognised() -> None:
    lines = [bar(4, 8, label=f"Epoch {epoch}: ", figures=f", loss=0.{epoch + 1}") for epoch in (0, 1)]
    assert steps(*lines) == [4, 12]


def test_steps_continue_when_a_bar_restarts() -> None:
    lines = [bar(done, 8, figures=f", loss=0.{number}{done}") for number in (1, 2) for done in (4, 8)]
    assert steps(*lines) == [4, 8, 12, 16]


def test_an_outer_bar_of_epochs_gives_the_epoch_of_the_inner_one() -> None:
    lines = (bar(1, 3, label="Epochs: "), bar(4, 8, label="Batches: "), "loss: 0.5")
    assert steps_and_metrics(*lines) == [(12, {"loss": 0.5})]


def test_unchanged_values_of_a_bar_are_not_reported_for_the_next_step() -> None:
    lines = [
        bar(1, 8, figures=", loss=0.5, v=1"),
        bar(2, 8, figures=", loss=0.5, v=1"),
        bar(2, 8, figures=", loss=0.4, v=1"),
    ]
    assert steps_and_metrics(*lines) == [(1, {"loss": 0.5, "v": 1.0}), (2, {"loss": 0.4})]


def test_a_bar_with_many_updates_is_reported_once_per_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bar_semantics, "MAX_UNTHROTTLED_UPDATES", 3)
    drawn = [bar(n, 9, figures=f", loss=0.{n}", elapsed=f"00:0{n // 3}") for n in range(1, 10)]
    assert [step for step, _ in steps_and_metrics(*drawn)] == [1, 2, 3, 6, 9]


def test_a_value_is_reported_once_per_step() -> None:
    line = '{"step": 5, "loss": 0.5, "acc": NaN}'
    assert [step for step, _ in steps_and_metrics(line, line, "step: 5, loss: 0.5")] == [5]
    assert steps_and_metrics(line, '{"step": 5, "loss": 0.4}', '{"step": 6, "loss": 0.4}')[1:] == [
        (5, {"loss": 0.4}),
        (6, {"loss": 0.4}),
    ]


def test_a_value_without_a_step_belongs_to_the_last_step() -> None:
    assert steps_and_metrics('{"step": 5, "loss": 0.5}', '{"val_loss": 0.7}') == [
        (5, {"loss": 0.5}),
        (5, {"val_loss": 0.7}),
    ]


def test_a_checkpoint_announced_before_and_after_saving_is_reported_once() -> None:
    lines = ("Epoch 1: saving model to ck.keras", "Epoch 1: finished saving model to ck.keras")
    assert len(read(*lines)) == 1
    values = read("saving checkpoint to out", '{"step": 5}', "saving checkpoint to out")
    assert [type(value) for value in values] == [CheckpointSaved, Progress, CheckpointSaved]


MET: list[tuple[str, Any]] = [
    (bar(40, 80, figures=", loss=8.2") + "11/26/2026 - INFO - x - Saving current state to out/checkpoint-40", [40, 40]),
    ("[rank0] step: 10/60 | loss: 1.1[rank1] step: 10/60 | loss: 0.7", [10]),
    (bar(3, 8, label="Steps: ") + "{'loss': 0.5, 'epoch': 1.0}", [3, 3]),
    (bar(3, 8, label="Steps: ") + "\x1b[A\x1b[32mloss: 0.5\x1b[0m", [3, 3]),
]


@pytest.mark.parametrize(("line", "expected"), MET, ids=["saving", "ranks", "dict", "colors"])
def test_output_of_two_streams_on_one_line_is_separated(line: str, expected: list[int]) -> None:
    assert steps(line) == expected


def bar_states(seconds: int, per_second: int) -> list[str]:
    """States of one bar, many of them in each second of its clock."""
    total = seconds * per_second
    return [
        bar(done, total, figures=f", loss={done / 7:.4f}", elapsed=f"00:{done // per_second:02}")
        for done in range(1, total + 1)
    ]


def test_of_many_states_the_last_of_a_bar_and_of_each_second_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_bars, "MAX_UNTHROTTLED_STATES", 10)
    monkeypatch.setattr(bar_semantics, "MAX_UNTHROTTLED_UPDATES", 10)
    reader = LogReader()
    values = reader.feed("".join(line + "\r" for line in [*bar_states(5, 1000)[:-3], "done\n"]).encode())
    progress = [value for value in values if isinstance(value, Progress)]
    assert len(progress) < 40
    assert progress[-1].step == 4997
    assert {1000, 2000, 3000, 4000} <= {value.step for value in progress if value.metrics}
    assert max(value.step or 0 for value in reader.feed(bar_states(5, 1000)[-1].encode() + b"\n")) == 5000


def test_states_are_not_left_out_between_other_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_bars, "MAX_UNTHROTTLED_STATES", 2)
    lines = [bar(done, 60) if done % 5 else f"{{'loss': '1.{done}'}}" for done in range(1, 40)]
    read_steps = [step for step, _ in steps_and_metrics(bar(0, 60), *lines)]
    assert read_steps == [6, 11, 16, 21, 26, 31, 36]


@pytest.mark.parametrize(
    "line",
    [
        "11/22 09:32:39 PM epoch = 3",
        "11/22 09:32:39 PM train 050 2.300000e+00 12.500000 51.500000",
        "11/29 - 09:32:39 - train 050 2.3",
        "01/12 10:00:00 iteration done",
        "12/24 ETA: later",
    ],
)
def test_a_date_is_no_count(line: str) -> None:
    assert [step for step in steps(line, line.replace("22", "23")) if step is not None] == []
