"""How the words of a filter are searched."""

from __future__ import annotations

import re
import warnings

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backprop_tui.presentation.run_search import line_search, necessary

_PARTS = [
    *(
        "a",
        "B",
        "bc",
        "1",
        "-",
        "=",
        " ",
        "^",
        "$",
        ".",
        "*",
        "+",
        "?",
        "*?",
        "{1,2}",
        "{0}",
        "|",
        "(",
        ")",
        "(?:",
        "(?!",
    ),
    *("(?i)", "[ab]", "[^a]", "[A-C]", "[a-zA-Z]", "[+-Z]", "[^b-]", "[]a]", r"\.", r"\S", r"\s", r"\W", r"\w", r"\b"),
    *(r"\B", r"\A", r"\Z", r"\x61", r"\1", ".*", "^.*", "++", "é", "["),
]
_LINES = st.lists(st.text(alphabet="ab1c-= .é(+*", min_size=1, max_size=8), min_size=1, max_size=4)


def _finds_slowly(text: str, lines: list[str]) -> bool:
    """Line by line, as an expression that ignores case or as the text itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for pattern in (f"(?:{text})|{re.escape(text.lower())}", text):
            try:
                expression = re.compile(pattern, re.IGNORECASE | re.MULTILINE)
            except re.error:
                continue
            return any(map(expression.search, lines))
    return any(text.lower() in line for line in lines)


@given(st.lists(st.sampled_from(_PARTS), min_size=1, max_size=6).map("".join), _LINES)
@example("a[^1]*c", ["a b", "1", "c"])
@example("a)|(b", ["a", "c"])
@example(".*a$", ["b", "ba"])
@example("[^a]+1", ["b", "1"])
def test_the_search_in_all_lines_at_once_finds_what_one_in_each_line_finds(text: str, lines: list[str]) -> None:
    finds = line_search(text)
    joined = "\n".join(lines)
    assert (text.lower() in joined if finds is None else finds(joined, None)) == _finds_slowly(text, lines)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("^zzz$", "zzz"),
        ("Nano.*adam", "nano"),
        ("lr=1e-[34]", "lr=1e-"),
        ("tr?ain", "ain"),
        ("ab+c", "ab"),
        ("(adam|lion)1", "1"),
        ("adam|lion", ""),
        (r"\x41bc", ""),
        ("(?!nano)vit", ""),
        ("nan{0,3}o", "na"),
    ],
)
def test_most_runs_are_left_out_by_a_text_that_every_match_contains(text: str, part: str) -> None:
    assert necessary(text) == part
