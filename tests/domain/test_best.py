"""The best value of each metric, in either direction and over all attempts."""

from __future__ import annotations

import math

from backprop_tui.domain.metric_series import MAX_BEST_METRICS, Extreme, merge_best, update_best


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
