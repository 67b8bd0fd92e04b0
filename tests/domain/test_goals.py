"""Goals of a run (--until)."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.goals import COMPARATORS, Goal, parse_goal

names = st.from_regex(r"[A-Za-z][A-Za-z0-9_/@.]{0,20}", fullmatch=True).filter(
    lambda name: name.lower() not in ("step", "epoch")
)
figures = st.floats(-1e12, 1e12)


def reached(text: str, step: int | None = None, epoch: float | None = None, **metrics: float) -> str | None:
    return parse_goal(text).reached(step=step, epoch=epoch, metrics=metrics)


@given(names, st.sampled_from(sorted(COMPARATORS)), st.integers(-(10**9), 10**9))
def test_the_notation_parses_to_the_same_goal(name: str, sign: str, value: int) -> None:
    until = parse_goal(f"{name} {sign} {value}")
    assert (until.name, until.sign, until.value) == (name, sign, value)
    assert parse_goal(str(until)) == until


@given(names, st.sampled_from(sorted(COMPARATORS)), figures, figures)
def test_a_metric_is_compared_as_the_sign_says(name: str, sign: str, value: float, figure: float) -> None:
    until = Goal(name=name, sign=sign, value=value)
    description = until.reached(step=None, epoch=None, metrics={name: figure})
    assert (description is not None) == COMPARATORS[sign](figure, value)


@given(st.sampled_from(sorted(COMPARATORS)), figures)
def test_nan_never_reaches_a_goal(sign: str, value: float) -> None:
    assert Goal(name="loss", sign=sign, value=value).reached(step=1, epoch=1, metrics={"loss": math.nan}) is None


def test_a_step_is_reached_by_a_later_one_too() -> None:
    assert reached("step=10000", step=9999) is None
    assert reached("step=10000", step=10_050) == "step 10,000 reached"
    assert reached("epoch=2", epoch=2.5) == "epoch 2 reached"
    assert reached("STEP>=5", step=5) == "step 5 reached"


def test_a_metric_is_matched_by_its_exact_name() -> None:
    assert reached("loss<0.1", step=3, val_loss=0.01) is None
    assert reached("loss<0.1", loss=0.0994) == "loss 0.0994 reached (loss<0.1)"
    assert reached("loss==0.5", loss=0.5) is not None


def test_without_a_value_nothing_is_reached() -> None:
    assert reached("step=1") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "step=10000"),
        ("step", "step=10000"),
        ("step=", "step=10000"),
        ("=3", "step=10000"),
        ("loss<much", "much is not a number"),
        ("loss<nan", "nan is not a number"),
        ("loss<inf", "inf is not a number"),
        ("step<100", "the step only grows"),
        ("epoch=0", "must be above 0"),
        ("a<b<c", "step=10000"),
    ],
)
def test_an_invalid_goal_is_rejected_with_an_example(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_goal(text)


GOALS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["step", "epoch", "tokens", "loss", "val/acc"]) | st.text(max_size=8),
    st.sampled_from(["=", "<", ">", "<=", " = "]),
    st.integers().map(str) | st.floats().map(str) | st.text(max_size=8),
)


@given(st.text(max_size=40) | GOALS)
def test_no_text_breaks_it(text: str) -> None:
    try:
        until = parse_goal(text)
    except ValueError:
        return
    assert parse_goal(str(until)) == until
