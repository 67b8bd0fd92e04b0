"""What is kept of thousands of ended runs while the list changes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from backprop_tui.domain.objective import Objective
from backprop_tui.domain.status import Status
from backprop_tui.presentation import run_order
from backprop_tui.presentation.known_run import KnownRun, Moment, kept_per_run
from backprop_tui.presentation.objective import objective_of
from backprop_tui.presentation.run_fields import FIXED, Value, all_columns, field_of
from backprop_tui.presentation.run_filter import QUALIFIERS, STATES, RunFilter
from backprop_tui.presentation.run_order import RunSort, ordered_parts
from backprop_tui.store.fields import JsonObject
from backprop_tui.tui.panes import run_entries
from backprop_tui.tui.panes.run_entries import EndedRuns
from backprop_tui.tui.panes.run_list import RunListOptions, run_list_view
from backprop_tui.tui.snapshot import IndexedRuns, Snapshot
from tests.tui.snapshots import ended, running, snapshot

RUNS = tuple(ended(f"e{number}", ago=60.0 * number, metrics={"loss": number / 10}) for number in range(40))
NONE = RunFilter()


def _with_history(*unfinished: KnownRun) -> Snapshot:
    return replace(snapshot(*unfinished, *RUNS[:10]), history=IndexedRuns(RUNS[10:]))


def test_values_stay_while_older_runs_are_shown_and_hidden_again() -> None:
    asked: Counter[str] = Counter()

    def value(run: KnownRun) -> str:
        asked[run.id] += 1
        return run.id

    kept = EndedRuns()
    for runs in (RUNS[:10], RUNS, RUNS[:10], RUNS):
        kept.update(runs, NONE, 0.0)
        assert kept._column("key", value)[: len(runs)] == [run.id for run in runs]
    assert set(asked.values()) == {1}
    kept.update((replace(RUNS[0], queue_position=1), *RUNS[1:]), NONE, 0.0)
    kept._column("key", value)
    assert asked["e0"] == 2


def test_a_run_that_ends_is_the_only_one_whose_values_are_asked_for() -> None:
    asked: list[str] = []

    def value(run: KnownRun) -> str:
        asked.append(run.id)
        return run.id

    kept = EndedRuns()
    kept.update(RUNS, NONE, 0.0)
    kept._column("key", value)
    asked.clear()
    now = (ended("new"), *RUNS)
    kept.update(now, NONE, 0.0)
    assert kept._column("key", value) == [run.id for run in now]
    assert asked == ["new"]


def test_a_sorting_that_was_prepared_asks_no_run_for_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step asks a few runs only, and a run that ends is sorted too."""
    asked: list[str] = []
    field = field_of("last:loss")
    assert field is not None

    def value(run: KnownRun, moment: Moment) -> Value:
        asked.append(run.id)
        return field.value(run, moment)

    monkeypatch.setattr(run_entries, "field_of", lambda _: replace(field, value=value))
    monkeypatch.setattr(run_entries, "_STEP", 7)
    kept, moment, sort = EndedRuns(), snapshot().moment, RunSort(key="last:loss")
    kept.update(RUNS, NONE, 0.0)
    before = 0
    for _ in kept.prepare([sort.key], moment):
        assert len(asked) <= before + 7
        before = len(asked)
    assert len(asked) == len(RUNS)
    for both_ways in (sort, sort.reversed):
        kept.sorted_with([], [], both_ways, moment)
    assert len(asked) == len(RUNS)
    kept.update((ended("new", metrics={"loss": -1.0}), *RUNS), NONE, 0.0)
    assert next(iter(kept.sorted_with([], [], sort, moment))).id == "new"  # type: ignore[union-attr] # all are runs


def test_a_run_stands_for_all_that_are_ranked_by_the_same() -> None:
    given = {"metric": "loss", "direction": "max", "source": "option"}
    other = ended("other", metrics={"loss": 1.0})
    runs = [*RUNS[:20], replace(other, record=other.record | {"objective": given}), *RUNS[20:]]
    kept = EndedRuns()
    kept.update(runs, NONE, 0.0)
    assert len(kept.with_objective()) < 5
    assert RunSort.by("last:loss", kept.with_objective()) == RunSort.by("last:loss", runs)


@pytest.mark.parametrize("sort", [None, RunSort(key="loss")])
def test_the_ids_of_many_runs_are_found_once_while_others_train(sort: RunSort | None) -> None:
    options = RunListOptions(older=True, sort=sort)
    first = run_list_view(_with_history(running("now")), options)
    known = {*first.ids}
    again = run_list_view(_with_history(running("now", step=2)), options)
    assert known == {"now", *(run.id for run in RUNS)} == first.run_ids == again.run_ids
    assert list(again.ids) == [row.run_id for row in again.rows]
    assert again.rows._rest.ids is first.rows._rest.ids  # type: ignore[attr-defined]


