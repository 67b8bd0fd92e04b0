"""Headings keep their words, names beside each other are cut alike, and the front of a name stays if it matters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.presentation.fitting import columns_of, fitted_name, fitted_names, fitted_title


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
    assert fitted_name(name, 18, others=["lr", "seed", "steps"]) == "tra… lr=3e-3 st=30"
    assert fitted_name(name, 12, others=["lr", "seed", "steps"]) == "lr=3e-3 s=30"
    assert fitted_name(name, 11, others=["lr", "seed", "steps"]) == "lr=3e-3 30"
