"""Steps and totals of trainings that count within epochs, over the whole training, or do not say which."""

from __future__ import annotations

from typing import Any

import pytest

from backprop_tui.domain.training_totals import Totals, totals_of_command
from backprop_tui.readers.events import MergedEvent, Progress
from backprop_tui.readers.log_reader import LogReader
from tests.readers.test_merge import bar, read


def figures(values: list[MergedEvent]) -> list[tuple[int | None, int | None]]:
    """Step and number of steps of each progress with a step."""
    return [
        (value.step, value.total_steps) for value in values if isinstance(value, Progress) and value.step is not None
    ]


def last(values: list[MergedEvent], name: str) -> Any:
    return next(
        (value for event in reversed(values) if (value := getattr(event, name, None)) is not None),
        None,
    )


def loss(done: int, total: int, label: str = "") -> str:
    return bar(done, total, label=label, figures=f", loss=0.{done}7")


def test_a_bar_that_goes_on_across_epochs_counts_the_whole_training() -> None:
    lines = [line for epoch in (1, 2, 3) for line in (f"epoch {epoch}/3", loss(epoch * 8 - 4, 24, "steps: "))]
    assert figures(read(*lines)) == [(4, None), (12, 24), (20, 24)]


def test_a_bar_drawn_before_the_first_epoch_is_known_from_its_announced_total() -> None:
    lines = ("total optimization steps: 24", loss(0, 24, "steps: "), "epoch 1/3", loss(4, 24, "steps: "))
    assert figures(read(*lines))[-1] == (4, 24)


def test_a_bar_whose_label_changes_with_the_epoch_may_count_the_whole_training() -> None:
    lines = [loss(done, 24, f"epoch {1 + done // 8}: ") for done in (2, 6, 10, 14, 18, 22)]
    values = read(*lines)
    assert [step for step, _ in figures(values)] == [2, 6, 10, 14, 18, 22]
    assert figures(values)[-1] == (22, 24)


def test_a_bar_drawn_anew_after_an_epoch_was_announced_counts_within_it() -> None:
    lines = [line for epoch in (1, 2) for line in (f"Epoch {epoch}/2", bar(0, 8), *(loss(done, 8) for done in (2, 8)))]
    assert figures(read(*lines)) == [(2, 16), (8, 16), (10, 16), (16, 16)]


def test_a_bar_of_the_whole_training_that_was_first_drawn_after_an_epoch_is_recognised_at_the_next() -> None:
    lines = ("epoch 1/3", bar(0, 24), loss(1, 24), loss(7, 24), "epoch 2/3", loss(9, 24), loss(15, 24))
    assert figures(read(*lines))[-2:] == [(9, 24), (15, 24)]


def test_a_count_beyond_the_share_of_the_first_epoch_restarts() -> None:
    lines = ("Epoch 1/4", loss(1, 8), loss(2, 8), loss(3, 8), loss(8, 8), "Epoch 2/4", loss(1, 8))
    assert figures(read(*lines)) == [(1, None), (2, None), (3, 32), (8, 32), (9, 32)]


@pytest.mark.parametrize(
    "form",
    [
        "epoch {epoch}/10 step {done}/200 loss 0.{done}3",
        "Epoch [{epoch}/10], Step [{done}/200], Loss: 0.{done}3",
        "epoch {epoch} of 10, iter {done} of 200, loss 0.{done}3",
        "step {done}/200 | epoch {epoch}/10 | loss 0.{done}3",
        "Epoch {epoch}/10 [{done}/200] loss: 0.{done}3",
    ],
)
def test_steps_beside_an_epoch_have_a_total_once_it_is_known_what_they_count(form: str) -> None:
    def lines(*counts: tuple[int, int]) -> list[str]:
        return [form.format(epoch=epoch, done=done) for epoch, done in counts]

    whole = lines((1, 11), (1, 20), (2, 21), (2, 31))
    assert figures(read(*whole)) == [(11, None), (20, None), (21, 200), (31, 200)]
    restarting = lines((1, 11), (1, 20), (1, 21), (2, 1))
    assert figures(read(*restarting)) == [(11, None), (20, None), (21, 2000), (201, 2000)]


def test_a_batch_counts_within_its_epoch() -> None:
    assert figures(read("epoch 1/10 batch 11/200 loss 0.53")) == [(11, 2000)]


def test_a_step_that_is_called_global_counts_the_whole_training() -> None:
    assert figures(read("epoch 1/10 global_step 11/200 loss 0.53")) == [(11, 200)]


def test_a_log_that_begins_in_the_middle_of_an_epoch_does_not_decide_for_good() -> None:
    lines = [f"Epoch [{epoch}/10], Step [{done}/600], Loss: 0.{done}3" for epoch, done in ((2, 100), (2, 200), (3, 1))]
    assert figures(read(*lines)) == [(100, 600), (800, 6000), (1201, 6000)]


