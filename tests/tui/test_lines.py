"""Which cells of a row changed."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.tui.glyphs import UNICODE
from backprop_tui.tui.lines import Line, Piece, Token, changed_spans, joined_clauses

pieces = st.builds(Piece, st.text(alphabet="ab 日", max_size=6), st.sampled_from(Token), st.booleans())
lines = st.lists(pieces, max_size=6).map(tuple)


def test_each_changed_number_is_a_span_of_its_own() -> None:
    before: Line = (Piece("name " + " " * 30), Piece("38.4k"), Piece(" " * 20), Piece("16:48"))
    now: Line = (Piece("name " + " " * 30), Piece("38.5k"), Piece(" " * 20), Piece("16:33"))
    assert changed_spans(before, now, 80) == [(38, 39), (63, 65)]


def test_another_colour_is_a_change_except_for_blanks() -> None:
    assert changed_spans((Piece("a b", Token.FG),), (Piece("a b", Token.BAD),), 3) == [(0, 3)]
    assert changed_spans((Piece("   ", Token.FG),), (Piece("   ", Token.BAD),), 3) == []


def test_a_wide_character_is_never_cut() -> None:
    assert changed_spans((Piece("a日b"),), (Piece("a本b"),), 4) == [(1, 3)]


@given(lines, lines, st.integers(min_value=1, max_value=30))
def test_the_spans_cover_every_change_in_order_and_lie_within_the_row(before: Line, now: Line, width: int) -> None:
    spans = changed_spans(before, now, width)
    assert all(0 <= start < end <= width for start, end in spans)
    assert all(span[1] <= following[0] for span, following in pairwise(spans))
    assert changed_spans(now, now, width) == []


def test_a_clause_that_does_not_fit_is_skipped_for_one_that_does() -> None:
    clauses = ("loss 0.5", "a sentence that is much too long for this row", "step 9")
    assert joined_clauses(clauses, 30, UNICODE) == ("loss 0.5 · step 9", "+1 more")
    assert joined_clauses(clauses, 80, UNICODE) == (" · ".join(clauses), "")
    assert joined_clauses(clauses, 8, UNICODE) == ("loss 0.5", "")


def test_a_clause_is_shortened_before_it_is_dropped() -> None:
    lost = "GPU 7 lost: fallen off the bus: reset it (nvidia-smi --gpu-reset -i 7)"
    clauses = ("needs 8 GPUs, 7 usable", lost)
    assert joined_clauses(clauses, 100, UNICODE) == (" · ".join(clauses), "")
    assert joined_clauses(clauses, 70, UNICODE)[0].endswith("GPU 7 lost: fallen off the bus: reset it")
    assert joined_clauses(clauses, 60, UNICODE)[0].endswith("GPU 7 lost: fallen off the bus")
    assert joined_clauses(clauses, 40, UNICODE) == ("needs 8 GPUs, 7 usable · GPU 7 lost", "")
    assert joined_clauses(clauses, 34, UNICODE) == ("needs 8 GPUs, 7 usable", "+1 more")
    assert joined_clauses(("starts next", "GPU 0: 0.9 GB free"), 24, UNICODE) == ("starts next", "+1 more")
