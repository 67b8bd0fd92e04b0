"""Metrics that a script both prints and writes to a file are one curve."""

from __future__ import annotations

from backprop_tui.readers.events import Progress
from backprop_tui.runner.curve_names import MAX_HELD, CurveNames


def at(step: int | None, epoch: float | None = None, /, **metrics: float) -> Progress:
    return Progress(
        offset=0, step=step, epoch=epoch, metrics={name.replace("__", "/"): v for name, v in metrics.items()}
    )


def names_after(*printed: Progress) -> CurveNames:
    names = CurveNames()
    for value in printed:
        names.note(value)
    return names


def renamed(names: CurveNames, *values: Progress, is_last: bool = False) -> list[tuple[int | None, dict[str, float]]]:
    return [(value.step, dict(value.metrics)) for value in names.rename(values, is_last=is_last)]


def test_a_value_with_another_name_at_the_same_steps_is_the_printed_curve() -> None:
    names = names_after(at(100, loss=1.234), at(200, loss=1.123))
    values = [at(100, train__loss=1.2340000868), at(150, train__loss=1.2), at(200, train__loss=1.1230000257)]
    assert renamed(names, *values) == [
        (100, {"loss": 1.2340000868}),
        (150, {"loss": 1.2}),
        (200, {"loss": 1.1230000257}),
    ]
    assert renamed(names, at(250, train__loss=1.1)) == [(250, {"loss": 1.1})]


def test_other_values_at_the_same_step_are_another_curve() -> None:
    names = names_after(at(100, loss=1.234), at(200, loss=1.123))
    assert renamed(names, at(100, train__loss=1.9)) == [(100, {"train/loss": 1.9})]


def test_a_value_that_was_the_same_once_by_accident_is_another_curve() -> None:
    names = names_after(at(0, loss=3.7713), at(20, loss=3.5))
    assert renamed(names, at(0, train_loss=3.7713), at(20, train_loss=3.1))[-1] == (20, {"train_loss": 3.1})


def test_unrelated_names_do_not_wait() -> None:
    names = names_after(at(100, loss=1.234))
    assert renamed(names, at(7, fps=250.0)) == [(7, {"fps": 250.0})]


def test_values_without_a_common_step_wait_only_so_long() -> None:
    names = names_after(at(100, loss=1.234))
    values = [at(step, train__loss=1.0) for step in range(MAX_HELD + 1)]
    assert len(renamed(names, *values)) == MAX_HELD + 1
    assert renamed(names_after(at(100, loss=1.234)), at(7, train__loss=1.0)) == []
    assert renamed(names_after(at(100, loss=1.234)), at(7, train__loss=1.0), is_last=True) == [(7, {"train/loss": 1.0})]


def test_a_curve_that_is_printed_by_epoch_keeps_its_epochs() -> None:
    names = names_after(at(None, 1.0, loss=1.234), at(None, 2.0, loss=1.123))
    values = list(names.rename([at(1, train__loss=1.234), at(2, train__loss=1.123)]))
    assert [(value.step, value.epoch, dict(value.metrics)) for value in values] == [
        (None, 1.0, {"loss": 1.234}),
        (None, 2.0, {"loss": 1.123}),
    ]


def test_a_printed_metric_with_another_axis_in_a_file_is_left_out() -> None:
    names = names_after(at(20, lr=0.1), at(40, lr=0.1))
    assert renamed(names, at(45, lr=0.1), at(9986, lr=0.1, other=3.0)) == [(45, {"lr": 0.1}), (9986, {"other": 3.0})]
