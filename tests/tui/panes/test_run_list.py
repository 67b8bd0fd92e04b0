"""Which rows the list of runs has, and in which order."""

from __future__ import annotations

from dataclasses import replace

from backprop_tui.domain.causes.cause import cause_of_stop
from backprop_tui.domain.status import Status
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.places import index_ranges
from backprop_tui.presentation.run_facts import with_labels
from backprop_tui.presentation.run_filter import RunFilter
from backprop_tui.presentation.states import is_problem
from backprop_tui.tui.glyphs import UNICODE
from backprop_tui.tui.lines import text_of
from backprop_tui.tui.panes.run_list import RunListOptions, run_list_view
from backprop_tui.tui.panes.run_row import RunRow
from backprop_tui.tui.panes.run_table import column_heads, draw_run, list_columns, run_columns
from tests.tui.snapshots import ended, queued, running, snapshot


def _row(run: KnownRun) -> RunRow:
    return run_list_view(snapshot(run), RunListOptions()).rows[0]


def _trial(run_id: str, arguments: str, *, name: str = "train") -> KnownRun:
    run = running(run_id, name=name, step=5, total_steps=10)
    command = ["python", "train.py", *arguments.split()]
    return replace(run, record=run.record | {"command": command, "script": "train.py"})


def _names(*runs: KnownRun) -> list[str]:
    view = run_list_view(snapshot(*with_labels(runs)), RunListOptions())
    columns = list_columns(view, 80, UNICODE)
    return [text_of(draw_run(row, columns, UNICODE, cursor=False))[14:31].rstrip() for row in view.rows]


def test_a_clipped_name_keeps_what_distinguishes_it_from_the_others() -> None:
    old = replace(ended("old", name="train"), record=ended("old", name="train").record | {"script": "train.py"})
    assert _names(*(_trial(seed, f"--lr 1e-2 --seed {seed}") for seed in ("13", "14", "15")), old)[:3] == [
        "train seed=13",
        "train seed=14",
        "train seed=15",
    ]
    rates = _names(_trial("a", "--lr 1e-2 --seed 1"), _trial("b", "--lr 1e-3 --seed 2"), old)
    assert rates[:2] == ["train lr=1e-2 s=1", "train lr=1e-3 s=2"]
    names = ("resnet50-imagenet-lr1e-3", "resnet50-imagenet-lr1e-4")
    assert _names(*(_trial(name, "", name=name) for name in names)) == ["resnet…net-lr1e-3", "resnet…net-lr1e-4"]
    assert _names(_trial("a", "--lr 1"), _trial("b", "--lr 2")) == ["train lr=1", "train lr=2"]
    sizes = [_trial(size, f"--batch-size {size}") for size in ("64", "128")]
    assert _names(*sizes) == ["train batch-…=64", "train batch-…=128"]  # the same in both


def test_the_runs_stand_active_then_waiting_then_ended() -> None:
    runs = (running("a"), queued("b"), ended("c"))
    assert [row.run_id for row in run_list_view(snapshot(*runs), RunListOptions()).rows] == ["a", "b", "c"]


def test_old_ends_are_folded_into_one_row() -> None:
    runs = [ended(f"r{number}", ago=90_000 + number) for number in range(9)]
    rows = run_list_view(snapshot(*runs), RunListOptions()).rows
    assert len(rows) == 6
    assert "4 older" in rows[-1].name
    assert len(run_list_view(snapshot(*runs), RunListOptions(older=True)).rows) == 9


def test_a_filter_narrows_by_expression_and_by_words() -> None:
    runs = (running("vit-b16", tags=("x",)), running("nano"), ended("vit-old", Status.FAILED))

    def shown(text: str) -> list[str]:
        return [row.run_id for row in run_list_view(snapshot(*runs), RunListOptions(filter=RunFilter.parse(text))).rows]

    assert shown("^vit") == ["vit-b16", "vit-old"]
    assert shown("state:failed") == ["vit-old"]
    assert shown("vit tag:x") == ["vit-b16"]
    assert shown("gpu:0") == ["vit-b16", "nano"]
    assert shown("[") == []


def test_gpus_are_named_in_few_letters() -> None:
    assert index_ranges([0]) == "0"
    assert index_ranges([2, 3]) == "2,3"
    assert index_ranges([0, 4, 5, 6, 7]) == "0,4-7"


def test_an_unseen_failure_is_bold_until_it_was_seen() -> None:
    run = ended("vit", Status.FAILED)
    assert _row(run).bold
    assert not run_list_view(snapshot(run), RunListOptions(seen={"vit"})).rows[0].bold


def test_what_a_person_stopped_is_no_problem() -> None:
    wished = cause_of_stop(by="person", reason="stopped by you", kind=None)
    guarded = cause_of_stop(by="heat", reason="GPU 0 at 91 C", kind="overheated")
    assert not is_problem(ended("a", Status.STOPPED, cause=wished))
    assert is_problem(ended("a", Status.STOPPED, cause=guarded))


def test_the_name_has_the_cells_of_a_column_of_gpus_that_no_run_fills() -> None:
    bare = replace(running("a"), record={**running("a").record, "gpus": None})
    assert run_list_view(snapshot(bare), RunListOptions()).gpu_cells == 0
    assert run_list_view(snapshot(bare, queued("b")), RunListOptions()).gpu_cells > 0
    for width in (80, 120, 200):
        wide, usual = run_columns(width, gpu=0), run_columns(width)
        assert wide.name == usual.name + usual.gpu
        assert (wide.gpu, wide.progress_at) == (0, usual.progress_at)
        assert "gpu" not in [head.key for head in column_heads(wide, None, UNICODE)]