def test_a_training_resumed_within_an_epoch_is_placed_by_its_number() -> None:
    whole = ("epoch 4/10", loss(50, 160, "steps: "), loss(58, 160, "steps: "))
    assert figures(read(*whole)) == [(50, 160), (58, 160)]
    restarting = ("epoch 4/10", bar(0, 16), loss(4, 16))
    assert figures(read(*restarting)) == [(52, 160)]


def test_epochs_without_a_total_give_no_total_of_the_run() -> None:
    lines = [
        f"epoch {epoch} - iter {done}/148 - loss 0.{epoch}{done} - lr: 0.1" for epoch in (1, 2) for done in (74, 148)
    ]
    values = read(*lines)
    assert figures(values) == [(74, None), (148, None), (222, None), (296, None)]
    assert last(values, "total_epochs") is None


def test_a_count_of_the_whole_training_beside_epochs_without_a_total() -> None:
    lines = [f"epoch {done // 4} step {done}/12 loss 0.{done}3" for done in (2, 3, 5, 7, 9, 11)]
    assert figures(read(*lines))[1:] == [(3, None), (5, 12), (7, 12), (9, 12), (11, 12)]


def test_an_uneven_last_epoch_and_a_changed_number_of_batches_add_up() -> None:
    sizes = (10, 12, 7)
    lines = [
        f"Epoch [{epoch}/3] Step [{done}/{size}] loss: 0.{epoch}{done}"
        for epoch, size in enumerate(sizes, 1)
        for done in (size // 2, size)
    ]
    assert [step for step, _ in figures(read(*lines))] == [5, 10, 16, 22, 25, 29]
    assert figures(read(*lines))[-1] == (29, 29)


def test_what_a_bar_counts_to_may_be_one_of_several_epochs_that_nobody_names() -> None:
    lines = (loss(50, 100), loss(100, 100), loss(50, 100))
    assert figures(with_totals(Totals(), *lines)) == [(50, 100), (100, 100), (150, None)]
    assert figures(with_totals(Totals(has_epochs=True), *lines)) == [(50, None), (100, None), (150, None)]
    assert figures(with_totals(Totals(epochs=3), *lines)) == [(50, None), (100, None), (150, 300)]
    assert figures(with_totals(Totals(steps=100, has_epochs=True), *lines[:2])) == [(50, 100), (100, 100)]


def test_an_evaluation_without_a_label_is_not_another_epoch() -> None:
    lines = (loss(50, 100), loss(100, 100), bar(3, 9, figures=", loss=0.9"), bar(9, 9, figures=", loss=0.8"))
    assert [step for step, _ in figures(read(*lines))][-1] == 100
    assert [step for step, _ in figures(read(*lines, loss(1, 100), loss(2, 100)))][-1] == 102


def test_bars_of_several_processes_that_differ_a_little_do_not_restart() -> None:
    lines = [loss(done - lag, 100) for done in (10, 20, 30, 100) for lag in (0, 1)]
    steps = [step for step, _ in figures(read(*lines)) if step is not None]
    assert max(steps) == 100


@pytest.mark.parametrize("epochs", [None, 9, 10])
def test_how_many_epochs_a_count_from_0_has_is_not_guessed(epochs: int | None) -> None:
    lines = [f"Epoch {epoch}/9\n----------\ntrain Loss: 0.{epoch}5 Acc: 0.5" for epoch in range(3)]
    reader = LogReader(totals=Totals(epochs=epochs))
    values = reader.feed("\n".join([*lines, ""]).encode())
    assert last(values, "total_epochs") == epochs
    values += reader.feed(b"Epoch 9/9\n")
    assert last(values, "total_epochs") == 10 or epochs == 9


YOLO = "\n      Epoch    GPU_mem   box_loss   obj_loss  Instances       Size\n"


def yolo(epoch: int, done: int) -> str:
    figures = f"2.4G    0.0{72 - epoch}    0.0838        199        640"
    return f"        {epoch}/2      {figures}: {done * 12}%|##| {done}/8 00:01\n"


def test_a_table_that_counts_from_0_names_its_last_epoch() -> None:
    reader = LogReader()
    values = reader.feed((YOLO + "".join(yolo(epoch, done) for epoch in range(2) for done in (4, 8))).encode())
    assert figures(values) == [(4, 24), (8, 24), (12, 24), (16, 24)]
    resumed = LogReader(reader.offset, previous_state=reader.memory())
    assert figures(resumed.feed((YOLO + yolo(2, 4)).encode())) == [(20, 24)]


def test_what_was_read_survives_a_change_of_the_reader() -> None:
    lines = [line for epoch in (1, 2, 3) for line in (f"epoch {epoch}/3", loss(epoch * 8 - 4, 24, "steps: "))]
    first = LogReader()
    first.feed("".join(line + "\n" for line in lines[:4]).encode())
    second = LogReader(first.offset, memory=first.memory())
    assert figures(second.feed("".join(line + "\n" for line in lines[4:]).encode())) == [(20, 24)]


def with_totals(totals: Totals, *lines: str) -> list[MergedEvent]:
    return LogReader(totals=totals).feed("".join(line + "\n" for line in lines).encode())


def test_a_total_of_the_command_line_counts_until_a_step_is_beyond_it() -> None:
    lines = ["step 10 loss 0.5", "step 20 loss 0.4", "step 30 loss 0.3"]
    assert figures(with_totals(Totals(steps=25), *lines)) == [(10, 25), (20, 25), (30, None)]


def test_a_printed_total_beats_that_of_the_command_line() -> None:
    values = with_totals(Totals(steps=500), "step: 10/60, loss: 0.5", "step: 20, loss: 0.4")
    assert figures(values) == [(10, 60), (20, None)]


def test_epochs_of_the_command_line_complete_what_is_printed() -> None:
    lines = [f"Train: {epoch} [{done:>4}/37 (  3%)]  Loss: 3.{done}" for epoch in (0, 1) for done in (0, 36)]
    assert figures(with_totals(Totals(epochs=30), *lines))[-1] == (73, 1110)
    values = with_totals(Totals(epochs=3), "Epoch 4: loss=0.5")  # --epochs counts those to add
    assert last(values, "total_epochs") is None


@pytest.mark.parametrize(
    ("line", "steps", "epochs"),
    [
        ("Scheduled epochs: 30 (epochs + cooldown_epochs). Warmup within epochs.", None, 30),
        ("  Num Epochs = 3", None, 3),
        ("  num epochs / epoch: 10", None, 10),
        ("Number of epochs: 30", None, 30),
        ("Start training for 10 epochs", None, 10),
        ("max_steps=1000,", 1000, None),
        ("Namespace(batch_size=8, epochs=10, warmup_epochs=1, lr=None)", None, 10),
        ("INFO:root:Total training steps: 1,500", 1500, None),
        ("warmup_steps: 100", None, None),
        ("Steps: 500", None, None),
        ("Total timesteps: 98304", None, None),
        ("total_steps: 4000", None, None),
        ("eval_steps=50,", None, None),
        ("Number of epochs without improvement: 3", None, None),
        ("We train for 3 epochs or until the loss rises", None, 3),
    ],
)
def test_lines_that_announce_a_total(line: str, steps: int | None, epochs: int | None) -> None:
    assert read(line) == []  # it is shown once there is progress
    values = read(line, "epoch: 1, step: 1, loss: 0.5")
    assert (last(values, "total_steps"), last(values, "total_epochs")) == (steps, epochs)


@pytest.mark.parametrize(
    ("line", "done"),
    [
        ("Epoch 3/10, loss: 0.5", 3.0),
        ("Epoch 3/10, lr: 0.01", 2.0),
        ("Epoch: 3, Batch: 100, loss: 0.5", 2.0),
        ("[3,  2000] loss: 2.187", 2.0),
        ("Epoch 3/10 [=====>....] loss: 0.5", 2.0),
        ("Epoch 3/10 ━━━━━━━━━╺━━━━  62% 0:00:12 loss=0.312", 2.0),
        ("{'loss': 1.8, 'learning_rate': 4e-05, 'epoch': 0.0}", 0.0),
        ("{'loss': 1.8, 'learning_rate': 4e-05, 'epoch': 3.0}", 3.0),
        ("Best accuracy: 91.2% at epoch 12", None),
    ],
)
def test_an_epoch_is_done_only_when_its_result_is_printed(line: str, done: float | None) -> None:
    assert last(read(line), "epochs_done") == done


def test_an_option_counts_more_than_a_configuration_that_is_printed() -> None:
    lines = ("max_iters = 5000", "iter 100: loss 2.5, time 12.00ms, mfu 0.10%")
    given = totals_of_command(["python", "train.py", "config.py", "--max_iters=2000"])
    assert last(with_totals(given, *lines), "total_steps") == 2000
    assert last(with_totals(Totals(), *lines), "total_steps") == 5000
    announced = with_totals(given, "Total optimization steps = 60", "iter 10: loss 2.5, time 12.00ms, mfu 0.10%")
    assert last(announced, "total_steps") == 60


def test_a_total_of_one_less_than_the_option_names_the_last_epoch_that_counts_from_0() -> None:
    values = with_totals(Totals(epochs=50, is_given=True), "Epoch [1/49] Batch [4/40] loss: 0.5")
    assert figures(values) == [(44, 2000)]
    assert last(values, "total_epochs") == 50


def test_the_rich_bar_of_lightning_is_known_without_a_version_number() -> None:
    values = read("Epoch 1/49 ━╸                 4/40 0:00:03 • 0:00:27 1.34it/s val/loss: 0.192   ")
    assert figures(values) == [(44, 2000)]
