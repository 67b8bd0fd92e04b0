"""One line of each format, as the only line of its log."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import pytest

from backprop_tui.readers.events import CheckpointSaved, MergedEvent, Progress
from backprop_tui.readers.log_reader import LogReader


def read(log: str) -> list[MergedEvent]:
    reader = LogReader()
    return [*reader.feed(log.encode()), *reader.finish()]


def fields_of(event: MergedEvent) -> dict[str, Any]:
    """The fields that are set, without the offset."""
    values = {
        field.name: getattr(event, field.name) for field in fields(event) if field.name not in ("offset", "epochs_done")
    }
    return {name: value for name, value in values.items() if value is not None and value != {}}


def only(line: str) -> dict[str, Any]:
    (value,) = read(line + "\n")
    return fields_of(value)


BAR = "Training:  33%|███▎      | 1/3 [00:04<00:08,  4.99it/s, loss=0.5, step=0]"

PROGRESS: list[tuple[str, dict[str, Any]]] = [
    ('{"step": 500, "loss": 0.015}', {"step": 500, "metrics": {"loss": 0.015}}),
    (
        "{'loss': '1.112', 'grad_norm': '2.466', 'learning_rate': '4e-05', 'epoch': '0.625'}",
        {"epoch": 0.625, "metrics": {"loss": 1.112, "grad_norm": 2.466, "learning_rate": 4e-05}},
    ),
    (
        "{'eval_loss': 0.5, 'eval_f1': np.float64(0.9), 'eval_name': None, 'epoch': 1.0}",
        {"epoch": 1.0, "metrics": {"eval_loss": 0.5, "eval_f1": 0.9}},
    ),
    (
        "Epoch 1: 100%|██████████| 8/8 [00:02<00:00, 17.47it/s, v_num=0, train_loss=0.0843, val_loss=0.129]",
        {"step": 16, "epoch": 1.0, "metrics": {"train_loss": 0.0843, "val_loss": 0.129}},
    ),
    (
        "Epoch 4/4  ━━━━━━━━━━━━━━━━━ 16/16 0:00:01 • 0:00:00 47.34it/s v_num: 0.000 train_loss: 0.5",
        {
            "step": 80,
            "epoch": 4.0,
            "total_steps": 80,
            "total_epochs": 5,
            "eta_seconds": 0.0,
            "metrics": {"train_loss": 0.5},
        },
    ),
    (
        "16/16 - 0s - 9ms/step - loss: 1.0921 - mae: 0.8936 - val_loss: 0.7718 - val_mae: 0.7645",
        {
            "step": 16,
            "total_steps": 16,
            "eta_seconds": 0.0,
            "metrics": {"loss": 1.0921, "mae": 0.8936, "val_loss": 0.7718, "val_mae": 0.7645},
        },
    ),
    (
        "100/938 [==>...........................] - ETA: 1:03 - loss: 0.59",
        {"step": 100, "total_steps": 938, "eta_seconds": 63.0, "metrics": {"loss": 0.59}},
    ),
    (
        "iter 100: loss 3.1234, time 123.45ms, mfu 12.34%",
        {"step": 100, "metrics": {"loss": 3.1234, "time": 123.45, "mfu": 12.34}},
    ),
    (
        "[14:31:22] iter 38400: loss 2.2137, time 13342.71ms, mfu -100.00%",
        {"step": 38400, "metrics": {"loss": 2.2137, "time": 13342.71, "mfu": -100.0}},
    ),
    (
        "step 250: train loss 2.1000, val loss nan",
        {"step": 250, "metrics": {"train loss": 2.1, "val loss": math.nan}},
    ),
    (
        "Epoch: [83][0/10010]\tTime 4.381 (4.381)\tLoss 1.8135 (1.8135)\tAcc@1 58.594 (58.594)",
        {"step": 830830, "epoch": 83.0, "metrics": {"Time": 4.381, "Loss": 1.8135, "Acc@1": 58.594}},
    ),
    (" *  Acc@1 61.300  Acc@5 82.200", {"metrics": {"Test Acc@1": 61.3, "Test Acc@5": 82.2}}),
    ("Train Epoch: 2 [640/60000 (1%)]\tLoss: 2.300039", {"step": 60640, "epoch": 2.0, "metrics": {"Loss": 2.300039}}),
    (
        "Test set: Average loss: 0.0527, Accuracy: 9825/10000 (98%)",
        {"metrics": {"Test set Average loss": 0.0527, "Test set Accuracy": 98.25}},
    ),
    (BAR, {"step": 0, "total_steps": 3, "eta_seconds": 8.0, "metrics": {"loss": 0.5}}),
    ("12it [00:01,  8.25it/s, loss=0.3]", {"step": 12, "metrics": {"loss": 0.3}}),
    (
        "Train: 1 [  50/1251 (  4%)]  Loss: 6.95 (6.95)  Time: 0.561s,  456.00/s  LR: 1.000e-05  Data: 0.01 (0.02)",
        {"step": 1301, "epoch": 1.0, "metrics": {"Loss": 6.95, "Time": 0.561, "LR": 1e-05, "Data": 0.01}},
    ),
    (
        "Test: [  97/97]  Time: 0.123 (0.150)  Loss:   6.901 ( 6.902)  Acc@1:   0.100 (  0.120)",
        {"metrics": {"Test Loss": 6.902, "Test Acc@1": 0.12}},
    ),
    (
        "2025-10-15 11:33:32 | INFO | train_inner | epoch 001:    100 / 487 loss=4.655, ppl=8.58, num_updates=100",
        {"step": 100, "epoch": 1.0, "metrics": {"loss": 4.655, "ppl": 8.58}},
    ),
    (
        "2025-10-15 11:33:32 | INFO | valid | epoch 001 | valid on 'valid' subset | loss 4.1 | num_updates 487",
        {"step": 487, "epoch": 1.0, "metrics": {"valid loss": 4.1}},
    ),
    (
        " [2025-08-01 07:19:37] iteration        1/    5000 | time (ms): 123.6 | lm loss: 1.04E+01 | grad norm: 26 |",
        {
            "step": 1,
            "total_steps": 5000,
            "metrics": {"time (ms)": 123.6, "lm loss": 10.4, "grad norm": 26.0},
        },
    ),
    (
        " validation loss at iteration 1000 | lm loss value: 2.302585E+00 | lm loss PPL: 1.0E+01 |",
        {"step": 1000, "metrics": {"validation lm loss value": 2.302585, "validation lm loss PPL": 10.0}},
    ),
    ("step 9/60 loss nan acc 0.86", {"step": 9, "total_steps": 60, "metrics": {"loss": math.nan, "acc": 0.86}}),
    (
        "step 9 loss inf grad_norm NaN lr 1e-3",
        {"step": 9, "metrics": {"loss": math.inf, "grad_norm": math.nan, "lr": 1e-3}},
    ),
    ("epoch=3 step=100 loss=nan", {"step": 100, "epoch": 3.0, "metrics": {"loss": math.nan}}),
    (
        "Epoch [2/10], Step [200/600], Loss: 0.1234",
        {"step": 800, "epoch": 2.0, "total_steps": 6000, "total_epochs": 10, "metrics": {"Loss": 0.1234}},
    ),
    (
        "Epoch 1/5, Loss: 0.3212, Val Loss: 0.6380, LR: 1.0e-02",
        {"epoch": 1.0, "total_epochs": 5, "metrics": {"Loss": 0.3212, "Val Loss": 0.638, "LR": 0.01}},
    ),
    ("[1,  2000] loss: 2.200", {"epoch": 1.0, "metrics": {"loss": 2.2}}),
    (
        "step  100 | loss: 3.123 | lr 6.00e-04 | norm: 1.2 | dt: 123.45ms | tok/sec: 4212.10",
        {"step": 100, "metrics": {"loss": 3.123, "lr": 0.0006, "norm": 1.2, "dt": 123.45, "tok/sec": 4212.1}},
    ),
    (
        "| epoch   1 |   200/ 2983 batches | lr 20.00 | ms/batch 12.34 | loss  7.63 | ppl  2061.77",
        {"step": 200, "epoch": 1.0, "metrics": {"lr": 20.0, "ms/batch": 12.34, "loss": 7.63, "ppl": 2061.77}},
    ),
    ("loss: 2.303  [   64/60000]", {"step": 64, "total_steps": 60000, "metrics": {"loss": 2.303}}),
    (
        "2025-01-01 12:00:00,123 - INFO - step 100: loss=0.5, acc=0.9",
        {"step": 100, "metrics": {"loss": 0.5, "acc": 0.9}},
    ),
    ("INFO:root:Epoch 3 loss: 0.33", {"epoch": 3.0, "metrics": {"loss": 0.33}}),
    (
        "Epoch 5 | Train Loss: 0.1, Val Loss: 0.2 | ETA: 0:12:34",
        {"epoch": 5.0, "eta_seconds": 754.0, "metrics": {"Train Loss": 0.1, "Val Loss": 0.2}},
    ),
    ("Epoch 1/3", {"epoch": 1.0, "total_epochs": 3}),
    ("Total optimization steps = 1,500", {"total_steps": 1500}),
]


@pytest.mark.parametrize(("line", "meaning"), PROGRESS, ids=[line[:40] for line, _ in PROGRESS])
def test_a_line_reports_progress(line: str, meaning: dict[str, Any]) -> None:
    assert repr(only(line)) == repr({name: meaning[name] for name in only(line)})  # as text, since NaN != NaN
    assert only(line).keys() == meaning.keys()


@pytest.mark.parametrize(
    ("line", "path", "step"),
    [
        ('{"event": "checkpoint_saved", "path": "ckpt.pt"}', "ckpt.pt", None),
        ("Saving model checkpoint to hfout/checkpoint-10", "hfout/checkpoint-10", 10),
        ("[transformers] Saving model checkpoint to out/checkpoint-20", "out/checkpoint-20", 20),
        (
            "Epoch 0, global step 8: 'val_loss' reached 0.14729 (best 0.14729), saving model to 'a/e=0.ckpt' as top 1",
            "a/e=0.ckpt",
            8,
        ),
        ("Epoch 1: val_loss improved from None to 0.77180, saving model to ck.keras", "ck.keras", None),
        ("Epoch 00002: saving model to my best.h5", "my best.h5", None),
        ("saving checkpoint to out", "out", None),
        (
            "11/22/2026 21:32:39 - INFO - accelerate.accelerator - [RANK 0] Saving current state to accout",
            "accout",
            None,
        ),
        (
            "2025-10-15 11:33:32 | INFO | fairseq | Saved checkpoint c/checkpoint1.pt (epoch 1 @ 1000 updates)",
            "c/checkpoint1.pt",
            1000,
        ),
        ("  successfully saved checkpoint from iteration     845 to /ckpt/run", "/ckpt/run", 845),
        ("saving checkpoint at iteration     845 to /ckpt/run in torch_dist format", "/ckpt/run", 845),
        (" ('./output/train/checkpoint-0.pth.tar', 0.12)", "./output/train/checkpoint-0.pth.tar", None),
        ("Saved checkpoint /out/step_1100.json", "/out/step_1100.json", 1100),
        ("Saved checkpoint step_50.pt.", "step_50.pt", 50),
        ("=> Saving checkpoint 'model_best.pth.tar'", "model_best.pth.tar", None),
        ("Checkpoint saved to out/step_100.pt.", "out/step_100.pt", 100),
    ],
)
def test_a_line_announces_a_checkpoint(line: str, path: str, step: int | None) -> None:
    (value,) = read(line + "\n")
    assert isinstance(value, CheckpointSaved)
    assert (value.path, value.step) == (path, step)


ULTRALYTICS = """
      Epoch    GPU_mem   box_loss   cls_loss   dfl_loss  Instances       Size
