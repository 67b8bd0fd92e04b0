"""The objective of a run, its best value so far, and the ranking of a group."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from backprop_tui.domain.metric_names import Direction
from backprop_tui.domain.objective import (
    MAX_BEST_METRICS,
    MAX_CURVES,
    BestTracker,
    Objective,
    ObjectiveSource,
    Ranking,
    RunScores,
    default_objective,
    merge_best,
    parse_objective,
    rank,
    still_best,
    unprinted,
)
from backprop_tui.domain.smoothed_curve import Extreme

VALIDATION, TRAINING = ObjectiveSource.VALIDATION, ObjectiveSource.TRAINING


@pytest.mark.parametrize(
    ("names", "metric", "source"),
    [
        ("loss; lr", "loss", TRAINING),
        ("rewards/format_reward; reward; reward_std", "reward", TRAINING),
        ("batch_loss; loss", "loss", TRAINING),
        ("train_loss; val_loss_step; val_loss_epoch", "val_loss_epoch", VALIDATION),
        ("Loss_pi; Loss_v; loss", "loss", TRAINING),
        ("loss; val_loss; val_acc", "val_loss", VALIDATION),
        ("loss; acc; val_acc", "val_acc", VALIDATION),
        ("step; train loss; val loss; best val loss", "val loss", VALIDATION),
        ("loss; Validation bpb", "Validation bpb", VALIDATION),
        ("train-rmse; test-rmse", "test-rmse", VALIDATION),
        ("test_loss; val_acc", "val_acc", VALIDATION),
        ("training's l2; valid_1's l2", "valid_1's l2", VALIDATION),
        ("validation_0-logloss; validation_1-logloss", "validation_1-logloss", VALIDATION),
        ("train/box_loss; val/box_loss; metrics/mAP50-95(B)", "metrics/mAP50-95(B)", VALIDATION),
        ("eval_runtime; eval_loss; eval_accuracy", "eval_loss", VALIDATION),
        ("rollout/ep_len_mean; train/value_loss; train/loss; rollout/ep_rew_mean", "rollout/ep_rew_mean", TRAINING),
        ("Last reward; Average reward", "Average reward", TRAINING),
        ("episode_reward_max; episode_reward_mean", "episode_reward_mean", TRAINING),
        ("Loss_D; Loss_G; FID", "FID", VALIDATION),
        ("loss_cls; loss_bbox; loss; acc", "loss", TRAINING),
        ("loss_cls; acc", "acc", TRAINING),
        ("lr; eval/mean_ep_length; eval/mean_reward; eval/std_reward", "eval/mean_reward", VALIDATION),
    ],
)
def test_the_default_objective(names: str, metric: str, source: ObjectiveSource) -> None:
    objective = default_objective(names.split("; "))
    assert objective is not None
    assert (objective.metric, objective.source) == (metric, source)
    assert objective.direction is not None


@pytest.mark.parametrize("names", ["score; lr", "Loss_D; Loss_G", "energy; time"])
def test_without_a_known_direction_it_has_none(names: str) -> None:
    objective = default_objective(names.split("; "))
    assert objective is not None
    assert (objective.metric, objective.direction) == (names.split("; ", maxsplit=1)[0], None)


def test_bookkeeping_is_no_objective() -> None:
    assert default_objective(["time", "data"]) is None
    assert default_objective(["lr", "grad_norm", "epoch", "best_acc", "mfu"]) is None


def test_an_objective_is_parsed() -> None:
    assert str(parse_objective("val_loss")) == "val_loss:min"
    assert str(parse_objective("acc")) == "acc:max"
    assert str(parse_objective(" score : max ")) == "score:max"
    assert parse_objective("loss:max").direction is Direction.MAX
    assert str(parse_objective("eval:loss:min")) == "eval:loss:min"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("score", "score: its direction is unknown; use score:min or score:max"),
        ("loss:low", "'low' is neither min nor max; use loss:min or loss:max"),
        (":min", "expected METRIC, METRIC:min or METRIC:max"),
        ("", "expected METRIC, METRIC:min or METRIC:max"),
        ("loss:", "'' is neither min nor max"),
    ],
)
def test_an_invalid_objective_is_refused_with_the_right_form(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("|", r"\|")):
        parse_objective(text)


def _tracked(*values: tuple[int, dict[str, float]], objective: Objective | None = None) -> dict[str, Extreme]:
    tracker = BestTracker({}, {}, objective)
    for step, metrics in values:
        tracker.update(metrics, step)
    return dict(merge_best({}, tracker.best, tracker.curves, objective))


def test_the_best_of_each_metric_with_a_known_direction() -> None:
    best = _tracked(
        (1, {"val_loss": 3.0, "acc": 0.1, "lr": 0.1, "score": 1.0}),
        (2, {"val_loss": 1.0, "acc": 0.7, "lr": 0.2, "score": 2.0}),
        (3, {"val_loss": 2.0, "acc": 0.7, "lr": 0.3, "score": 3.0}),
    )
    assert best == {"val_loss": Extreme(1.0, 2), "acc": Extreme(0.7, 2)}


def test_a_given_direction_counts() -> None:
    values = [(step, {"score": float(step), "acc": float(step)}) for step in (1, 3, 2)]
    best = _tracked(*values, objective=parse_objective("score:max"))
    assert best == {"score": Extreme(3.0, 3), "acc": Extreme(3.0, 3)}
    assert _tracked(*values, objective=parse_objective("acc:min")) == {"acc": Extreme(1.0, 1)}


def test_nan_is_never_the_best() -> None:
    assert _tracked((1, {"loss": math.nan, "val_loss": -math.inf, "acc": math.inf})) == {}


def test_best_values_are_bounded_with_room_for_the_objective() -> None:
    tracker = BestTracker({}, {}, parse_objective("last:max"))
    for number in range(100):
        tracker.update({f"layer{number}/acc": 1.0, f"layer{number}/loss": 1.0}, None)
    tracker.update({"last": 1.0}, None)
    assert len(tracker.best) == MAX_BEST_METRICS + 1
    assert len(tracker.curves) == MAX_CURVES


def test_the_better_of_two_attempts_counts() -> None:
    earlier = {"val_loss": Extreme(1.0, 10), "acc": Extreme(0.5, 10)}
    later = {"val_loss": Extreme(2.0, 12), "acc": Extreme(0.75, 12), "loss": Extreme(0.1, 3)}
    assert merge_best(earlier, later, {}, None) == {"val_loss": Extreme(1.0, 10), "acc": Extreme(0.75, 12)}
    assert merge_best(earlier, {}, {}, None) == earlier


def test_an_attempt_that_has_just_started_does_not_beat_a_smoothed_loss() -> None:
    tracker = BestTracker({}, {}, None)
    tracker.update({"loss": 0.001}, 11)
    assert merge_best({"loss": Extreme(0.5, 10)}, {}, tracker.curves, None) == {"loss": Extreme(0.5, 10)}


def _scores(objective: Objective | None = None, **best: float) -> RunScores:
    names = tuple(best)
    return RunScores(
        objective=objective or default_objective(names),
        best={name: Extreme(value, 1) for name, value in best.items()},
        names=names,
    )


def _order(ranking: Ranking) -> str:
    return " ".join(run_id for run_id, _ in ranking.ranked)


def test_runs_are_ranked_by_their_objective() -> None:
    ranking = rank({"a": _scores(ep_rew_mean=4.0), "b": _scores(ep_rew_mean=8.0), "c": _scores()})
    assert (_order(ranking), ranking.unranked, ranking.problem) == ("b a", ("c",), None)
    by_loss = rank({"a": _scores(val_loss=4.0), "b": _scores(val_loss=8.0)})
    assert by_loss.best == ("a", Extreme(4.0, 1))


def test_what_failed_or_diverged_is_behind_the_others_and_never_the_best() -> None:
    failed = replace(_scores(loss=0.1), failed=True)
    diverged = replace(_scores(loss=0.2), diverged=("loss",))
    ranking = rank({"a": diverged, "b": failed, "c": _scores(loss=0.9)})
    assert (_order(ranking), ranking.problem) == ("c b a", None)
    alone = rank({"a": diverged, "b": failed})
    assert (alone.best, alone.problem) == (None, "all runs with a value of loss failed, diverged or were stopped")
    assert _order(rank({"a": replace(diverged, diverged=("val_loss",)), "b": _scores(loss=0.9)})) == "a b"


def test_a_run_that_ended_before_its_validation_is_not_ranked() -> None:
    ranking = rank({"a": _scores(loss=0.1), "b": _scores(loss=0.5, val_loss=0.6), "c": _scores(loss=0.4, val_loss=0.5)})
    assert (_order(ranking), ranking.unranked) == ("c b", ("a",))


def test_runs_without_a_common_objective_have_no_order() -> None:
    ranking = rank({"a": _scores(val_loss=0.1), "b": _scores(val_acc=0.5)})
    assert ranking.best is None
    assert ranking.problem is not None
    assert "no metric in common (val_loss, val_acc); set one with --objective" in ranking.problem
    assert rank({"a": _scores(loss=0.1), "b": _scores(reward=0.5)}).best is None


def test_an_unknown_direction_has_no_order() -> None:
    runs = {
        run_id: RunScores(objective=default_objective(["score"]), best={}, names=("score",)) for run_id in ("a", "b")
    }
    ranking = rank(runs)
    assert ranking.best is None
    assert ranking.problem is not None
    assert "--objective score:min or score:max" in ranking.problem
    assert ranking.order == ["a", "b"]


def test_given_objectives_rank_and_must_agree() -> None:
    acc, loss = parse_objective("acc"), parse_objective("val_loss")
    runs = {"a": _scores(acc, acc=0.5, val_loss=1.0), "b": _scores(acc=0.7, val_loss=2.0)}
    assert _order(rank(runs)) == "b a"
    assert _order(rank(runs, metric="val_loss")) == "a b"
    problem = rank(runs | {"b": _scores(loss, acc=0.7, val_loss=2.0)}).problem
    assert problem is not None
    assert "different objectives (acc:max, val_loss:min)" in problem


def test_an_objective_that_was_never_printed_is_named() -> None:
    given = parse_objective("val_los:min")
    assert unprinted(given, ["loss", "val_loss"]) == "val_los was not printed yet, only loss, val_loss"
    assert unprinted(given, []) is None
    assert unprinted(default_objective(["loss"]), ["loss"]) is None
    ranking = rank({"a": _scores(given, loss=1.0)})
    assert (ranking.best, ranking.problem) == (None, "no run has a value of val_los yet")


def test_another_direction_drops_the_best_of_the_old_one() -> None:
    best = {"acc": Extreme(0.7, 2), "val_loss": Extreme(0.1, 3)}
    assert still_best(best, None, parse_objective("acc:min")) == {"val_loss": Extreme(0.1, 3)}
    assert still_best(best, parse_objective("acc:max"), parse_objective("val_loss")) == best
