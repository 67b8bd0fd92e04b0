"""Classification of metrics by name."""

from __future__ import annotations

import math

import pytest

from backprop_tui.domain.metric_series import (
    MAX_BEST_METRICS,
    Extreme,
    less_is_better,
    main_loss,
    merge_best,
    update_best,
    validation_counterpart,
)


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


def test_the_lowest_loss_and_the_highest_accuracy_are_kept_with_their_steps() -> None:
    best: dict[str, Extreme] = {}
    for step, loss, accuracy in ((1, 3.0, 0.1), (2, 1.0, 0.7), (3, 2.0, 0.6), (4, 1.0, 0.7)):
        update_best(best, {"loss": loss, "acc": accuracy, "lr": 0.1}, step)
    assert best == {"loss": Extreme(1.0, 2), "acc": Extreme(0.7, 2)}


def test_nan_is_never_the_best() -> None:
    best: dict[str, Extreme] = {}
    update_best(best, {"loss": math.nan, "val_loss": -math.inf, "acc": math.inf}, 1)
    assert best == {}


def test_its_size_is_bounded() -> None:
    best: dict[str, Extreme] = {}
    update_best(best, {f"layer{number}/loss": 1.0 for number in range(1000)}, None)
    assert len(best) == MAX_BEST_METRICS


def test_the_better_of_two_attempts_counts() -> None:
    earlier = {"loss": Extreme(1.0, 10), "acc": Extreme(0.5, 10)}
    later = {"loss": Extreme(2.0, 12), "acc": Extreme(0.75, 12)}
    assert merge_best(earlier, later) == {"loss": Extreme(1.0, 10), "acc": Extreme(0.75, 12)}
    assert merge_best(earlier, {}) == earlier
