"""A sweep has a run for each combination of its options' values, and each run gets its values once."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.client.run_request import SweepAxis, arguments_at, grid, name_at, parse_axis
from backprop_tui.domain.errors import UsageError

AXES = st.dictionaries(
    st.from_regex(r"[a-z]{1,6}", fullmatch=True),
    st.lists(st.from_regex(r"[0-9a-z.]{1,5}", fullmatch=True), min_size=1, max_size=4, unique=True),
    max_size=4,
).map(lambda axes: [SweepAxis(key=key, values=tuple(values)) for key, values in axes.items()])


@given(AXES)
def test_the_grid_has_every_combination_once(axes: list[SweepAxis]) -> None:
    points = grid(axes)
    count = 1
    for axis in axes:
        count *= len(axis.values)
    assert len(points) == len(set(points)) == count
    assert all(dict(point).keys() == {axis.key for axis in axes} for point in points)


def test_the_last_key_changes_fastest() -> None:
    points = grid([parse_axis("lr=1,2"), parse_axis("seed=1..2")])
    assert [dict(point) for point in points] == [
        {"lr": "1", "seed": "1"},
        {"lr": "1", "seed": "2"},
        {"lr": "2", "seed": "1"},
        {"lr": "2", "seed": "2"},
    ]


def test_ranges_and_values_may_stand_side_by_side() -> None:
    assert parse_axis("seed=-1..1,7").values == ("-1", "0", "1", "7")


@pytest.mark.parametrize(
    ("typed", "advice"),
    [
        *(
            (f"seed={other}", "write seed=1..3")
            for other in ("1-3", "1:3", "1...3", "1…3", "{1..3}", "[1-3]", "1 to 3", "range(1, 4)")
        ),
        ("seed=range(3)", "write seed=0..2"),
        ("seed=1-3,5", "write seed=1..3,5"),
        *((f"lr={other}", "write lr=0.1,0.2") for other in ("[0.1,0.2]", "(0.1, 0.2)", "0.1 0.2", "0.1;0.2")),
        *(
            (f"lr={other}", "list other values, such as lr=0.1,0.2,0.3")
            for other in ("1..x", "0.1..0.5", "0.1-0.3", "1,2,...,9")
        ),
    ],
)
def test_another_notation_is_refused_with_ours(typed: str, advice: str) -> None:
    with pytest.raises(ValueError, match=re.escape(advice)):
        parse_axis(typed)


@pytest.mark.parametrize(
    "values", ["1e-3", "1.5", "1/2", "64x64", "2026-01-31", "3-4,5-6", "..", "../a,../b", "a b", "3 cats", "-1"]
)
def test_values_that_only_resemble_another_notation_stay_as_they_are(values: str) -> None:
    assert parse_axis(f"x={values}").values == tuple(values.split(","))


def test_a_value_comes_after_the_arguments_as_an_option() -> None:
    assert arguments_at(["--epochs", "3"], (("lr", "0.1"),)) == ("--epochs", "3", "--lr", "0.1")


def test_a_value_replaces_its_placeholder_in_an_argument() -> None:
    assert arguments_at(["optim.lr={lr}", "out/{lr}", "{other}"], (("lr", "0.1"),)) == (
        "optim.lr=0.1",
        "out/0.1",
        "{other}",
    )


def test_each_run_is_named_after_its_point() -> None:
    assert name_at("train", (("lr", "0.1"), ("seed", "2"))) == "train:lr=0.1,seed=2"
    assert name_at("train", ()) == "train"


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="--sweep lr: given twice"):
        grid([parse_axis("lr=1"), parse_axis("lr=2")])


def test_a_huge_grid_is_refused() -> None:
    with pytest.raises(UsageError, match="makes 1000000 runs"):
        grid([parse_axis(f"{key}=1..100") for key in "abc"])
