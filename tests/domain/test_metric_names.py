"""Classification of metrics by name."""

from __future__ import annotations

import pytest

from backprop_tui.domain.metric_names import less_is_better, main_loss, validation_counterpart


@pytest.mark.parametrize(
    ("name", "less"),
    [
        ("loss", True),
        ("val_loss", True),
        ("train/loss", True),
        ("eval.perplexity", True),
        ("acc", False),
        ("val_acc", False),
        ("top5_accuracy", False),
        ("Acc@1", False),
        ("mAP50", False),
        ("learning_rate", None),
        ("grad_norm", None),
        ("loss_scale", None),
    ],
)
def test_a_name_tells_which_way_is_better(name: str, less: bool | None) -> None:  # noqa: FBT001 - a parameter
    assert less_is_better(name) is less


def test_the_training_loss_is_preferred() -> None:
    assert main_loss(["lr", "val_loss", "loss"]) == "loss"
    assert main_loss(["lr", "val_loss"]) == "val_loss"
    assert main_loss(["lr", "Loss/train"]) == "Loss/train"
    assert main_loss(["Val Loss", "Loss"]) == "Loss"
    assert main_loss(["val/box_loss", "train/box_loss"]) == "train/box_loss"
    assert main_loss(["loss_scale", "eval_loss"]) == "eval_loss"
    assert main_loss(["lr"]) is None


@pytest.mark.parametrize(
    ("name", "partner"),
    [
        ("loss", "val_loss"),
        ("train_loss", "val_loss"),
        ("train/loss", "val/loss"),
        ("loss", "eval_loss"),
        ("acc", "valid_acc"),
        ("loss", "loss_val"),
    ],
)
def test_a_training_metric_has_a_validation_counterpart(name: str, partner: str) -> None:
    assert validation_counterpart(name, ["lr", name, partner]) == partner
    assert validation_counterpart("lr", ["lr", name, partner]) is None
    assert validation_counterpart(partner, [name, partner]) is None
