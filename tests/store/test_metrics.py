"""The metrics of a run: first, last, least, most, and points for drawing, in bounded memory."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from backprop_tui.store.metrics import MOST_BUCKETS, Extreme, Series
from backprop_tui.store.metrics_file import history
from backprop_tui.domain.metric_names import less_is_better, main_loss
from tests.support.runs import Runs


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


def test_the_loss_of_training_goes_before_others() -> None:
    assert main_loss(["lr", "val_loss", "loss"]) == "loss"
    assert main_loss(["lr", "val_loss"]) == "val_loss"
    assert main_loss(["lr", "Loss/train"]) == "Loss/train"
    assert main_loss(["lr"]) is None


def test_extremes_and_the_best_are_found(runs: Runs) -> None:
    guardian = runs.guarded("r")
    for step, loss, accuracy in ((1, 3.0, 0.1), (2, 1.0, 0.7), (3, 2.0, 0.6)):
        guardian.measures(step, loss=loss, acc=accuracy, lr=0.1)
    found = history(guardian.directory)
    assert list(found) == ["loss", "acc", "lr"]
    assert (found["loss"].best, found["acc"].best, found["lr"].best) == (Extreme(1.0, 2), Extreme(0.7, 2), None)
    assert (found["loss"].first, found["loss"].last, found["loss"].most) == (
        Extreme(3.0, 1),
        Extreme(2.0, 3),
        Extreme(3.0, 1),
    )
    assert found["loss"].drawn() == [(1.0, 3.0), (2.0, 1.0), (3.0, 2.0)]
    guardian.ends()


def test_what_is_no_number_is_counted_and_not_drawn(runs: Runs) -> None:
    guardian = runs.guarded("r")
    guardian.measures(1, loss=1.0)
    guardian.measures(2, loss="NaN")
    with open(guardian.directory.file("metrics.jsonl"), "ab") as file:
        file.write(b'not json\n{"step": 3, "metrics": {"loss": []}}\n{"step": 4, "metr')
    series = history(guardian.directory)["loss"]
    assert (series.count, series.not_finite, series.least) == (2, 1, Extreme(1.0, 1))
    assert series.last is not None
    assert math.isnan(series.last.value)
    assert series.drawn() == [(1.0, 1.0)]
    guardian.ends()


def test_a_run_without_metrics_has_none(runs: Runs) -> None:
    assert history(runs.queued("r")) == {}


def test_a_long_history_is_thinned_evenly_and_keeps_its_ends() -> None:
    series = Series("loss")
    for step in range(50_000):
        series.add(float(-step), step)
    points = series.drawn()
    assert len(points) <= MOST_POINTS + 1
    assert points[-1] == (49_999.0, -49_999.0)
    gaps = [after[0] - before[0] for before, after in pairwise(points[:-1])]
    assert max(gaps) <= 2 * min(gaps)
    assert (series.count, series.least) == (50_000, Extreme(-49_999.0, 49_999))
