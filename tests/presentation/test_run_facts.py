"""Labels of runs that share a name, the arguments that vary, and the columns of runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from backprop_tui.domain.limits import GIGABYTE
from backprop_tui.presentation import run_facts
from backprop_tui.presentation.known_run import KnownRun, Moment
from backprop_tui.presentation.run_facts import settings_of, varying_settings, with_labels
from backprop_tui.presentation.run_fields import FIXED
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.option_table import argument_words
from tests.tui.snapshots import ended


def _train(run_id: str, arguments: str, *, name: str = "train") -> KnownRun:
    run = ended(run_id, name=name)
    command = ["python", "train.py", *arguments.split()]
    return replace(run, record=run.record | {"command": command, "script": "train.py"})


def _labels(*runs: KnownRun) -> list[str]:
    return [run.label for run in with_labels(runs)]


def test_runs_of_one_name_are_labeled_by_the_arguments_that_differ() -> None:
    first = _train("a", "--lr 1e-3 --batch-size 128 --epochs 3")
    second = _train("b", "--lr=1e-4 --batch-size 64 --epochs 3")
    assert _labels(first, second) == ["train lr=1e-3 batch-size=128", "train lr=1e-4 batch-size=64"]


def test_a_name_of_its_own_and_equal_arguments_need_no_label() -> None:
    assert _labels(_train("a", "--lr 1"), _train("b", "--lr 2", name="vit")) == ["train", "vit"]
    assert _labels(_train("a", "--lr 1"), _train("b", "--lr 1")) == ["train", "train"]


def test_an_argument_that_one_run_lacks_differs() -> None:
    assert _labels(_train("a", "--lr 1"), _train("b", "--lr 1 --amp")) == ["train", "train amp=yes"]


def test_paths_come_last_and_four_arguments_are_enough() -> None:
    runs = [_train(run, f"--out runs/{run} --a {run} --b {run} --c {run} --d {run} --e {run}") for run in "xy"]
    assert _labels(*runs)[0] == "train a=x b=x c=x d=x"
    assert varying_settings(runs) == ["a", "b", "c", "d", "e", "out"]
    assert _labels(*runs, _train("z", "--f z"))[2] == "train f=z", "those that the run itself has"
    assert _labels(_train("a", "--config c/a.yaml"), _train("b", "--config c/b.yaml"))[0] == "train config=c/a.yaml"


def test_paths_are_left_out_if_other_arguments_distinguish_the_runs() -> None:
    runs = [_train(f"{lr}{seed}", f"--out runs/{lr}-{seed} --lr {lr} --seed {seed}") for lr in "12" for seed in "12"]
    assert _labels(*runs) == ["train lr=1 seed=1", "train lr=1 seed=2", "train lr=2 seed=1", "train lr=2 seed=2"]
    again = _train("again", "--out runs/again --lr 2 --seed 2")
    assert _labels(*runs, again)[-2:] == ["train lr=2 seed=2 out=runs/2-2", "train lr=2 seed=2 out=runs/again"]


def test_a_run_is_labeled_by_what_varies_in_its_group() -> None:
    def sweep(group: str, out: str) -> list[KnownRun]:
        runs = [_train(f"{group}{lr}", f"--lr {lr} --out {out}", name=f"train:lr={lr}") for lr in "12"]
        return [replace(run, record=run.record | {"group": group}) for run in runs]

    first, again = sweep("first", "ckpt/1"), sweep("again", "ckpt/2")
    alone = _train("alone", "--lr 3")
    assert _labels(*first, *again, alone) == [*["train lr=1", "train lr=2"] * 2, "train"]
    assert _labels(first[0], again[0]) == ["train lr=1 out=ckpt/1", "train lr=1 out=ckpt/2"]  # each alone in its group


def test_hydras_arguments_have_names_and_files_have_none() -> None:
    assert settings_of(_train("a", "data.csv lr=0.1 --seed 2 -x").record) == {"lr": "0.1", "seed": "2", "x": "yes"}


def test_the_arguments_of_a_record_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[JsonObject] = []

    def words(record: JsonObject) -> Sequence[str]:
        asked.append(record)
        return argument_words(record)

    monkeypatch.setattr(run_facts, "argument_words", words)
    first, other = _train("a", "--lr 1").record, _train("a", "--lr 2").record
    assert [settings_of(record)["lr"] for record in (first, first, other, first)] == ["1", "1", "2", "1"]
    assert len(asked) == 2


def test_peak_gpu_memory_is_in_the_units_of_memory() -> None:
    run = _train("a", "")
    run = replace(run, record=run.record | {"peak": {"vram_bytes": 80 * GIGABYTE}})
    assert FIXED["vram"].text(run, Moment.now()) == "80 GB"


def test_a_run_of_a_sweep_is_spelled_as_its_namesakes_are() -> None:
    assert _labels(_train("a", "--lr 1", name="train:lr=1,seed=2")) == ["train lr=1 seed=2"]
    assert _labels(_train("a", "", name="a:b"), _train("b", "", name="a:b=1,c")) == ["a:b", "a:b=1,c"]
