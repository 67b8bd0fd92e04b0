"""Durations and sizes with units."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.formatting import duration, gigabytes_down, gigabytes_up
from backprop_tui.domain.quantities import DISK_SIZES, MEMORY_SIZES, TIMES, parse_amount


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("45s", 45), ("90m", 5400), ("1h30m", 5400), ("2d", 172800), ("1w", 604800), ("1.5h", 5400), (".5m", 30)),
        *((" 1 h 30 min ", 5400), ("1H", 3600), ("2 days 4 hours", 187200), ("1d2h3m4s", 93784)),
    ],
)
def test_a_duration_is_a_sum_of_units(text: str, seconds: float) -> None:
    assert parse_amount(text, TIMES) == seconds


@pytest.mark.parametrize("text", ["", "5", "h", "5x", "1h30", "30m1h", "1h1h", "-5m", "1:30", "5mm", "1e3s"])
def test_anything_else_is_no_duration(text: str) -> None:
    assert parse_amount(text, TIMES) is None


def test_a_size_of_a_disk_is_decimal_unless_it_says_otherwise() -> None:
    sizes = {"8G": 8e9, "500 MB": 5e8, "1GiB": 2**30, "2tb": 2e12}
    assert {text: parse_amount(text, DISK_SIZES) for text in sizes} == sizes


def test_a_size_of_memory_is_binary() -> None:
    sizes = {"8G": 2**33, "500 MB": 500 * 2**20, "1GiB": 2**30, "2tb": 2**41}
    assert {text: parse_amount(text, MEMORY_SIZES) for text in sizes} == sizes


@given(st.integers(0, 999))
def test_memory_that_is_typed_is_shown_as_typed(gigabytes: int) -> None:
    parsed = parse_amount(f"{gigabytes}GB", MEMORY_SIZES)
    assert parsed is not None
    assert (gigabytes_down(int(parsed)), gigabytes_up(int(parsed))) == (str(gigabytes), str(gigabytes))


@given(st.integers(0, 10**7))
def test_a_duration_that_is_shown_can_be_typed(seconds: int) -> None:
    shown = duration(seconds)
    parsed = parse_amount(shown, TIMES)
    assert parsed is not None
    assert duration(parsed) == shown
