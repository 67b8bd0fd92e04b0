"""Arguments of a script as rows: what is not changed stays word for word, changes keep the style."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.arguments import (
    LITERAL,
    OptionSyntax,
    change_arguments,
    compare_arguments,
    named_values,
    parse_arguments,
    quoted,
    with_placeholder,
    words_of_arguments,
)
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.resume_arguments import option_syntax

_KNOWN = OptionSyntax(switches=frozenset({"--fast"}), lists=frozenset({"--tags"}))
_WORD = st.one_of(
    st.sampled_from(
        ["--lr", "--lr=1e-3", "-b", "-b8", "lr=0.1", "+x=1", "--", "--fast", "--tags", "a", "", "-1", "=", "-"]
    ),
    st.text(max_size=6),
)


@given(st.lists(_WORD, max_size=12))
def test_all_words_survive(words: list[str]) -> None:
    assert words_of_arguments(parse_arguments(words)) == words
    assert words_of_arguments(parse_arguments(words, _KNOWN)) == words


@given(st.lists(_WORD, max_size=12))
def test_a_value_typed_again_as_it_is_shown_changes_nothing(words: list[str]) -> None:
    rows = parse_arguments(words)
    assert words_of_arguments(replace(row, values=tuple(shlex.split(row.text))) for row in rows) == words


@given(st.text(max_size=8))
def test_a_quoted_word_is_one_word(word: str) -> None:
    assert shlex.split(quoted(word)) == [word]


@pytest.mark.parametrize(
    ("line", "rows"),
    [
        ("--lr 1e-3", [("--lr", "1e-3")]),
        ("--lr=1e-3 -b8 -b 8", [("--lr", "1e-3"), ("-b", "8"), ("-b", "8")]),
        ("fit lr=0.1 +x.y=2", [("", "fit"), ("lr", "0.1"), ("+x.y", "2")]),
        ("--fast data --seed -1", [("--fast", ""), ("", "data"), ("--seed", "-1")]),
        ("--tags a b --out 'my dir'", [("--tags", "a b"), ("--out", "'my dir'")]),
        ("--layers [1,2] '--glob=*.pt'", [("--layers", "[1,2]"), ("--glob", "*.pt")]),
        ("--x 1 -- --y 2", [("--x", "1"), ("--", ""), ("", "--y"), ("", "2")]),
        ("-m lr=1", [("-m", ""), ("lr", "1")]),
    ],
)
def test_words_become_rows(line: str, rows: list[tuple[str, str]]) -> None:
    assert [(row.name, row.text) for row in parse_arguments(shlex.split(line), _KNOWN)] == rows


@pytest.mark.parametrize(
    ("arguments", "changes", "line"),
    [
        ("", "--epochs 8", "--epochs 8"),
        ("--lr 1 --epochs 4 --fast", "--epochs 8", "--lr 1 --epochs 8 --fast"),
        ("--epochs=4 data", "--epochs 8", "--epochs=8 data"),
        ("--epochs 4", "--epochs=8 --seed -1", "--epochs 8 --seed -1"),
        ("-b8", "-b 16", "-b16"),
        ("fit trainer.max_epochs=4 lr=1", "trainer.max_epochs=8", "fit trainer.max_epochs=8 lr=1"),
        ("++lr=1", "lr=2", "++lr=2"),
        ("--batch_size 4", "--batch-size 8", "--batch_size 8"),
        ("--tags a b --out o", "--tags c", "--tags c --out o"),
        ("--data a --data b --lr 1", "--data c", "--data c --lr 1"),
        ("--data a", "--data b --data c", "--data b --data c"),
        ("--fast a", "b", "--fast b"),
        ("a --lr 1", "--lr 2", "a --lr 2"),
        ("--lr 1 -- x", "--seed 3", "--lr 1 --seed 3 -- x"),
        ("--lr 1 a", "--lr 1 --fast", "--lr 1 a --fast"),
    ],
)
def test_arguments_that_are_given_again_are_replaced_in_their_own_style(
    arguments: str, changes: str, line: str
) -> None:
    assert shlex.join(change_arguments(shlex.split(arguments), shlex.split(changes), _KNOWN)) == line


@given(st.lists(_WORD, max_size=10))
def test_no_change_changes_nothing(words: list[str]) -> None:
    assert change_arguments(words, []) == words


def test_another_number_of_positional_words_is_refused() -> None:
    with pytest.raises(UsageError, match=r"the run has 2 arguments without an option .fit data.* and here is 1"):
        change_arguments(["fit", "data"], ["other"])


@pytest.mark.parametrize(
    ("arguments", "key", "line"),
    [
        ("--lr 1 --seed=2", "seed", "--lr 1 '--seed={seed}'"),
        ("--batch_size 1", "batch-size", "--batch_size '{batch-size}'"),
        ("lr=1", "lr", "'lr={lr}'"),
        ("--out 'x{lr}' --lr 1", "lr", "--out 'x{lr}' --lr 1"),
        ("--lr 1", "seed", "--lr 1"),
    ],
)
def test_a_sweep_takes_the_place_of_the_value(arguments: str, key: str, line: str) -> None:
    assert shlex.join(with_placeholder(shlex.split(arguments), key)) == line


def test_rows_are_compared_by_name_and_number() -> None:
    before = parse_arguments(shlex.split("fit --lr 1 --data a --data b --old"))
    now = parse_arguments(shlex.split("fit --new --data a --data c --lr 2"))
    pairs: list[Any] = [
        (old and shlex.join(old.words), new and shlex.join(new.words)) for old, new in compare_arguments(before, now)
    ]
    assert pairs == [
        ("fit", "fit"),
        (None, "--new"),
        ("--data a", "--data a"),
        ("--data b", "--data c"),
        ("--old", None),
        ("--lr 1", "--lr 2"),
    ]


def test_the_source_says_which_options_take_no_value_and_which_take_several() -> None:
    syntax = option_syntax(
        """
