"""Text measured in cells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from backprop_tui.tui.glyphs import UNICODE
from backprop_tui.tui.lines import (
    clip,
    clip_middle,
    clip_name,
    clip_with_path,
    joined_clauses,
    left,
    right,
    shortened,
    wrapped,
)

texts = st.text(alphabet=st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=40)


@given(texts, st.integers(min_value=1, max_value=30))
def test_columns_keep_their_width_with_letters_of_any_width(text: str, width: int) -> None:
    assert cell_len(left(text, width, UNICODE)) == width
    assert cell_len(right(text, width, UNICODE)) == width
    assert cell_len(clip(text, width, UNICODE)) <= width


def test_a_path_loses_its_middle() -> None:
    assert clip_middle("/home/anna/runs/7f3a2c/output.log", 20, UNICODE) == "/home/a…c/output.log"


def test_a_sentence_that_ends_in_a_path_keeps_the_name_of_the_file() -> None:
    sentence = "checkpoint at step 500: /home/anna/runs/7f3a2c/step-000500.json"
    assert clip_with_path(sentence, 50, UNICODE) == "checkpoint at step 500: /home/ann…step-000500.json"
    assert clip_with_path(sentence, 100, UNICODE) == sentence
    assert clip_with_path("a sentence without one", 10, UNICODE) == "a sentenc…"


def test_a_sentence_loses_whole_clauses_and_says_how_many() -> None:
    clauses = ("GPU 1 too hot, 84 °C, starts below 80", "RAM 3.1 GB free, keeps 4", "2 runs active, at most 2")
    assert joined_clauses(clauses, 60, UNICODE) == ("GPU 1 too hot, 84 °C, starts below 80", "+2 more")
    assert joined_clauses(clauses, 200, UNICODE)[1] == ""
    assert joined_clauses((), 20, UNICODE) == ("", "")


def test_a_clause_behind_the_first_loses_its_brackets_before_it_is_left_out() -> None:
    clauses = (
        "2 runs active (max_parallel auto: 2)",
        "CPU load 5.3 per core (governor.max_load_per_core 1)",
        "GPU 1 hot",
    )
    assert joined_clauses(clauses, 84, UNICODE)[0].endswith(" · CPU load 5.3 per core · GPU 1 hot")


def test_a_cause_drops_what_stands_behind_its_last_comma() -> None:
    assert shortened("asked 2.50 GB, 1.12 GB free", 20, UNICODE) == "asked 2.50 GB"


def test_a_long_command_goes_on_in_the_next_row() -> None:
    assert wrapped("python train.py --lr 3e-4", 16) == ["python train.py", "  --lr 3e-4"]


@pytest.mark.parametrize(
    ("name", "width", "shown"),
    [
        ("vit-small lr=1e-3 batch-size=64", 40, "vit-small lr=1e-3 batch-size=64"),
        ("vit-small lr=1e-3 batch-size=64", 28, "vit-small lr=1e-3 batch-…=64"),
        ("vit-small lr=1e-3 batch-size=64", 20, "vit-sm… lr=1e-3 b=64"),
        ("vit-small lr=1e-3 batch-size=64", 17, "vit… lr=1e-3 b=64"),
        ("vit-small lr=1e-3 batch-size=64", 13, "lr=1e-3 b=64"),
        ("vit-small lr=1e-3 batch-size=64", 8, "1e-3 64"),
        ("train batch-size=64 amp=yes", 16, "batc…=64 amp=yes"),
        ("vit-small lr=1e-3 batch-size=64", 6, "1e-3…"),
        ("lr=1e-3 seed=0", 12, "lr=1e-3 s=0"),
        ("train lr=1e-2 steps=20 seed=2", 28, "train lr=1e-2 ste…=20 seed=2"),
        ("train lr=1e-2 steps=20 seed=2", 24, "train lr=1e-2 st=20 se=2"),
        ("train lr=1e-2 steps=20 seed=2", 12, "lr=1e-2 20 2"),
        ("run-of-the-morning-7", 12, "run-…rning-7"),
    ],
)
def test_a_name_that_is_cut_keeps_the_values_of_its_arguments(name: str, width: int, shown: str) -> None:
    assert clip_name(name, width, UNICODE) == shown


@given(
    st.lists(st.sampled_from(["vit", "lr=1e-3", "漢字=漢", "a=", "=", ""]), max_size=6).map(" ".join),
    st.integers(0, 30),
)
def test_a_name_never_takes_more_cells_than_it_has(name: str, width: int) -> None:
    assert cell_len(clip_name(name, width, UNICODE)) <= width
