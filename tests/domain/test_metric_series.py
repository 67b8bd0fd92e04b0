"""Which loss is shown, and how training losses are smoothed."""

from __future__ import annotations

import random

import pytest

from backprop_tui.domain.metric_names import Direction, main_loss, validation_counterpart
from backprop_tui.domain.smoothed_curve import MAX_PARTS, Extreme, SmoothedCurve
from backprop_tui.store.metrics import SeriesBuilder


def test_the_training_loss_is_preferred() -> None:
    assert main_loss(["lr", "val_loss", "loss"]) == "loss"
    assert main_loss(["lr", "val_loss"]) == "val_loss"
    assert main_loss(["lr", "Loss/train"]) == "Loss/train"
    assert main_loss(["Val Loss", "Loss"]) == "Loss"
    assert main_loss(["val/box_loss", "train/box_loss"]) == "train/box_loss"
    assert main_loss(["loss_scale", "eval_loss"]) == "eval_loss"
    assert main_loss(["validation_0-logloss", "train-logloss"]) == "train-logloss"
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


def _best(*values: float, direction: Direction = Direction.MIN) -> Extreme | None:
    curve = SmoothedCurve()
    for step, value in enumerate(values, start=1):
        curve.add(value, step)
    return curve.best(direction)


def test_a_single_dip_is_not_the_best() -> None:
    assert _best(1.0, 0.9, 0.001, 0.8, 0.7) == Extreme(0.7, 4)
    assert _best(0.001, 1.0, 0.9, 0.8, 0.7) == Extreme(0.7, 5)
    assert _best(1.0, 0.9, 0.8, 0.8, 0.001) == Extreme(0.8, 3)


def test_a_falling_loss_is_best_at_its_end() -> None:
    assert _best(3.0, 2.0, 1.0) == Extreme(1.0, 3)
    assert _best(2.3, 0.5, 0.4) == Extreme(0.4, 3)
    assert _best(1.0, 2.0, 3.0, direction=Direction.MAX) == Extreme(3.0, 3)


def test_one_or_two_values_are_taken_as_they_are() -> None:
    assert _best() is None
    assert _best(2.0) == Extreme(2.0, 1)
    assert _best(2.0, 1.0) == Extreme(1.0, 2)


def test_luck_in_a_long_training_hardly_counts() -> None:
    noise = random.Random(1)
    values = [0.5 + noise.uniform(-0.4, 0.4) for _ in range(10_000)]
    best = _best(*values)
    assert best is not None
    assert min(values) < 0.101
    assert 0.45 < best.value < 0.5


def test_a_smoothed_curve_is_bounded_and_agrees_with_the_whole_series() -> None:
    builder = SeriesBuilder("loss")
    curve = SmoothedCurve()
    for step in range(1, 5001):
        builder.add(1 / step, step)
        curve.add(1 / step, step)
    assert len(curve.points) < MAX_PARTS
    best = curve.best(Direction.MIN)
    series_best = builder.snapshot().best
    assert best is not None
    assert series_best is not None
    assert best.value == pytest.approx(series_best.value, rel=0.05)


def test_no_best_value_spans_values_that_were_not_read() -> None:
    """A falling loss of which the middle was skipped: the few values behind are no outliers."""
    builder, curve = SeriesBuilder("loss"), SmoothedCurve()
    for step in (*range(20_000), *range(59_700, 60_000)):
        if step == 59_700:
            builder.note_skip()
            curve = curve.after_hole()
        loss = 3.0 - 2.7 * step / 60_000
        builder.add(loss, step)
        curve.add(loss, step)
    for best in (curve.best(Direction.MIN), builder.snapshot().best):
        assert best is not None
        assert best.value == pytest.approx(0.3, abs=0.01)
    first = curve.best(Direction.MAX)
    assert first is not None
    assert first.value == pytest.approx(3.0, abs=0.05)


def test_two_values_behind_a_hole_do_not_count_beside_smoothed_ones() -> None:
    curve = SmoothedCurve([(1.0, 1), (0.9, 2), (0.8, 3)]).after_hole()
    curve.add(0.1, 9)
    assert curve.best(Direction.MIN) == Extreme(0.8, 3)
    assert curve.is_smoothed
