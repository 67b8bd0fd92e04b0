"""A group's row names the run that was ever best, by its loss or else by its first score."""

from __future__ import annotations

from backprop_tui.domain.metric_series import Extreme
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.run_line import run_line
from backprop_tui.tui.panes.run_list import MOST_ENDED, RunListOptions, group_row, run_list_view
from backprop_tui.tui.panes.run_order import best_first, best_of
from tests.tui.snapshots import NOW, ended, snapshot


def _member(run_id: str, last: float, best: float, *, metric: str = "loss") -> KnownRun:
    return ended(run_id, name=f"train:{run_id}", metrics={metric: last}, best={metric: Extreme(best, 1200)})


def test_the_best_it_ever_was_counts_and_not_the_last() -> None:
    unit = (_member("lr=1", 0.5, 0.25), _member("lr=2", 0.4, 0.4))
    facts = group_row("sweep", unit, folded=False).group
    assert facts is not None
    assert (facts.best, facts.best_name) == ("0.2500", "lr=1")


def test_without_a_loss_the_most_of_a_score_counts() -> None:
    best = best_of((_member("a", 0.5, 0.7, metric="acc"), _member("b", 0.6, 0.6, metric="acc")))
    assert best is not None
    assert best.id == "a"
    assert best_of((ended("none"),)) is None


def test_records_that_know_no_best_are_rated_by_what_they_had_last() -> None:
    def older(run: KnownRun) -> KnownRun:
        return KnownRun(record={name: value for name, value in run.record.items() if name != "best"})

    best = best_of((older(_member("a", 0.5, 0.1)), older(_member("b", 0.4, 0.3))))
    assert best is not None
    assert best.id == "b"


def test_an_ended_run_tells_where_it_was_better() -> None:
    sentence = run_line(_member("a", 0.4127, 0.4098), NOW)
    assert sentence is not None
    assert sentence.clauses[:2] == ("loss 0.4127", "best 0.4098 at 1,200")
    same = run_line(_member("a", 0.4127, 0.4127), NOW)
    assert same is not None
    assert "best" not in " ".join(same.clauses)


def test_the_best_stand_first_and_those_without_a_figure_last() -> None:
    unit = (ended("none"), _member("b", 0.5, 0.4), _member("a", 0.5, 0.25))
    assert [one.id for one in best_first(unit)] == ["a", "b", "none"]
    assert best_first((ended("x"), ended("y")))[0].id == "x"


def test_a_group_counts_its_old_runs_too_where_they_are_folded_away() -> None:
    runs = [ended(f"r{place}", ago=60.0 + place, group="sweep", name=f"sweep:a={place}") for place in range(200)]
    rows = run_list_view(snapshot(*runs), RunListOptions()).rows
    assert rows[0].group is not None
    assert rows[0].group.size == 200
    assert len(rows) == 1 + MOST_ENDED + 1
    assert rows[-1].name == "150 older, a shows them"
