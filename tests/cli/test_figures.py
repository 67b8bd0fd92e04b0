"""Figures are short and never jump between forms that mean the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.cli import figures
from backprop_tui.domain.times import iso


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (0, "0"), (9999, "9999"), (38400, "38.4k"), (1_250_000, "1.25M")],
)
def test_counts(value: int | None, shown: str) -> None:
    assert figures.count(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (0, "0 B"), (999, "999 B"), (999_999, "1 MB"), (3.14e9, "3.14 GB")],
)
def test_sizes(value: float | None, shown: str) -> None:
    assert figures.size(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.35287, "0.3529"),
        (1, "1"),
        ("NaN", "nan"),
        ("Infinity", "inf"),
        ("-Infinity", "-inf"),
        (None, "-"),
        (1e-9, "1e-09"),
    ],
)
def test_metrics(value: object, shown: str) -> None:
    assert figures.measure(value) == shown


@given(st.integers(-(10**15), 10**15))
def test_a_count_takes_eight_columns_at_most(value: int) -> None:
    assert len(figures.count(value)) <= 8


@pytest.mark.parametrize(
    ("passed", "shown"),
    [(0, "0s ago"), (59, "59s ago"), (61, "1m ago"), (7300, "2h ago"), (200_000, "2d ago")],
)
def test_how_long_ago(passed: float, shown: str) -> None:
    assert figures.ago(iso(1_000_000.0), 1_000_000.0 + passed) == shown
    assert figures.ago(None, 1.0) == "-"


def test_durations_have_no_space_in_a_table() -> None:
    assert (figures.seconds(None), figures.seconds(41), figures.seconds(4600)) == ("-", "0:41", "1:16h")
