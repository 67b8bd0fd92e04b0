"""What several formats in one log say of one training, and which bars are its own."""

from __future__ import annotations

from typing import Any

import pytest

from backprop_tui.readers import bar_meaning
from backprop_tui.readers.log_reader import LogReader
from backprop_tui.readers.values import CheckpointSaved, LogValue, Progress


def read(*lines: str) -> list[LogValue]:
    reader = LogReader()
    return [*reader.feed("".join(line + "\n" for line in lines).encode()), *reader.finish()]


def told(*lines: str) -> list[tuple[int | None, dict[str, float]]]:
    """Step and metrics of what has metrics."""
    return [(one.step, dict(one.metrics)) for one in read(*lines) if isinstance(one, Progress) and one.metrics]


def steps(*lines: str) -> list[int | None]:
    return [one.step for one in read(*lines)]


def bar(done: int, total: int, *, label: str = "", figures: str = "", elapsed: str = "00:04") -> str:
    return f"{label}{100 * done // total:3d}%|███▎      | {done}/{total} [{elapsed}<00:08, 10.68it/s{figures}]"


LOSS = "{'loss': '1.5', 'epoch': '0.5'}"


def test_a_dict_gets_the_step_of_the_bar_that_is_drawn_again_after_it() -> None:
    assert told(bar(0, 60), bar(4, 60), LOSS, bar(5, 60)) == [(5, {"loss": 1.5})]


def test_a_dict_without_a_bar_after_it_gets_the_step_that_was_there_before() -> None:
    assert told(bar(0, 60), bar(4, 60), LOSS) == [(4, {"loss": 1.5})]
    assert told(bar(0, 60), bar(4, 60), LOSS, "saving checkpoint to out", bar(9, 60)) == [(4, {"loss": 1.5})]


def test_once_its_dicts_are_seen_the_bar_is_progress_and_says_what_is_left() -> None:
    values = read(bar(0, 60), LOSS, bar(5, 60), bar(7, 60))
    assert [(one.step, getattr(one, "eta_seconds", None)) for one in values] == [(5, None), (5, 8.0), (7, 8.0)]
    assert isinstance(values[-1], Progress)
    assert values[-1].total_steps == 60


def test_a_bar_of_an_evaluation_within_is_no_step() -> None:
    inner = (bar(0, 2), bar(2, 2))
    evaluated = "{'eval_loss': '1.0', 'epoch': '0.5'}"
    assert told(bar(0, 60), LOSS, bar(20, 60), *inner, evaluated, bar(20, 60)) == [
        (20, {"loss": 1.5}),
        (20, {"eval_loss": 1.0}),
    ]
    assert steps(bar(0, 60), LOSS, bar(60, 60), *inner)[-1] == 60


def test_a_bar_of_the_data_is_no_step_even_when_it_was_full_before_a_loss() -> None:
    data = (bar(0, 5000), bar(5000, 5000))
    assert steps(*data) == []
    assert told(*data, "loss: 0.5") == [(None, {"loss": 0.5})]
    assert told(*data, bar(0, 60), LOSS, bar(5, 60)) == [(5, {"loss": 1.5})]


def test_a_bar_that_was_left_before_its_end_is_forgotten() -> None:
    left = bar(3, 5000)
    again = (bar(0, 60), bar(60, 60), bar(0, 50), bar(10, 50))
    assert told(left, *again, LOSS, bar(10, 50)) == [(10, {"loss": 1.5})]


def test_a_bar_with_a_label_says_nothing_without_measures_unless_it_trains() -> None:
    assert steps(bar(5, 9, label="Writing model shards: ")) == []
    assert steps(bar(5, 9, label="Files: ", figures=", size=3")) == []
    assert steps(bar(5, 9, label="Training: ")) == [5]
    assert steps(bar(5, 9, label="Steps: ")) == [5]
    assert steps(bar(5, 9, label="Generating train split: ")) == []