def test_every_column_is_found_once_until_other_runs_match(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def counted(runs: Sequence[KnownRun]) -> list[str]:
        calls.append(len(runs))
        return all_columns(runs)

    monkeypatch.setattr(run_entries, "all_columns", counted)
    kept = EndedRuns()
    for filter_ in (NONE, NONE, RunFilter.parse("e1")):
        kept.update(RUNS, filter_, 0.0)
        assert "last:loss" in kept.all_columns([running("now")])
    assert calls == [41, 12]
    kept.all_columns([running("other")])
    assert len(calls) == 3


def test_what_is_kept_of_a_run_goes_when_the_run_changes() -> None:
    asked: list[str] = []

    @kept_per_run
    def name(run: KnownRun, end: str) -> str:
        asked.append(run.id)
        return run.id + end

    assert [name(RUNS[0], "a"), name(RUNS[0], "a"), name(RUNS[0], "b")] == ["e0a", "e0a", "e0b"]
    assert len(asked) == 2
    name(replace(RUNS[0], queue_position=1), "a")
    assert len(asked) == 3


def test_only_recorded_objectives_decide_how_a_column_is_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def asked_for(record: JsonObject) -> Objective | None:
        asked.append(record)
        return objective_of(record)

    monkeypatch.setattr(run_order, "objective_of", asked_for)
    without = [replace(run, record=run.record | {"objective": None}) for run in RUNS]
    assert RunSort.by("last:loss", without) == RunSort(key="last:loss")
    assert not asked
    given = {"metric": "loss", "direction": "max", "source": "option"}
    runs = (*without, replace(RUNS[0], record=RUNS[0].record | {"objective": given}))
    assert RunSort.by("last:loss", runs).largest_first


@pytest.mark.parametrize("largest_first", [False, True])
@pytest.mark.parametrize("text", ["", "e1", "nothing"])
def test_unfinished_runs_are_sorted_among_the_ended_ones_that_match(*, largest_first: bool, text: str) -> None:
    """As if all were sorted at once: unfinished runs before ended ones of an equal value."""
    values = (3.0, None, 1.0, 2.0, math.nan, 2.0, 1.0, *([0.5] * 5))
    runs = [
        ended(f"e{number}", metrics={} if value is None else {"loss": value}) for number, value in enumerate(values)
    ]
    keys = [2.0, 0.5, None, 2.0, 9.0]
    active = [running(f"a{number}") for number in range(len(keys))]
    entries, filter_, moment = EndedRuns(), RunFilter.parse(text), snapshot().moment
    matching = entries.update(runs, filter_, moment.wall)
    assert len(matching) == {"": 12, "e1": 3, "nothing": 0}[text]
    items = entries.sorted_with(active, keys, RunSort(key="last:loss", largest_first=largest_first), moment)

    def rank(pair: tuple[KnownRun, float | None]) -> tuple[bool, float]:
        value = pair[1]
        return (True, 0.0) if value is None or math.isnan(value) else (False, -value if largest_first else value)

    pairs = [*zip(active, keys, strict=True), *((run, values[runs.index(run)]) for run in matching)]
    assert items.ids == [run.id for run, _ in sorted(pairs, key=rank)]


_SHORT = ("e1", "[", "lr=1", "lr!=1", "step>1", "took<1h", "best<1", "loss<1", "best(loss)<1", "last(loss)>=0")
_VALUES = {"state": "done", "since": "7d", "until": "today", "ended": "2w", "gpu": "0"}
_QUALIFIED = [key + _VALUES.get(key[:-1], "a,e1") for key in QUALIFIERS]


@pytest.mark.parametrize("group", [None, "Adam"])
def test_each_word_of_the_filter_matches_the_same_runs_whatever_was_asked_of_them_before(group: str | None) -> None:
    """With and without groups, filtered and sorted by each column."""
    grouped: dict[str, Any] = {"group": group, "name": "Adam", "tags": ("A",), "metrics": {"loss": 0.5}}
    runs = [*RUNS[:12], ended("g", **grouped), ended("h", Status.FAILED, **grouped)]
    entries, moment = EndedRuns(), snapshot().moment
    for key in [*FIXED, *all_columns(runs)]:
        entries.update(runs, NONE, moment.wall)
        entries.sorted_with((), (), RunSort(key=key), moment)
        entries.group_sizes(())
        for text in (*_SHORT, *STATES, *_QUALIFIED):
            filter_ = RunFilter.parse(text)
            assert not filter_.mistakes
            assert entries.update(runs, filter_, moment.wall) == [
                run for run in runs if filter_.matches(run, moment.wall)
            ]


@pytest.mark.parametrize("largest_first", [False, True])
@pytest.mark.parametrize(
    "values",
    [
        ["b", "a", None, "b"],
        [2.0, "a", None, 1.0, math.nan, "A"],
        [2.0, 1.0, 2.0],
        [None, math.nan, 1.0],
        [],
    ],
)
def test_values_of_any_kind_are_ordered(values: list[Value], *, largest_first: bool) -> None:
    """Numbers before words, runs without a value last, and equal values in their first order."""
    first, last, without = ordered_parts(values, largest_first=largest_first)
    assert not last
    assert without == [index for index, value in enumerate(values) if value is None or value != value]  # noqa: PLR0124
    keys = [(isinstance(values[index], str), values[index], -index if largest_first else index) for index in first]
    assert keys == sorted(keys, reverse=largest_first)
    assert sorted([*first, *without]) == list(range(len(values)))
