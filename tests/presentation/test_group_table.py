"""The table of a group: settings, folded runs, what counts, the best, and differences to the baseline."""

from __future__ import annotations

import math
import statistics
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.objective import parse_objective
from backprop_tui.domain.smoothed_curve import Extreme
from backprop_tui.domain.spread import Spread, Verdict, difference, spread_of, two_sided_probability
from backprop_tui.domain.status import Status
from backprop_tui.presentation.group_table import GroupSetting, GroupTable, Standing, group_table
from backprop_tui.presentation.group_words import (
    count_text,
    difference_text,
    heading_text,
    mean_text,
    metric_title,
    repetitions,
    row_sentence,
    spread_text,
    step_text,
    verdict_text,
)
from backprop_tui.presentation.objective import rank_records
from backprop_tui.store.fields import JsonObject
from tests.tui.sweep import sweep_run, sweep_runs

FINITE = st.floats(min_value=-1e12, max_value=1e12)


def member(arguments: str, value: float | None = None, status: Status = Status.COMPLETED, **fields: Any) -> JsonObject:
    return sweep_run(arguments, value, status, **fields).record


def sweep() -> list[JsonObject]:
    return [run.record for run in sweep_runs()]


def row_of(table: GroupTable, *values: str) -> GroupSetting:
    return next(row for row in table.rows if row.values == values)


@given(st.lists(FINITE, min_size=1, max_size=30))
def test_mean_and_deviation_are_those_of_the_standard_library(values: list[float]) -> None:
    spread = spread_of(values)
    assert spread is not None
    scale = max(map(abs, values))
    assert spread.mean == pytest.approx(statistics.fmean(values), rel=1e-9, abs=1e-9 * scale)
    if len(values) == 1:
        assert spread.deviation is None
    else:
        assert spread.deviation == pytest.approx(statistics.stdev(values), rel=1e-6, abs=1e-9 * scale)


def test_huge_values_do_not_overflow_and_no_values_have_no_mean() -> None:
    spread = spread_of([1.5e308, 1.5e308])
    assert spread is not None
    assert (spread.mean, spread.deviation) == (1.5e308, 0.0)
    assert spread_of([]) is None


@pytest.mark.parametrize(
    ("freedom", "t"),
    [(1, 12.7062), (2, 4.30265), (3, 3.18245), (5, 2.57058), (10, 2.22814), (30, 2.04227), (200, 1.97190)],
)
def test_the_probability_of_t_is_that_of_the_tables(freedom: float, t: float) -> None:
    assert two_sided_probability(t, freedom) == pytest.approx(0.05, rel=1e-4)
    assert two_sided_probability(-t, freedom) == pytest.approx(0.05, rel=1e-4)
    assert two_sided_probability(0.0, freedom) == pytest.approx(1.0)


def test_a_difference_is_judged_as_by_scipy() -> None:
    # scipy.stats.ttest_ind([2.5, 4.5, 6], [1, 2, 3, 4], equal_var=False): t 1.5254, df 3.5602, p 0.210398
    comparison = difference(_spread(1, 2, 3, 4), _spread(2.5, 4.5, 6))
    assert comparison.verdict is Verdict.WITHIN
    assert comparison.value == pytest.approx(2.5 - 13 / 3)
    assert comparison.probability == pytest.approx(0.2103980264, rel=1e-8)
    few = difference(_spread(1, 2), _spread(5, 5.1, 5.3))  # t -7.1562, df 1.0627
    assert few.probability == pytest.approx(0.0791146328, rel=1e-5)
    assert difference(_spread(1, 1.1, 0.9), _spread(2, 2.1, 1.9)).verdict is Verdict.EXCEEDS


@given(st.lists(FINITE, min_size=2, max_size=8), st.lists(FINITE, min_size=2, max_size=8))
def test_a_difference_is_the_same_in_both_directions(one_side: list[float], other_side: list[float]) -> None:
    left, right = _spread(*one_side), _spread(*other_side)
    there, back = difference(left, right), difference(right, left)
    assert there.verdict is back.verdict
    assert there.value == -back.value
    assert there.probability is None or 0 <= there.probability <= 1