\r\x1b[K        2/3         0G     0.9575      1.133     0.5891          8         64: 50% ━━━──── 1/2 8.0it/s 0.2s<1.3s
\r\x1b[K                 Class     Images  Instances      Box(P          R      mAP50  mAP50-95): 100% ━━ 1/1 2it/s 0.0s
                   all          8          8          0        0.5       0.25      0.125
"""


def test_the_columns_of_ultralytics_get_their_names_from_the_header_row() -> None:
    row, evaluated = (fields_of(value) for value in read(ULTRALYTICS))
    assert row == {
        "step": 3,
        "epoch": 2.0,
        "total_steps": 6,
        "total_epochs": 3,
        "eta_seconds": 1.3 + 1.5,
        "metrics": {"box_loss": 0.9575, "cls_loss": 1.133, "dfl_loss": 0.5891},
    }
    assert evaluated["metrics"] == {"Box(P)": 0.0, "Box(R)": 0.5, "Box(mAP50)": 0.25, "Box(mAP50-95)": 0.125}
    assert evaluated["step"] == 3
    assert [fields_of(value)["metrics"] for value in read(ULTRALYTICS.split("\n", 2)[2])] == [evaluated["metrics"]]


def test_a_keras_evaluation_after_an_epoch_is_not_training() -> None:
    log = "Epoch 1/1\n16/16 - 0s - 9ms/step - loss: 1.5\n4/4 - 0s - 2ms/step - loss: 9.0\n"
    assert [fields_of(value).get("metrics") for value in read(log)] == [None, {"loss": 1.5}]


@pytest.mark.parametrize(
    "line",
    [
        "Packet loss: 0%",
        "ValueError: {'step': 5, 'loss': 0.5}",
        "the loss: 0.5 was lower than before",
        "loss: mse",
        "--loss 0.5 --step 3",
        "saving checkpoint to disk",
        "Downloading:  33%|███▎      | 331M/1.00G [00:04<00:08, 82.1MB/s]",
        "Map:  45%|████▌     | 4500/10000 [00:01<00:01, 4211.11 examples/s]",
        "100%|██████████| 1000/1000 [00:02<00:00, 431.11it/s]",
        "Validation DataLoader 0:   6%|▋         | 1/16 [00:00<00:00, 2362.99it/s]",
        "Evaluating:  50%|█████     | 5/10 [00:00<00:00, 2.99it/s, loss=0.5]",
        "> the docs say: `Training:  33%|███▎      | 1/3 [00:04<00:08,  4.99it/s, loss=0.5]`, as it is drawn",
    ],
)
def test_a_line_that_only_resembles_a_format_yields_nothing(line: str) -> None:
    assert read(line + "\n") == []


def test_a_full_evaluation_bar_reports_its_metrics_under_distinct_names() -> None:
    assert only("Evaluating: 100%|██████████| 10/10 [00:00<00:00, 2.99it/s, loss=0.5, val_acc=0.75]") == {
        "metrics": {"Evaluating loss": 0.5, "val_acc": 0.75}
    }


def test_every_format_reports_metrics_as_floats() -> None:
    for line, _ in PROGRESS:
        for value in read(line):
            assert isinstance(value, Progress)
            assert all(type(figure) is float for figure in value.metrics.values())
