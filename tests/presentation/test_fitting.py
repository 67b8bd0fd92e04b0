"""Headings keep their words, names beside each other are cut alike, and the front of a name stays if it matters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.presentation.fitting import columns_of, fitted_name, fitted_names, fitted_title, short_names


@pytest.mark.parametrize(
    ("title", "width", "shown"),
    [
        ("best val_loss", 13, "best val_loss"),
        ("best val_loss", 10, "best val_…"),
        ("val_loss (best)", 12, "val_… (best)"),
        ("validation_loss", 8, "validat…"),
        ("best val_loss", 4, "bes…"),
        ("", 3, ""),
    ],
)
def test_a_heading_loses_the_end_of_its_longest_word(title: str, width: int, shown: str) -> None:
    assert fitted_title(title, width) == shown


@given(title=st.text("ab ", max_size=30), width=st.integers(1, 30))
def test_a_heading_always_fits(title: str, width: int) -> None:
    assert columns_of(fitted_title(title, width)) <= width


def test_names_beside_each_other_are_cut_alike() -> None:
    names = ["train lr=0.01 seed=1", "train lr=0.1 seed=2", "train lr=1 seed=3"]
    assert fitted_names(names, 19) == ["train lr=0.01 se…=1", "train lr=0.1 se…=2", "train lr=1 se…=3"]
    assert fitted_names(names, 18) == ["train lr=0.01 s=1", "train lr=0.1 s=2", "train lr=1 s=3"]
    assert fitted_names(names, 20) == names
    assert fitted_names(["a", "a-very-long-name-without-arguments"], 12) == ["a", "a-ve…guments"]


def test_the_front_of_a_name_stays_before_the_names_of_arguments_where_it_tells_runs_apart() -> None:
    name = "resnet50 learning-rate=1e-3 batch-size=64 seed=64"
    assert fitted_name(name, 16) == "l=1e-3 b=64 s=64"
    assert fitted_name(name, 16, keeps_front=True) == "resn… 1e-3 64 64"


def test_names_of_arguments_keep_what_tells_them_from_others_of_the_run() -> None:
    name = "train lr=3e-3 steps=30"
    assert fitted_name(name, 17) == "tra… lr=3e-3 s=30"
    table = short_names([name], 18, others=["lr", "seed", "steps"])
    assert fitted_name(name, 18, table=table) == "tra… lr=3e-3 st=30"
    for width, shown in ((13, "lr=3e-3 st=30"), (12, "lr=3e-3 s=30"), (11, "lr=3e-3 30")):
        table = short_names([name], width, others=["lr", "seed", "steps"])
        assert fitted_name(name, width, table=table) == shown


def test_in_a_table_an_argument_has_one_name_in_all_rows() -> None:
    names = ["gpt lr=1e-3 batch-size=64 seed=1", "gpt lr=1e-3 batch-size=128 seed=1", "vit batch-size=8"]
    table = short_names(names, 26)
    assert [fitted_name(name, 26, table=table) for name in names] == [
        "gpt lr=1e-3 ba…=64 seed=1",
        "gpt lr=1e-3 ba…=128 seed=1",
        "vit ba…=8",
    ]
    assert [fitted_name(name, 40, table=short_names(names, 40)) for name in names] == names


def test_a_value_that_is_too_long_takes_no_names_from_the_other_rows() -> None:
    names = ["gpt lr=1e-3 batch-size=64", f"gpt lr=1e-3 batch-size={'x' * 60}"]
    assert short_names(names, 30) == {"lr": "lr", "batch-size": "batch-size"}


_KEYS = st.sampled_from(["lr", "batch-size", "beta1", "steps", "seed"])
_NAMES = st.lists(
    st.builds(
        lambda front, pairs: " ".join([front, *(f"{key}={value}" for key, value in pairs.items())]),
        st.sampled_from(["train", "a-long-name", "x"]),
        st.dictionaries(
            st.sampled_from(["lr", "batch-size", "beta1", "steps", "seed"]), st.sampled_from(["1", "1e-3"])
        ),
    ),
    min_size=1,
    max_size=6,
)


@given(_NAMES, st.integers(1, 60))
def test_names_in_a_table_fit_and_are_not_ambiguous(names: list[str], width: int) -> None:
    table = short_names(names, width)
    shown = [name.rstrip("…") for name in table.values()]
    assert len(set(shown)) == len(shown)
    assert all(columns_of(fitted_name(name, width, table=table)) <= width for name in names)
