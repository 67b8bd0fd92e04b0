"""Bars and curves of one row."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.tui.glyphs import (
    ASCII,
    UNICODE,
    Curves,
    bar,
    blocks,
    braille,
    history,
    start_tokens,
    trend,
    trend_word,
)

shares = st.one_of(st.none(), st.floats(min_value=-1, max_value=2))


@given(shares, st.integers(min_value=0, max_value=40))
def test_a_bar_is_as_wide_as_it_is_asked_to_be(share: float | None, width: int) -> None:
    for glyphs in (UNICODE, ASCII):
        assert len("".join(bar(share, width, glyphs))) == width


def test_a_bar_is_full_only_when_all_is_used_and_empty_only_when_nothing_is() -> None:
    assert bar(1.0, 4, UNICODE) == ("━━━━", "")
    assert bar(0.999, 4, UNICODE) == ("━━━╸", "")
    assert bar(0.001, 4, UNICODE) == ("╸", "───")
    assert bar(0.0, 4, UNICODE) == ("", "────")
    assert bar(None, 4, UNICODE) == ("", "────")


def test_start_tokens_that_are_free_stand_before_those_that_are_spent() -> None:
    assert start_tokens(3.7, 4, UNICODE) == ("▪▪▪", "▫")


@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=True)), max_size=60), st.integers(min_value=1, max_value=20))
def test_a_history_fills_its_width_whatever_was_measured(samples: list[float | None], width: int) -> None:
    assert len(braille(samples, width, low=0, high=100)) == width
    assert len(blocks(samples, width, low=0, high=100)) == width


def test_a_history_has_its_newest_sample_at_the_right() -> None:
    assert braille([100.0, 0.0], 3, low=0, high=100.1) == "  ⢁"
    assert blocks([0.0, 100.0, 100.0], 3, low=0, high=100.1) == " ▁█"
    assert blocks([None, math.nan, 100.0, 0.0], 3, low=0, high=100.1) == "  ▄"


def test_a_history_is_drawn_as_is_set_or_left_out() -> None:
    assert history([100.0, 0.0], 1, Curves.BRAILLE) == "⢁"
    assert history([100.0, 0.0], 1, Curves.BLOCKS) == "▄"
    assert history([100.0, 0.0], 1, Curves.ASCII) == ""


@pytest.mark.parametrize("curves", [Curves.BRAILLE, Curves.BLOCKS])
@given(values=st.lists(st.floats(min_value=-1e6, max_value=1e6), min_size=2, max_size=300))
def test_a_trend_fills_its_width(values: list[float], curves: Curves) -> None:
    assert len(trend(values, 10, curves)) == 10


def test_a_curve_of_one_point_or_of_none_is_no_trend() -> None:
    assert trend([1.0], 10, Curves.BRAILLE) == ""
    assert trend([math.nan, math.inf], 10, Curves.BRAILLE) == ""


def test_where_dots_cannot_be_drawn_a_word_says_which_way_it_goes() -> None:
    assert trend([5.0, 4.0, 3.0, 2.0, 1.0, 0.5], 10, Curves.ASCII) == "falling"
    assert trend_word([5.0, 4.0, 3.0, 2.0, 1.0, 0.5]) == "falling"
    assert trend_word([1.0, 2.0, 3.0, 4.0]) == "rising"
    assert trend_word([1.0, 1.0, 1.0]) == "flat"


def test_a_trend_is_that_of_the_last_third_of_a_curve() -> None:
    fallen = [100.0 / (1 + place) for place in range(300)]
    rising = [*fallen[:200], *(0.3 + place / 1000 for place in range(100))]
    assert trend(fallen, 8, Curves.BLOCKS) != trend(rising, 8, Curves.BLOCKS)
    assert trend(rising, 8, Curves.BLOCKS) == "▁▂▃▄▅▆▇█"
    assert trend([float(value) for value in range(16)], 8, Curves.BLOCKS) == "▁▂▃▄▅▆▇█"


@pytest.mark.parametrize("curves", [Curves.BRAILLE, Curves.BLOCKS])
def test_noise_is_a_level_trend_and_a_slope_in_noise_is_not(curves: Curves) -> None:
    noise = [math.sin(place * place) for place in range(300)]
    assert len(set(trend(noise, 10, curves))) == 1
    assert len(set(trend([5.0] * 20, 10, curves))) == 1
    assert len(set(trend([value - place / 30 for place, value in enumerate(noise)], 10, curves))) > 2


@pytest.mark.parametrize("seed", range(3))
def test_a_noisy_loss_that_falls_has_no_level_trend_in_any_width(seed: int) -> None:
    rng = random.Random(seed)
    losses = [0.08 + 0.65 * math.exp(-step / 60) + rng.gauss(0, 0.04) for step in range(100)]
    for width in (8, 10):
        heights = ["▁▂▃▄▅▆▇█".index(cell) for cell in trend(losses, width, Curves.BLOCKS)]
        assert sum(heights[: width // 2]) > sum(heights[width // 2 :]), trend(losses, width, Curves.BLOCKS)
