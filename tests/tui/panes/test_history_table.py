"""Which columns ended runs have beside their names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.run_facts import with_labels
from backprop_tui.tui.glyphs import UNICODE
from backprop_tui.tui.lines import text_of
from backprop_tui.tui.panes.history_table import draw_history_row, history_columns
from backprop_tui.tui.panes.run_list import RunListOptions, run_list_view
from tests.tui.snapshots import ended, snapshot


def _run(name: str, arguments: str) -> KnownRun:
    run = ended(f"{name} {arguments}", name=name, step=200, metrics={"val_loss": 0.5, "loss": 0.3})
    best = {"val_loss": {"value": 0.4, "step": 3}}
    return replace(run, record=run.record | {"command": ["train.py", *arguments.split()], "best": best})


@pytest.mark.parametrize(("width", "shown"), [(80, "gpt-small lr=1e-3 o=adamw"), (120, "gpt-small ")])
def test_columns_are_given_up_before_a_name_is_unreadable(width: int, shown: str) -> None:
    models, rates, optimizers = ("gpt-small", "vit-b16"), ("1e-3", "3e-3"), ("adamw", "sgd")
    runs = [_run(model, f"--lr {lr} --optimizer {by}") for model in models for lr in rates for by in optimizers]
    view = run_list_view(snapshot(*with_labels(runs)), RunListOptions())
    columns = history_columns(width, filter(None, map(view.column, view.history)), view.names)
    rows = [text_of(draw_history_row(row, columns, UNICODE, cursor=False)) for row in view.rows]
    assert shown in " ".join(rows)
    assert "0.5000" in rows[0]
