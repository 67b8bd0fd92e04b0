"""Which place of a script a line of a log is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprop_tui.tui.log.places import Place, cause_places, places_near

LOG = [
    "iter 1: loss 2.0",
    "[rank0]: Traceback (most recent call last):",
    '[rank0]:   File "train.py", line 40, in <module>',
    "[rank0]:     main()",
    '[rank0]:   File "/home/anna/model.py", line 7, in forward',
    "[rank0]:     return x @ y",
    '[rank0]:   File "/venv/lib/python3.11/site-packages/torch/nn/linear.py", line 125, in forward',
    "[rank0]: RuntimeError: shapes",
    "/home/anna/data.py:12: UserWarning: slow",
]
MODEL, TRAIN = Place("/home/anna/model.py", 7), Place("train.py", 40)
LIBRARY = Place("/venv/lib/python3.11/site-packages/torch/nn/linear.py", 125)


@pytest.mark.parametrize(
    ("index", "place"),
    [
        (2, TRAIN),
        (3, TRAIN),
        (5, MODEL),
        (6, LIBRARY),
        (7, MODEL),
        (1, MODEL),
        (0, MODEL),
        (8, Place("/home/anna/data.py", 12)),
    ],
)
def test_the_place_of_the_line_or_else_the_innermost_own_frame_of_its_traceback(index: int, place: Place) -> None:
    assert next(places_near(LOG, index)) == place


def test_no_place_is_made_up() -> None:
    assert [*places_near(["loss: 2.0, lr:1", "12:30:15 done"], 0)] == []
    assert [*places_near([], 0)] == []


def test_the_cause_names_the_place_that_may_be_shortened_in_its_advice() -> None:
    assert next(cause_places("fix train.py line 40, then resume", LOG)) == TRAIN
    assert next(cause_places("fix …/model.py:7 (O opens it), then r", LOG)) == MODEL
    assert next(cause_places("halve --batch-size (24)", LOG)) == MODEL
    assert next(cause_places("fix other.py line 3", [])) == Place("other.py", 3)


def test_only_regular_files_are_opened_and_relative_ones_are_those_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "-x.py").touch()
    assert Place("-x.py", 3).resolved(str(tmp_path)) == Place(str(tmp_path / "-x.py"), 3)
    assert Place("missing.py", 3).resolved(str(tmp_path)) is None
    assert Place(".", 3).resolved(str(tmp_path)) is None
    assert Place("/dev/null", 3).resolved(str(tmp_path)) is None
    assert Place("a\0b.py", 3).resolved(str(tmp_path)) is None