def test_a_single_run_or_equal_runs_give_no_verdict() -> None:
    assert difference(_spread(1), _spread(1, 2)).verdict is Verdict.TOO_FEW
    assert difference(_spread(1, 1), _spread(2, 2)).verdict is Verdict.NO_SPREAD


def _spread(*values: float) -> Spread:
    spread = spread_of(values)
    assert spread is not None
    return spread


def test_seeds_are_folded_and_the_setting_with_the_best_mean_is_first() -> None:
    table = group_table(sweep())
    assert [row.values for row in table.rows] == [("3e-3",), ("1e-2",), ("1e-3",)]
    best = table.rows[0]
    assert (best.is_best, count_text(best), spread_text(best.spread)) == (True, "4/4", "0.045 ±0.013")
    assert step_text(best) == "528"
    assert [row.is_best for row in table.rows[1:]] == [False, False]
    assert repetitions(table) == "seeds"
    assert heading_text(table) == "best first by val_loss, lower is better"
    assert best.members[0].run_id == "3e3s1"  # the best of the folded runs


def test_settings_that_are_as_good_as_the_best_are_marked_too() -> None:
    values = {"--lr 1": 0.2, "--lr 2": 0.2, "--lr 3": 0.3}
    table = group_table([member(arguments, value) for arguments, value in values.items()])
    assert [row.is_best for row in table.rows] == [True, True, False]


@pytest.mark.parametrize("name", ["--seed", "--random-seed", "--random_state", "trainer.seed", "--data-seed"])
def test_arguments_are_seeds_by_their_names(name: str) -> None:
    equals = "=" if "." in name else " "
    table = group_table([member(f"--lr 1 {name}{equals}{seed}", 1.0 + seed) for seed in range(3)])
    assert [row.values for row in table.rows] == [()]
    assert table.rows[0].spread == spread_of([1.0, 2.0, 3.0])
    assert not table.rows[0].is_best  # of one row


def test_a_given_argument_is_folded_instead_of_the_seeds() -> None:
    records = [member(f"--fold {fold} --seed {seed}", fold + seed) for fold in (1, 2) for seed in (1, 2)]
    table = group_table(records, over=["fold"])
    assert [parameter.name for parameter in table.parameters] == ["seed"]
    assert repetitions(table) == "runs"
    both = group_table(records, over=["--fold", "seed"])
    assert [len(row.members) for row in both.rows] == [4]
    with pytest.raises(UsageError, match="--over trial") as refused:
        group_table(records, over=["trial"])
    assert refused.value.hint == "they differ in fold, seed"


def test_an_output_directory_of_each_run_is_no_hyperparameter() -> None:
    records = [member(f"--lr {lr} --seed {seed} --out o/{lr}-{seed}", 1.0) for lr in "12" for seed in "12"]
    assert [row.values for row in group_table(records).rows] == [("1",), ("2",)]
    only = [member(f"--data d/{name}.csv", 1.0) for name in "ab"]
    assert [row.values for row in group_table(only).rows] == [("d/a.csv",), ("d/b.csv",)]


def test_runs_of_which_two_have_the_same_seed_are_no_seeds() -> None:
    records = [member(f"--lr 1 --seed {seed}", 1.0, run_id=f"r{number}") for number, seed in enumerate((1, 2, 1))]
    assert repetitions(group_table(records)) == "runs"
    assert repetitions(group_table(records[:2])) == "seeds"


def test_runs_without_a_difference_are_repetitions() -> None:
    table = group_table([member("--lr 1", value, run_id=f"r{value}") for value in (1.0, 3.0)])
    assert (table.parameters, table.folded, repetitions(table)) == ((), (), "runs")
    assert table.rows[0].spread == spread_of([1.0, 3.0])


def test_what_has_not_ended_well_is_counted_and_not_in_the_mean() -> None:
    table = group_table(
        [
            member("--lr 1 --seed 1", 1.0),
            member("--lr 1 --seed 2", 0.1, Status.FAILED),
            member("--lr 1 --seed 3", 0.1, Status.RUNNING),
            member("--lr 1 --seed 4", math.nan),
            member("--lr 1 --seed 5", math.inf, best={"val_loss": Extreme(0.1, 3)}),
            member("--lr 1 --seed 6", 0.1, Status.STOPPED),
            member("--lr 1 --seed 7", None, Status.QUEUED),
            member("--lr 1 --seed 8", None, Status.LOST),
            member("--lr 1 --seed 9", 3.0, Status.TIMEBOXED),
        ]
    )
    (row,) = table.rows
    assert row.spread == spread_of([1.0, 3.0])
    assert count_text(row) == "2/9 2 failed 2 diverged 1 stopped 1 running 1 waiting"


