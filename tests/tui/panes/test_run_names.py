"""Names in the rows of unfinished runs differ where the runs do."""

from __future__ import annotations

from dataclasses import replace

from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.run_facts import with_labels
from backprop_tui.tui.glyphs import UNICODE
from backprop_tui.tui.lines import text_of
from backprop_tui.tui.panes.run_list import RunListOptions, run_list_view
from backprop_tui.tui.panes.run_table import draw_run, list_columns
from tests.tui.snapshots import running, snapshot


def _trial(run_id: str, name: str, rate: str) -> KnownRun:
    known = running(run_id, name=name)
    words = f"python train.py --learning-rate {rate} --batch-size 64 --weight-decay 0.{rate[-1]} --seed {rate[-1]}"
    return replace(known, record=known.record | {"command": words.split(), "script": "train.py"})


def _names(*runs: KnownRun) -> list[str]:
    view = run_list_view(snapshot(*with_labels(runs)), RunListOptions())
    columns = list_columns(view, 80, UNICODE)
    return [text_of(draw_run(row, columns, UNICODE, cursor=False))[14:31].rstrip() for row in view.rows]


def test_at_80_columns_runs_of_other_names_keep_the_front_of_theirs() -> None:
    runs = [_trial(f"{name}{rate}", name, rate) for name in ("resnet50", "vit") for rate in ("1e-3", "3e-4")]
    assert _names(*runs) == ["res… 1e-3 0.3 s=3", "res… 3e-4 0.4 s=4", "vit 1e-3 0.3 s=3", "vit 3e-4 0.4 s=4"]


def test_of_one_name_only_the_arguments_are_shown() -> None:
    runs = [_trial(rate, "resnet50", rate) for rate in ("1e-3", "3e-4")]
    assert _names(*runs) == ["l=1e-3 w=0.3 s=3", "l=3e-4 w=0.4 s=4"]