def test_epochs_named_in_a_label_make_steps_of_the_whole_training() -> None:
    lines = [bar(4, 8, label=f"Epoch {epoch}/3: ", figures=f", loss=0.{epoch}") for epoch in (1, 2)]
    values = read(*lines)
    assert [one.step for one in values] == [4, 12]
    assert isinstance(values[-1], Progress)
    assert (values[-1].epoch, values[-1].total_steps, values[-1].total_epochs) == (2.0, 24, 3)
    assert values[-1].eta_seconds == 8 + 12


def test_epochs_that_count_from_0_are_told_apart() -> None:
    lines = [bar(4, 8, label=f"Epoch {epoch}: ", figures=f", loss=0.{epoch + 1}") for epoch in (0, 1)]
    assert steps(*lines) == [4, 12]


def test_bars_that_begin_anew_go_on_counting() -> None:
    lines = [bar(done, 8, figures=f", loss=0.{number}{done}") for number in (1, 2) for done in (4, 8)]
    assert steps(*lines) == [4, 8, 12, 16]


def test_an_outer_bar_of_epochs_places_the_inner_one() -> None:
    lines = (bar(1, 3, label="Epochs: "), bar(4, 8, label="Batches: "), "loss: 0.5")
    assert told(*lines) == [(12, {"loss": 0.5})]


def test_figures_that_a_bar_still_has_from_the_step_before_are_not_those_of_this_one() -> None:
    lines = [
        bar(1, 8, figures=", loss=0.5, v=1"),
        bar(2, 8, figures=", loss=0.5, v=1"),
        bar(2, 8, figures=", loss=0.4, v=1"),
    ]
    assert told(*lines) == [(1, {"loss": 0.5, "v": 1.0}), (2, {"loss": 0.4})]


def test_a_bar_drawn_for_days_is_told_once_in_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bar_meaning, "MAX_UNTHROTTLED_UPDATES", 3)
    drawn = [bar(n, 9, figures=f", loss=0.{n}", elapsed=f"00:0{n // 3}") for n in range(1, 10)]
    assert [step for step, _ in told(*drawn)] == [1, 2, 3, 6, 9]


def test_what_was_said_of_a_step_is_not_said_again() -> None:
    line = '{"step": 5, "loss": 0.5, "acc": NaN}'
    assert [step for step, _ in told(line, line, "step: 5, loss: 0.5")] == [5]
    assert told(line, '{"step": 5, "loss": 0.4}', '{"step": 6, "loss": 0.4}')[1:] == [
        (5, {"loss": 0.4}),
        (6, {"loss": 0.4}),
    ]


def test_a_value_without_a_step_is_of_the_step_before() -> None:
    assert told('{"step": 5, "loss": 0.5}', '{"val_loss": 0.7}') == [(5, {"loss": 0.5}), (5, {"val_loss": 0.7})]


def test_a_checkpoint_that_is_announced_before_and_after_is_one() -> None:
    lines = ("Epoch 1: saving model to ck.keras", "Epoch 1: finished saving model to ck.keras")
    assert len(read(*lines)) == 1
    values = read("saving checkpoint to out", '{"step": 5}', "saving checkpoint to out")
    assert [type(value) for value in values] == [CheckpointSaved, Progress, CheckpointSaved]


MET: list[tuple[str, Any]] = [
    (bar(40, 80, figures=", loss=8.2") + "11/26/2026 - INFO - x - Saving current state to out/checkpoint-40", [40, 40]),
    ("[rank0] step: 10/60 | loss: 1.1[rank1] step: 10/60 | loss: 0.7", [10, 10]),
    (bar(3, 8, label="Steps: ") + "{'loss': 0.5, 'epoch': 1.0}", [3, 3]),
    (bar(3, 8, label="Steps: ") + "\x1b[A\x1b[32mloss: 0.5\x1b[0m", [3, 3]),
]


@pytest.mark.parametrize(("line", "found"), MET, ids=["saving", "ranks", "dict", "colours"])
def test_what_two_streams_printed_on_one_line_is_told_apart(line: str, found: list[int]) -> None:
    assert steps(line) == found