p.add_argument("--fast", action="store_true")
p.add_argument("--amp", action=argparse.BooleanOptionalAction)
p.add_argument("--tags", "-t", nargs="+")
p.add_argument("--lr", type=float)
@click.option("--shout/--no-shout", is_flag=True)
"""
    )
    assert syntax.switches == {"--fast", "--amp", "--no-amp", "--shout", "--no-shout"}
    assert syntax.lists == {"--tags", "-t"}


@pytest.mark.parametrize(
    ("before", "given", "hint"),
    [
        ("--batch-size 32", "batch_size=64", "use --batch-size 64"),
        ("batch_size=32", "--batch-size 64", "use batch_size=64"),
        ("-lr=1", "--lr 2", "use -lr=2"),
    ],
)
def test_an_option_in_another_spelling_is_refused_with_that_of_the_run(before: str, given: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        change_arguments(before.split(), given.split())
    assert refused.value.hint == hint


def test_arguments_are_named_however_they_are_written() -> None:
    words = ("data", "--lr", "-0.5", "--wd=0", "--amp", "-v", "-b8", "+opt.k=1", "--tag", "a", "--tag", "b", "out")
    assert named_values((*words, "--", "-x")) == {
        "argument 1": "data",
        "--lr": "-0.5",
        "--wd": "0",
        "--amp": "yes",
        "-v": "yes",
        "-b": "8",
        "opt.k": "1",
        "--tag": "a, b",
        "argument 2": "out",
        "argument 3": "-x",
    }


@given(st.lists(_WORD))
def test_no_argument_is_lost(words: list[str]) -> None:
    shown = "".join(name + value for name, value in named_values(tuple(words)).items())
    assert all(
        text in shown
        for row in parse_arguments(words)
        for text in (row.name.lstrip("+"), *row.values)
        if text != LITERAL
    )
