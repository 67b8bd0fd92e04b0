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


def _sweep(total: int | None) -> list[KnownRun]:
    runs = []
    for number, (rate, seed, steps) in enumerate((("1e-3", 3, 300), ("1e-3", 3, 400), ("3e-3", 4, 300))):
        name = f"train:lr={rate},seed={seed},steps={steps}"
        run = running(f"r{number}", name=name, group="g", step=50, total_steps=total)
        command = f"train.py --lr {rate} --seed {seed} --steps {steps}".split()
        runs.append(replace(run, record=run.record | {"command": command, "script": "train.py"}))
    return runs


def _rows(runs: list[KnownRun]) -> list[str]:
    """The rows of the members of the group at 80 columns."""
    view = run_list_view(snapshot(*with_labels(runs)), RunListOptions())
    columns = list_columns(view, 80, UNICODE, view.step_cells)
    lines = [text_of(draw_run(row, columns, UNICODE, cursor=False)) for row in view.rows]
    assert max(map(len, lines)) <= 80
    return [line for line in lines if "running" in line]


def test_names_take_the_cells_that_steps_do_not_need_to_say_which_argument_has_a_value() -> None:
    names = ["lr=1e-3 se=3 st=300", "lr=1e-3 se=3 st=400", "lr=3e-3 se=4 st=300"]
    rows = _rows(_sweep(300))
    assert all(name in row for name, row in zip(names, rows, strict=True))
    assert all(" 50/300 " in row for row in rows)


def test_the_width_of_names_stays_while_steps_grow() -> None:
    for step in (9, 50, 300):
        view = run_list_view(snapshot(running("a", step=step, total_steps=300)), RunListOptions())
        assert view.step_cells == len("300/300")


def test_steps_of_millions_keep_their_cells() -> None:
    rows = _rows(_sweep(1_500_000))
    assert all("50/1.5M" in row or "50/1,500,000" in row for row in rows)
