"""Groups in the list of runs: their rows, their members and the best of them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from backprop_tui.domain.smoothed_curve import Extreme
from backprop_tui.domain.status import Status
from backprop_tui.presentation.compare import member_names
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.run_filter import RunFilter
from backprop_tui.presentation.run_line import run_line
from backprop_tui.store.records import with_objective
from backprop_tui.tui.glyphs import UNICODE
from backprop_tui.tui.lines import text_of
from backprop_tui.tui.panes.run_list import MAX_ENDED, RunListOptions, run_list_view
from backprop_tui.tui.panes.run_row import RunRow, group_row
from backprop_tui.tui.panes.run_table import draw_group, draw_run, run_columns, runs_heading
from tests.tui.snapshots import NOW, ended, queued, running, snapshot


def _row(run: KnownRun) -> RunRow:
    return run_list_view(snapshot(run), RunListOptions()).rows[0]


def _text(run: KnownRun, width: int = 120) -> str:
    return text_of(draw_run(_row(run), run_columns(width), UNICODE, cursor=False)).rstrip()


def test_a_group_stands_together_and_folds() -> None:
    runs = (running("a", group="sweep"), running("z"), queued("b", group="sweep"))
    rows = run_list_view(snapshot(*runs), RunListOptions()).rows
    assert [row.run_id for row in rows] == ["z", "group:sweep", "a", "b"]
    folded = run_list_view(snapshot(*runs), RunListOptions(folded={"sweep"})).rows
    assert [row.run_id for row in folded] == ["z", "group:sweep"]


def test_members_are_called_by_what_differs() -> None:
    assert member_names(["sweep:lr=1e-3,seed=1", "sweep:lr=1e-3,seed=2"]) == ["seed=1", "seed=2"]
    assert member_names(["sweep:lr=1e-3,seed=1", "sweep:lr=3e-4,seed=2"]) == ["lr=1e-3 seed=1", "lr=3e-4 seed=2"]
    assert member_names(["alpha", "alps"]) == ["alpha", "alps"]


def _member(run_id: str, last: float, best: float, *, metric: str = "loss") -> KnownRun:
    return ended(run_id, name=f"train:{run_id}", metrics={metric: last}, best={metric: Extreme(best, 1200)})


@pytest.mark.parametrize("width", [80, 87, 100, 120, 200])
def test_the_results_of_a_sweep_stand_below_each_other_while_a_member_runs(width: int) -> None:
    last = (0.5, 0.25, 0.125)  # of the second run it is the best one, too
    members = [_member(f"lr={rate}", value, 0.25, metric="loss") for rate, value in enumerate(last)]
    runs = [running("train:lr=9", step=1, total_steps=2), *members]
    runs = [replace(run, record=run.record | {"group": "sweep", "step": 1200}) for run in runs]
    view = run_list_view(snapshot(*runs), RunListOptions())
    lines = [text_of(draw_run(row, run_columns(width), UNICODE, cursor=False)) for row in view.rows[2:]]
    words = "smoothed loss" if width in (80, 120) else "smoothed best loss"  # never as if it were a raw value
    assert len({line.index(f"{words} 0.2500") for line in lines}) == 1
    heading = runs_heading(view, run_columns(width), UNICODE, focused=False)
    end = next(head.at for head in heading.heads if head.key == "loss") + 4
    assert [line[end - 6 : end] for line in lines] == ["0.5000", "0.2500", "0.1250"]


def test_the_best_it_ever_was_counts_and_not_the_last() -> None:
    unit = (_member("lr=1", 0.5, 0.25), _member("lr=2", 0.4, 0.4))
    facts = group_row("sweep", unit, folded=False).group
    assert facts is not None
    assert (facts.best_words, facts.best, facts.best_name) == ("smoothed best", "loss 0.2500", "lr=1")


def _best_of(*members: KnownRun) -> tuple[str, str]:
    facts = group_row("sweep", members, folded=False).group
    assert facts is not None
    return facts.best, facts.best_name


def test_the_best_of_runs_that_have_not_ended_is_so_far() -> None:
    begun = running("a", name="train:lr=1", metrics={"val_loss": 0.5}, best={"val_loss": Extreme(0.25, 20)})
    facts = group_row("sweep", [begun], folded=False).group
    assert facts is not None
    assert (facts.best_words, facts.best) == ("best so far", "val_loss 0.2500")


def test_the_most_of_a_reward_is_the_best() -> None:
    low, high = _member("a", 0.5, 0.6, metric="ep_rew_mean"), _member("b", 0.6, 0.7, metric="ep_rew_mean")
    assert _best_of(low, high) == ("ep_rew_mean 0.7000", "b")
    assert _best_of(ended("none")) == ("", "")


def test_no_run_is_called_the_best_if_the_direction_is_unknown() -> None:
    assert _best_of(ended("a", metrics={"score": 1.0}), ended("b", metrics={"score": 2.0})) == ("", "")


def test_an_older_record_has_no_best_training_loss() -> None:
    def older(run: KnownRun) -> KnownRun:
        earlier = {name: value for name, value in run.record.items() if name != "objective"}
        return KnownRun(record=with_objective(earlier))

    members = [older(_member("a", 0.5, 0.1)), older(_member("b", 0.4, 0.3))]
    assert _best_of(*members) == ("", "")
    validated = [older(_member("a", 0.5, 0.1, metric="val_loss")), older(_member("b", 0.4, 0.3, metric="val_loss"))]
    assert _best_of(*validated) == ("val_loss 0.1000", "a")


def test_an_ended_run_shows_its_best_value_and_the_step() -> None:
    sentence = run_line(_member("a", 0.4127, 0.4098), NOW)
    assert sentence is not None
    assert sentence.clauses[:2] == ("loss 0.4127", "smoothed best loss 0.4098 at 1,200")
    same = run_line(_member("a", 0.4127, 0.4127), NOW)
    assert same is not None
    assert "best" not in " ".join(same.clauses)


def test_a_group_counts_its_old_runs_too_where_they_are_folded_away() -> None:
    runs = [ended(f"r{place}", ago=60.0 + place, group="sweep", name=f"sweep:a={place}") for place in range(200)]
    rows = run_list_view(snapshot(*runs), RunListOptions()).rows
    assert rows[0].group is not None
    assert rows[0].group.size == 200
    assert len(rows) == 1 + MAX_ENDED + 1
    assert rows[-1].name == "150 older, a shows them"


def test_a_sentence_without_room_behind_the_figures_takes_their_place() -> None:
    run = _member("lr=1", 0.7127, 0.7082, metric="val_loss")
    assert "loss 0.7127 · best val_loss 0.7082 at 1,200" in _text(run, 100)
    behind = _text(run, 160)
    assert "best val_loss 0.7082 at 1,200" in behind
    assert "loss 0.7127" not in behind
    assert "best" not in _text(run, 80)


def test_runs_that_share_the_best_value_are_counted() -> None:
    same = [_member(name, 0.5, 0.25) for name in "ab"]
    failed = ended("d", Status.FAILED, metrics={"loss": 0.5}, best={"loss": Extreme(0.25, 1200)})
    assert _best_of(*same, _member("c", 0.5, 0.3), failed) == ("loss 0.2500 (2 tied)", "")


def test_a_group_says_how_many_of_its_runs_match_the_filter() -> None:
    runs = [queued("q", group="sweep"), *(ended(f"r{place}", group="sweep") for place in range(3)), ended("other")]
    for text, counts in (("", "4 runs  "), ("r", "4 runs, 3 shown  ")):
        view = run_list_view(snapshot(*runs), RunListOptions(filter=RunFilter.parse(text and "done")))
        row = next(row for row in view.rows if row.group is not None)
        assert f" {counts}" in text_of(draw_run(row, run_columns(120), UNICODE, cursor=False))


@pytest.mark.parametrize(
    ("metric", "texts"),
    [
        ("loss", ["smoothed loss 0.2500", "smoothed best loss 0.2500"]),
        ("val_loss", ["best val_loss 0.2500"]),
    ],
)
def test_a_row_of_a_group_says_at_every_width_that_a_value_is_smoothed(metric: str, texts: list[str]) -> None:
    row = group_row("sweep", [_member("lr=1", 0.5, 0.25, metric=metric)], folded=False)
    lines = [text_of(draw_group(row, width, 20, UNICODE, cursor=False)) for width in range(40, 120)]
    assert all(" 1 run " in line for line in lines[40:])
    shown = [re.search(r"1 run +\S 1 +(.*0\.2500)", line) for line in lines]
    assert list(dict.fromkeys(match[1] for match in shown if match)) == texts