def test_a_setting_that_still_runs_has_a_marked_mean_and_is_the_best_only_before_any_has_ended() -> None:
    table = group_table([member("--lr 1", 0.01, Status.RUNNING), member("--lr 2", 1.0), member("--lr 3", 2.0)])
    assert [row.values for row in table.rows] == [("2",), ("3",), ("1",)]
    assert mean_text(table.rows[2]) == "~0.01000"
    assert [row.is_best for row in table.rows] == [True, False, False]
    alone = group_table([member(f"--lr {lr}", float(lr), Status.RUNNING) for lr in "12"])
    assert [row.is_best for row in alone.rows] == [True, False]


def test_running_runs_at_different_steps_are_not_compared() -> None:
    def at(arguments: str, value: float, step: int) -> JsonObject:
        return member(arguments, value, Status.RUNNING, step=step)

    begun = at("--lr 3 --seed 0", 0.28, 783), at("--lr 3 --seed 1", 1.7, 22)
    later = at("--lr 1 --seed 0", 0.8, 400), at("--lr 1 --seed 1", 0.9, 410)
    table = group_table([*begun, *later, member("--lr 1 --seed 2", 0.1, Status.STOPPED)])
    assert [(row.values, mean_text(row), step_text(row)) for row in table.rows] == [
        (("1",), "~0.850 ±0.071", "400-410"),
        (("3",), "uneven steps", "22-783"),
    ]
    assert not any(row.is_best for row in table.rows)
    assert heading_text(table) == "no best: no run has finished, and those that run are at different steps"
    assert row_sentence(table, table.rows[0]).endswith("so far, of 2 running, 1 stopped")
    assert row_sentence(table, table.rows[1]) == "lr=3: no mean, 0/2 seeds, 2 running, at steps 22-783"
    ended = group_table([*begun, *later, member("--lr 9 --seed 0", 5.0)])
    assert [(row.values, row.is_best) for row in ended.rows] == [(("9",), True), (("1",), False), (("3",), False)]


@pytest.mark.parametrize("status", [Status.RUNNING, Status.STOPPED, Status.FAILED])
@pytest.mark.parametrize("others", [Status.COMPLETED, Status.RUNNING])
def test_the_best_run_of_a_group_is_in_its_best_setting(status: Status, others: Status) -> None:
    """Though a run that is active, was stopped or failed has a better value."""
    records = [member("--lr 1", 0.01, status), member("--lr 2", 1.0, others), member("--lr 3", 2.0, others)]
    best = rank_records(records).best
    assert best is not None
    (setting,) = (row for row in group_table(records).rows if row.is_best)
    assert setting.members[0].run_id == best[0]


def test_a_higher_metric_is_better_if_the_objective_says_so() -> None:
    objective = {"objective": parse_objective("score:max")}
    records = [
        member(f"--lr {lr}", None, metrics={"score": value}, best={"score": Extreme(value, 1)}, spec=objective)
        for lr, value in (("1", 5.0), ("2", 9.0))
    ]
    table = group_table(records)
    assert [row.values for row in table.rows] == [("2",), ("1",)]
    assert heading_text(table) == "best first by score, higher is better"


def test_without_a_known_direction_no_setting_is_best_and_the_last_values_are_shown() -> None:
    records = [
        member(f"--lr {lr}", None, metrics={"score": float(value)}, best={})
        for lr, value in ((10, 5), (2, 9), (1e-3, 7))
    ]
    table = group_table(records)
    assert [row.values for row in table.rows] == [("0.001",), ("2",), ("10",)]  # by the numbers
    assert [spread_text(row.spread) for row in table.rows] == ["7.000", "9.000", "5.000"]
    assert not any(row.is_best for row in table.rows)
    assert "it is unknown whether lower or higher score is better" in heading_text(table)


