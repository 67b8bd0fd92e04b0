"""A value that a callback reports exactly and its framework prints rounded counts once."""

from __future__ import annotations

import json

import pytest

from backprop_tui.readers.events import Progress
from backprop_tui.readers.log_reader import LogReader


def values_of(*lines: str) -> list[dict[str, float]]:
    reader = LogReader()
    events = [*reader.feed("".join(line + "\n" for line in lines).encode()), *reader.finish()]
    return [dict(value.metrics) for value in events if isinstance(value, Progress)]


def reported(step: int, **metrics: float) -> str:
    return json.dumps({"step": step, **metrics})


@pytest.mark.parametrize(
    ("exact", "short"),
    [
        (4.155688095092773, 4.156),
        (4.993333333333334e-05, 4.993e-05),
        (0.468241810798645, 0.4682),
        (-12.34567, -12.3),
        (1234.5678, 1235.0),
        (float("nan"), float("nan")),
    ],
)
def test_a_rounded_value_is_the_same(exact: float, short: float) -> None:
    assert values_of(reported(5, loss=exact), reported(5, loss=short)) == [pytest.approx({"loss": exact}, nan_ok=True)]


@pytest.mark.parametrize(
    ("first", "second"),
    [(4.1557, 4.157), (0.0123, 0.012), (0.9996, 1.0), (4.156, 4.155688), (float("inf"), 4.156), (1.5, -1.5)],
)
def test_a_different_value_is_new(first: float, second: float) -> None:
    assert values_of(reported(5, loss=first), reported(5, loss=second)) == [{"loss": first}, {"loss": second}]


def test_a_value_at_another_step_is_new() -> None:
    assert values_of(reported(5, loss=4.1557), reported(6, loss=4.156)) == [{"loss": 4.1557}, {"loss": 4.156}]
