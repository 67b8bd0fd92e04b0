"""Which columns ended runs have beside their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.run_facts import with_labels
from backprop_tui.presentation.run_filter import RunFilter
from backprop_tui.tui.glyphs import UNICODE
from backprop_tui.tui.lines import text_of
from backprop_tui.tui.panes.history_table import draw_history_row, ended_columns, history_heading
from backprop_tui.tui.panes.run_list import RunListOptions, run_list_view
from tests.tui.snapshots import ended, snapshot


def _run(name: str, arguments: str) -> KnownRun:
    run = ended(f"{name} {arguments}", name=name, step=200, metrics={"val_loss": 0.5, "loss": 0.3})
    best = {"val_loss": {"value": 0.4, "step": 3}}
    return replace(run, record=run.record | {"command": ["train.py", *arguments.split()], "best": best})


def _rows(runs: Sequence[KnownRun], width: int, **options: Any) -> list[str]:
    """The heading and the rows, at a width."""
    view = run_list_view(snapshot(*with_labels(runs)), RunListOptions(older=True, **options))
    columns = ended_columns(view, width, UNICODE)
    heading = history_heading(view, columns, UNICODE, focused=False, is_first=True)
    title = text_of(heading.draw(view, width, UNICODE, focused=False))
    return [title, *(text_of(draw_history_row(row, columns, UNICODE, cursor=False)) for row in view.rows)]


@pytest.mark.parametrize(("width", "shown"), [(80, "vit-b16 o=sgd s=linear w=0.1    3e-3"), (120, "gpt-small ")])
def test_columns_are_given_up_before_a_name_is_unreadable(width: int, shown: str) -> None:
    models, rates, optimizers = ("gpt-small", "vit-b16"), ("1e-3", "3e-3"), ("adamw", "sgd")
    more = {"adamw": "--schedule cosine --weight-decay 0.01", "sgd": "--schedule linear --weight-decay 0.1"}
    runs = [
        _run(model, f"--lr {lr} --optimizer {by} {more[by]}") for model in models for lr in rates for by in optimizers
    ]
    _, *rows = _rows(runs, width)
    assert shown in " ".join(rows)
    assert "0.4000" in rows[0]


def _sweep(*others: KnownRun) -> list[KnownRun]:
    """Runs of one script: learning rate and optimizer differ, the decay in one of twelve, and the seed."""
    runs = [
        _run("gpt", f"--lr {lr} --optimizer {by} --decay {0.1 if number or lr != '1e-3' else 0.5} --seed {number}")
        for lr in ("1e-3", "3e-4", "1e-4")
        for number, by in enumerate(("adamw", "adamw", "lion", "sgd"))
    ]
    return [*runs, *others]


def test_arguments_that_most_runs_have_come_before_other_figures_and_seeds_come_last() -> None:
    view = run_list_view(snapshot(*with_labels(_sweep())), RunListOptions())
    arguments = [key for key in view.history if key.startswith("arg:")]
    assert arguments == ["arg:lr", "arg:optimizer", "arg:seed"]  # the decay is nearly always the same
    assert view.history.index("arg:optimizer") < view.history.index("took") < view.history.index("last:val_loss")


def test_a_column_that_is_empty_for_most_runs_or_alike_in_all_is_none_by_default() -> None:
    others = [_run("ppo", f"--gamma 0.{n} --lr 1e-{n}") for n in range(1, 6)]
    view = run_list_view(snapshot(*with_labels(_sweep(*others))), RunListOptions(older=True))
    assert "arg:gamma" not in view.history
    assert "step" not in view.history  # 200 in all
    assert "gamma=0.1" in " ".join(_rows(_sweep(*others), 120))


def test_what_is_asked_for_comes_before_the_default_columns_and_takes_room_from_names() -> None:
    for options in (
        {"filter": RunFilter.parse("decay<1 last(loss)<9")},
        {"columns": {"best:loss": True, "arg:decay": True}},
    ):
        heading = _rows(_sweep(), 80, **options)[0].split()
        assert {"decay", "loss"} <= set(heading), options


def test_an_argument_that_all_shown_runs_have_alike_is_said_once() -> None:
    heading, *rows = _rows(_sweep(), 200, filter=RunFilter.parse("decay=0.1 optimizer=adamw lr>1e-4"))
    assert len(rows) == 3
    assert not any("decay=" in row or "adamw" in row for row in rows)
    assert "/decay=0.1 optimizer=adamw lr>1e-4" in heading
    heading, *rows = _rows(_sweep(), 200, filter=RunFilter.parse("adamw seed=1"))
    assert "  all optimizer=adamw decay=0.1 " in heading
    assert not any("decay=" in row or "adamw" in row for row in rows)


def test_an_argument_of_two_values_has_one_name_in_all_rows() -> None:
    runs = [
        _run("gpt", f"--batch-size {size} --learning-rate {lr} --optimizer adamw-{lr} --warmup {lr}")
        for size in ("64", "128", "1024")
        for lr in ("1", "2")
    ]
    seen = set()
    for width in range(80, 160, 4):
        rows = _rows(runs, width, columns={"arg:batch-size": False})[1:]
        names = {name for row in rows for name in re.findall(r"(\S+)=(?:64|128|1024)\b", row)}
        assert len(names) <= 1, width  # where there is only room for values, no name is shown
        seen |= names
    assert {"b", "batch-size"} < seen


def test_a_long_filter_is_whole_where_there_is_room_and_else_cut_between_words() -> None:
    text = "gpt val_loss<1 done train.py since:9000d"
    headings = {
        width: _rows(_sweep(), width, filter=RunFilter.parse(text))[0].partition("Runs ")[2] for width in (80, 120, 200)
    }
    assert headings[200].startswith(f"12 of 12  /{text} ")
    assert headings[120].startswith("12 /gpt val_loss<1 done train.py … ")
    assert headings[80].startswith("12 /gpt val_loss<1 done … ")