def test_another_metric_can_be_compared_and_missing_metrics_leave_a_dash() -> None:
    records = [
        member("--lr 1", 1.0, metrics={"val_loss": 1.0, "val_acc": 0.5, "lr": 1.0}, best={"val_acc": Extreme(0.5, 1)}),
        member("--lr 2", 2.0, metrics={"val_loss": 2.0, "val_acc": 0.9}, best={"val_acc": Extreme(0.9, 1)}),
        member("--lr 3", None),
    ]
    table = group_table(records, metric="val_acc")
    assert [row.values for row in table.rows] == [("2",), ("1",), ("3",)]
    assert table.others == ("val_loss",)
    assert spread_text(table.rows[2].spread) == "-"
    with pytest.raises(UsageError, match="no run has such a metric"):
        group_table(records, metric="bleu")


def test_a_group_without_metrics_or_with_nothing_in_common_has_rows_all_the_same() -> None:
    table = group_table([member(f"--lr {lr}", None, Status.QUEUED) for lr in "12"])
    assert [row.values for row in table.rows] == [("1",), ("2",)]
    assert heading_text(table) == "no best: no run has printed a metric yet"


def test_differences_to_the_baseline_have_a_verdict() -> None:
    records = sweep()
    records[4] = {**records[4], "baseline": True}
    table = group_table(records)
    pinned, middle, last = (row_of(table, lr) for lr in ("3e-3", "1e-2", "1e-3"))
    assert (pinned.is_baseline, difference_text(pinned), verdict_text(table, pinned.difference)) == (
        True,
        "baseline",
        "",
    )
    assert difference_text(last) == "+0.086"
    assert verdict_text(table, last.difference) == "exceeds, p < 0.001"
    assert verdict_text(table, middle.difference) == "within, p 0.053"


def test_too_few_seeds_give_no_verdict() -> None:
    table = group_table([{**member("--lr 1 --seed 1", 1.0), "baseline": True}, member("--lr 2 --seed 2", 2.0)])
    other = row_of(table, "2")
    assert difference_text(other) == "+1.000"
    assert verdict_text(table, other.difference) == "too few seeds"


@given(st.lists(st.tuples(st.sampled_from("123"), FINITE | st.just(math.nan)), min_size=2, max_size=20))
def test_every_run_is_in_one_row_and_the_mean_is_between_its_values(runs: list[tuple[str, float]]) -> None:
    assume(len({lr for lr, _ in runs}) > 1)
    records = [member(f"--lr {lr}", value, run_id=f"r{index}") for index, (lr, value) in enumerate(runs)]
    table = group_table(records)
    ids = [run.run_id for row in table.rows for run in row.members]
    assert sorted(ids) == sorted(record["id"] for record in records)
    for row in table.rows:
        values = [value for lr, value in runs if (lr,) == row.values and math.isfinite(value)]
        assert (row.spread is None) == (not values)
        if row.spread is not None:
            assert row.spread.count == len(values)
            assert min(values) <= row.spread.mean <= max(values)
        assert row.count(Standing.DIVERGED) == sum(lr == row.values[0] and math.isnan(value) for lr, value in runs)
    means = [row.spread.mean for row in table.rows if row.spread is not None]
    assert means == sorted(means)


def test_finished_runs_of_unequal_length_are_not_called_best_without_saying_so() -> None:
    records = [
        {**sweep_run(f"--lr {lr}", value, run_id=lr).record, "step": step}
        for lr, value, step in (("1e-3", 0.2, 500), ("3e-3", 0.1, 2000))
    ]
    assert heading_text(group_table(records)) == "best first by val_loss, lower is better, unequal steps (500-2,000)"
    epochs = [{**record, "epoch": 10} for record in records]  # another batch size, as much of the data
    assert heading_text(group_table(epochs)) == "best first by val_loss, lower is better"


def test_the_values_of_runs_that_all_failed_are_their_best_ones_as_the_title_says() -> None:
    best = {"loss": Extreme(0.25, 10)}
    table = group_table([member("--lr 1", None, Status.FAILED, metrics={"loss": 0.5}, best=best)])
    assert metric_title(table) == "loss smoothed best"
    assert [run.value for row in table.rows for run in row.members] == [0.25]
    assert "all runs with a value of loss failed" in heading_text(table)
