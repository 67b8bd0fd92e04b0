"""`show` plots the metrics of a run, `compare` shows runs side by side."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from backprop_tui.cli import output
from backprop_tui.cli.session import Session
from backprop_tui.domain.goals import parse_goal
from backprop_tui.domain.limits import RunLimits
from backprop_tui.domain.objective import parse_objective
from backprop_tui.domain.run import Code
from backprop_tui.domain.smoothed_curve import Extreme
from backprop_tui.domain.status import Status
from tests.support.commands import Commands
from tests.support.runs import Runs


def measured(runs: Runs, run_id: str, *losses: float, accuracy: float = 0.5, **fields: object) -> None:
    guardian = runs.guarded(run_id, **fields)
    for step, loss in enumerate(losses, start=1):
        guardian.measures(step, loss=loss, val_acc=accuracy)
    guardian.ends()


def test_the_loss_is_plotted_and_every_metric_has_a_line(obey: Commands, runs: Runs) -> None:
    measured(runs, "a", 3.0, 2.0, 1.0, 1.5)
    text = obey("show", "a").out
    assert "loss  last 1.500, smoothed best 1.500 at step 3" in text
    assert text.count("┤") + text.count("│") == 8
    rows = [line.split() for line in text.splitlines() if line.startswith(("loss ", "val_acc "))]
    assert rows[1][:8] == ["loss", "3.000", "1.500", "1.000", "3.000", "1.500", "at", "3*"]  # smoothed
    assert rows[2][:5] == ["val_acc", "0.5000", "0.5000", "0.5000", "0.5000"]


def test_the_validation_is_drawn_with_the_training_and_the_gap_is_named(obey: Commands, runs: Runs) -> None:
    guardian = runs.guarded("a")
    for step in range(1, 101):
        guardian.measures(step, loss=2.0, **({"val_loss": 2.5} if step % 20 == 0 else {}))
    guardian.ends()
    result = obey("show", "a")
    assert "━━ train 2.000  • val 2.500  gap 0.500" in result.lines
    assert sum(line.count("•") for line in result.lines) == 6
    assert "v val 2.500" in obey("show", "a", "--ascii").out


def test_it_fits_80_columns_and_works_in_ascii(obey: Commands, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    measured(runs, "a", *(1 / step for step in range(1, 200)), name="n" * 70)
    monkeypatch.setattr(output, "width", lambda: 80)
    result = obey("show", "a", "--ascii", "--metric", "val_acc", "--metric", "loss")
    assert result.out.isascii()
    assert all(len(line) <= 80 for line in result.lines[1:])
    assert sum(line[10:11] in ("|", "+") for line in result.lines) == 16


def test_an_unknown_metric_is_refused_with_the_known_ones(obey: Commands, runs: Runs) -> None:
    measured(runs, "a", 1.0)
    result = obey("show", "a", "--metric", "los")
    assert (result.code, result.err.endswith("run a has no such metric; it has loss, val_acc\n")) == (2, True)


def test_a_run_without_metrics_says_so(obey: Commands, runs: Runs) -> None:
    runs.ended("a")
    result = obey("show", "a")
    assert result.code == 0
    assert "no metrics" in result.err


def test_the_runs_of_a_group_whose_figures_are_missing_in_part_are_named(obey: Commands, runs: Runs) -> None:
    for run_id in ("a", "b"):
        measured(runs, run_id, 3.0, 2.0, group="g")
    measured(runs, "c", 3.0, group="g")
    with Path(runs.home.run_folder("c"), "metrics.jsonl").open("a") as file:
        file.write('{"metrics": {}, "skipped_bytes": 9}\n{"step": 9, "metrics": {"loss": 1.0}}\n')
    assert "figures missing of c: part of the output was not read" in obey("show", "g", "--metric", "loss").err


def test_a_run_that_waits_has_not_started(obey: Commands, runs: Runs) -> None:
    runs.queued("a")
    assert "it has not started" in obey("show", "a").err


def test_the_json_has_extremes_and_points(obey: Commands, runs: Runs) -> None:
    guardian = runs.guarded("a")
    guardian.measures(1, loss=2.0)
    guardian.measures(2, loss="NaN")
    guardian.ends()
    loss = obey.json("show", "a")["metrics"]["loss"]
    assert loss["last"] == {"step": 2, "value": "NaN"}
    assert loss["best"] == loss["least"] == {"step": 1, "value": 2.0}
    assert loss["points"] == [[1.0, 2.0]]


def asked(*words: str, **spec: object) -> dict[str, object]:
    return {"command": ("python", "/x/train.py", *words), "script": "/x/train.py", **spec}


def test_runs_of_unequal_length_are_compared_with_a_word_about_it(obey: Commands, runs: Runs) -> None:
    measured(runs, "a", 3.0, 2.0)
    measured(runs, "b", *[1.0] * 9)
    assert (
        "unequal steps (2-9): * marks the best value of a row, whatever step it is from"
        in obey("compare", "a", "b").err
    )
    measured(runs, "c", *[2.0] * 9)
    assert "unequal" not in obey("compare", "b", "c").err


def test_only_differing_options_are_compared_and_the_best_is_marked(obey: Commands, runs: Runs) -> None:
    measured(runs, "a", 3.0, 1.0, spec=asked("--lr", "0.1", "--wd=0"), accuracy=0.5)
    measured(runs, "b", 3.0, 2.0, spec=asked("--lr=0.2", "--wd", "0", "--amp"), accuracy=0.75)
    cells = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in obey("compare", "a", "b").lines]
    table = {row[0]: row[1:] for row in cells if row}
    assert table["RUN"] == ["a", "b"]
    assert table["--lr"] == ["0.1", "0.2"]
    assert table["--amp"] == ["not set", "yes"]
    assert "--wd" not in table
    assert "script" not in table
    assert table["loss (last)"] == ["1.000", "2.000"]  # of a minibatch: no star
    assert table["loss (smoothed best)"] == ["1.000 at 2 *", "2.000 at 2"]
    assert table["val_acc (best)"] == ["0.5000 at 1", "0.7500 at 1 *"]


def test_runs_are_labeled_by_what_distinguishes_them_from_others_of_the_same_name(obey: Commands, runs: Runs) -> None:
    for run_id, rate, seed in (("a", "0.1", "1"), ("b", "0.1", "2"), ("c", "0.2", "1")):
        measured(runs, run_id, 1.0, name="vit", spec=asked("--lr", rate, "--seed", seed))
    assert obey("show", "a").lines[0].startswith("a  vit lr=0.1 seed=1  completed")
    name = next(line for line in obey("compare", "a", "b").lines if line.startswith("name"))
    assert name.split("  ")[-2:] == ["vit lr=0.1 seed=1", "vit lr=0.1 seed=2"]


def test_limits_that_differ_are_shown(obey: Commands, runs: Runs) -> None:
    runs.ended("a", spec={"limits": RunLimits(gpu_max_temp_celsius=70.0)})
    runs.ended("b")
    compared = obey.json("compare", "a", "b")
    assert compared["options"] == {"limits.gpu_max_temp_celsius": ["70", "85"]}
    assert [run["id"] for run in compared["runs"]] == ["a", "b"]


def test_objectives_that_differ_are_shown(obey: Commands, runs: Runs) -> None:
    runs.ended("a", spec={"objective": parse_objective("score:max")})
    runs.ended("b")
    assert obey.json("compare", "a", "b")["options"] == {"objective": ["score:max", "-"]}


def test_limits_and_goals_are_shown_as_they_were_given(obey: Commands, runs: Runs) -> None:
    goals = (parse_goal("step=400"), parse_goal("loss<0.1"))
    runs.ended("a", spec={"max_run_seconds": 3.0520381, "total_seconds": 43_200.0})
    runs.ended("b", spec={"max_run_seconds": 600.0, "until": goals})
    assert obey.json("compare", "a", "b")["options"] == {
        "max_run_minutes": ["0.051", "10"],
        "total_minutes": ["720", "-"],
        "until": ["-", "step=400, loss<0.1"],
    }


def test_variables_that_differ_are_shown_and_secrets_are_not(obey: Commands, runs: Runs) -> None:
    runs.ended("a", spec={"env": (("SEED", "1"), ("HF_TOKEN", None), ("SAME", "x"))})
    runs.ended("b", spec={"env": (("SEED", "2"), ("SAME", "x"))})
    assert obey.json("compare", "a", "b")["options"] == {
        "--env SEED": ["1", "2"],
        "--env HF_TOKEN": ["given, not kept", "-"],
    }


def test_scripts_with_different_content_are_shown(obey: Commands, runs: Runs) -> None:
    for run_id, digest in (("a", "1" * 64), ("b", "2" * 64)):
        runs.ended(run_id, code=Code(path="/x/train.py", sha256=digest))
    assert obey.json("compare", "a", "b")["options"] == {"script's content": ["1" * 12, "2" * 12]}


def test_many_runs_are_split_into_several_tables_if_they_do_not_fit(
    obey: Commands, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        measured(
            runs, f"run-of-{number}", *map(float, range(9, number, -1)), group="sweep", spec=asked("--lr", str(number))
        )
    monkeypatch.setattr(output, "width", lambda: 80)
    lines = obey("compare", "sweep").lines
    assert any(line.startswith("F run-of-5") for line in lines), "the legend of the curves"
    assert all(len(line) <= 80 for line in lines)
    assert sum(line.startswith("RUN ") for line in lines) == 3
    assert [line.split()[1:] for line in lines if line.startswith("--lr")] == [["0", "1", "2"], ["3", "4", "5"], ["6"]]


def test_curves_are_overlaid_with_a_letter_at_each_end(obey: Commands, runs: Runs) -> None:
    measured(runs, "a", *(2.0 + 1 / step for step in range(1, 30)))
    measured(runs, "b", *(1.0 + 1 / step for step in range(1, 40)))
    result = obey("compare", "a", "b", "--ascii", "--metric", "loss")
    legend = result.lines.index("loss by step  A a  B b")
    drawing = result.lines[legend + 1 :]
    assert len(drawing) == 13
    assert all(sum(line.count(letter) for line in drawing) > 10 for letter in "AB")
    assert drawing[-1].split() == ["0", "10", "20", "30"]
    assert "val_acc by time" in obey("compare", "a", "b", "--metric", "val_acc", "--by", "time").out
    shown = obey.json("compare", "a", "b", "--metric", "loss")
    assert (shown["metric"], shown["by"], shown["best_first"]) == ("loss", "step", ["b", "a"])
    assert shown["curves"]["a"][0] == [1.0, 3.0]
    assert len(shown["curves"]["b"]) == 39
    result = obey("compare", "a", "b", "--metric", "nothing")
    assert (result.code, result.err.endswith("no run has such a metric; they have loss, val_acc\n")) == (2, True)


def test_only_terminals_with_colours_get_colours(obey: Commands, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    measured(runs, "a", 2.0, 1.0)
    measured(runs, "b", 2.0, 1.5)
    assert "\x1b" not in obey("compare", "a", "b").out
    monkeypatch.setattr(output, "shows_colour", lambda: True)
    assert "\x1b[36mA a\x1b[0m" in obey("compare", "a", "b").out


def sweep(runs: Runs, *losses: float, metric: str = "loss") -> None:
    for number, loss in enumerate(losses):
        guardian = runs.guarded(f"run{number}", group="sweep", name=f"train:lr={number}")
        guardian.measures(1, **{metric: loss})
        guardian.measures(2, **{metric: loss + 0.25})
        guardian.ends()


def test_a_group_is_compared_best_first_and_only_its_best(obey: Commands, runs: Runs) -> None:
    sweep(runs, 3.0, 1.0, 2.0, 0.5)
    assert obey("compare", "sweep").lines[0].split() == ["RUN", "run3", "run1", "run2", "run0"]
    result = obey("compare", "sweep", "--top", "2")
    assert result.lines[0].split() == ["RUN", "run3", "run1"]
    assert "the 2 best of 4 by loss, lower is better, smoothed" in result.err


def test_a_group_is_shown_as_a_ranking_and_the_curves_of_its_best(obey: Commands, runs: Runs) -> None:
    sweep(runs, 0.5, 0.75, 0.25, metric="val_acc")
    runs.queued("later", group="sweep")
    result = obey("show", "sweep")
    ranking = [line.split() for line in result.lines[2:6]]
    assert [(row[0], row[1], *row[-3:]) for row in ranking] == [
        ("1", "run1", "1.000", "2", "1.000"),
        ("2", "run0", "0.7500", "2", "0.7500"),
        ("3", "run2", "0.5000", "2", "0.5000"),
        ("-", "later", "-", "-", "-"),
    ]
    assert "run1  train lr=1  completed" in result.out
    shown = obey.json("show", "sweep")
    assert (shown["metric"], shown["best"]) == ("val_acc", "run1")
    assert [run["run"] for run in shown["runs"]] == ["run1", "run0", "run2", "later"]


def test_the_status_of_a_group_begins_with_counts_and_its_best_run(obey: Commands, runs: Runs) -> None:
    sweep(runs, 3.0, 1.0)
    runs.queued("later", group="sweep")
    lines = obey("status", "sweep").lines
    assert lines[0].split(maxsplit=1) == ["group", "sweep  3 runs: 2 completed, 1 waiting"]
    assert lines[1].split(maxsplit=1) == ["best", "loss 1.000 at step 1, lower is better, smoothed: run1 train lr=1"]
    assert sum(line.startswith("  id ") for line in lines) == 3


def test_the_best_run_of_a_group_is_a_handle(obey: Commands, runs: Runs) -> None:
    sweep(runs, 3.0, 1.0, 2.0)
    assert obey.json("status", "sweep@best")["id"] == "run1"
    result = obey("status", "train:lr=0@best")
    assert (result.code, "is not a group" in result.err) == (2, True)
    runs.queued("x", group="young")
    runs.queued("y", group="young")
    assert "no run has printed a metric" in obey("status", "young@best").err


def test_more_reward_is_better(obey: Commands, runs: Runs) -> None:
    sweep(runs, 4.0, 12.0, 8.0, metric="ep_rew_mean")
    lines = obey("show", "sweep").lines
    assert lines[0] == "best first by ep_rew_mean, higher is better"
    assert [line.split()[1] for line in lines[2:5]] == ["run1", "run2", "run0"]
    assert obey.json("status", "sweep@best")["id"] == "run1"


def test_there_is_no_order_if_the_direction_is_unknown(obey: Commands, runs: Runs) -> None:
    sweep(runs, 4.0, 12.0, metric="score")
    lines = obey("show", "sweep").lines
    assert lines[0].startswith("not ordered: it is unknown whether lower or higher score is better; set --objective")
    assert [line.split()[:2] for line in lines[2:4]] == [["-", "run0"], ["-", "run1"]]
    shown = obey.json("show", "sweep")
    assert (shown["best"], shown["objective"]["direction"]) == (None, None)
    assert obey.json("compare", "sweep")["best_first"] == []
    result = obey("status", "sweep@best")
    assert (result.code, "--objective score:min or score:max" in result.err) == (2, True)
    assert "best          none: it is unknown" in obey("status", "sweep").out


def test_an_edited_objective_orders_runs_that_have_ended(obey: Commands, runs: Runs) -> None:
    sweep(runs, 4.0, 12.0, 8.0, metric="score")
    assert "objective score:max" in obey("edit", "sweep", "--objective", "score:max").out
    assert obey.json("status", "sweep@best")["id"] == "run1"
    assert obey.json("status", "run1")["objective"] == {
        "metric": "score",
        "direction": "max",
        "best": 12.25,
        "best_step": 2,
        "last": None,
        "source": "option",
    }
    assert "best 12.25 at step 2" in obey("show", "run1").out  # the same as in its group
    assert obey.json("show", "run1")["metrics"]["score"]["best"] == {"step": 2, "value": 12.25}
    obey("edit", "sweep", "--objective", "score:min")
    assert obey.json("status", "sweep@best")["id"] == "run0"


def test_the_objective_of_an_active_run_stays(obey: Commands, runs: Runs) -> None:
    runs.guarded("a")
    result = obey("edit", "a", "--objective", "score:max")
    assert (result.code, "set it after the run has ended" in result.err) == (2, True)


def test_runs_with_different_objectives_have_no_best(obey: Commands, runs: Runs) -> None:
    for run_id, metric in (("a", "val_loss"), ("b", "val_acc")):
        guardian = runs.guarded(run_id, group="mixed")
        guardian.measures(1, **{metric: 0.5})
        guardian.ends()
    assert "no metric in common (val_loss, val_acc)" in obey("status", "mixed@best").err
    assert obey("show", "mixed").lines[0].startswith("not ordered: the runs have no metric in common")


def test_one_run_is_not_compared(obey: Commands, runs: Runs) -> None:
    runs.ended("a")
    assert "at least two runs" in obey("compare", "a", "a").err


def test_what_the_original_recorded_is_compared_by_its_last_values(
    obey: Commands, runs: Runs, session: Session
) -> None:
    measured(runs, "a", 1.0)
    record = {"id": "run-1", "scriptPath": "t.py", "status": "completed", "lastLoss": 0.5, "startTime": 1.7e12}
    with open(session.home.index, "w", encoding="ascii") as file:
        json.dump({"run-1": record}, file)
    assert obey.json("compare", "a", "run-1")["metrics"]["loss"]["last"][1]["value"] == 0.5


def _sweep(runs: Runs) -> None:
    """Three learning rates with two seeds each; one run of the last failed."""
    for lr, mean in (("1e-3", 0.131), ("3e-3", 0.045), ("1e-2", 0.067)):
        for seed in (1, 2):
            value = mean + seed / 1000
            status = Status.FAILED if (lr, seed) == ("1e-2", 2) else Status.COMPLETED
            runs.ended(
                f"lr{lr}s{seed}".replace("-", ""),
                status,
                exit_code=0 if status is Status.COMPLETED else 1,
                group="grid",
                spec=asked("--lr", lr, "--seed", str(seed)),
                metrics={"val_loss": value, "val_acc": 0.9},
                best={"val_loss": Extreme(value, 500), "val_acc": Extreme(0.9, 500)},
                step=528,
            )


def test_a_group_is_a_table_over_its_seeds(obey: Commands, runs: Runs) -> None:
    _sweep(runs)
    obey("baseline", "lr1e3s1")
    lines = obey("show", "grid", "--over", "seed").lines
    assert lines[0] == "best first by val_loss, lower is better"
    cells = [re.split(r" {2,}", line.strip()) for line in lines[1:]]
    assert cells == [
        ["lr", "SEEDS", "val_loss best", "val_acc last", "STEP", "TO BASELINE", "SPREAD OF SEEDS"],
        ["*", "3e-3", "2/2", "0.04650 ±0.00071", "0.9000 ±0", "528", "-0.08600", "exceeds, p < 0.001"],
        ["1e-2", "1/2 1 failed", "0.06800", "0.9000", "528", "-0.0645", "too few seeds"],
        ["1e-3", "2/2", "0.13250 ±0.00071", "0.9000 ±0", "528", "baseline"],
    ]


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_narrow_table_of_a_group_leaves_out_whole_columns_and_counts_them(
    obey: Commands, runs: Runs, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    for number, (lr, seed) in enumerate((lr, seed) for lr in ("0.0001", "0.0003") for seed in (1, 2, 3)):
        value = 0.4123 + number * number / 1234
        metrics = {"val_loss": value, "val_acc": value / 2, "train_loss": value / 3}
        best = {name: Extreme(value, 500) for name, value in metrics.items()}
        spec = asked("--lr", lr, "--seed", str(seed))
        runs.ended(f"r{number}", group="grid", spec=spec, metrics=metrics, best=best, step=528)
    obey("baseline", "r0")
    whole = obey("show", "grid", "--over", "seed").out
    monkeypatch.setattr(output, "width", lambda: width)
    heading, *others = obey("show", "grid", "--over", "seed").lines
    assert heading == "best first by val_loss, lower is better"
    assert max(map(len, others)) <= width
    (titles, *rows), left_out = others[:3], " ".join(others[3:])
    cells = [cell for row in (titles, *rows) for cell in re.split(r" {2,}", row.strip())]
    assert all(cell in whole for cell in cells)
    assert "val_loss best" in titles
    assert re.match(r"no room for \d columns?: .*last", left_out)


def test_the_table_of_a_group_is_the_same_in_json(obey: Commands, runs: Runs) -> None:
    _sweep(runs)
    obey("baseline", "lr1e3s1")
    answer = json.loads(obey("show", "grid", "--over", "seed", "--json").out)
    assert answer["group"] == "grid"
    assert answer["objective"] == {"metric": "val_loss", "direction": "min", "source": "validation"}
    assert (answer["parameters"], answer["over"], answer["baseline"]) == (["--lr"], ["--seed"], "lr1e3s1")
    best, middle, last = answer["rows"]
    assert (best["settings"], best["best"], best["n"]) == ({"--lr": "3e-3"}, True, 2)
    assert best["mean"] == pytest.approx(0.0465)
    assert best["sd"] == pytest.approx(0.001 / 2**0.5)
    assert best["verdict"] == "exceeds"
    assert best["delta"] == pytest.approx(-0.086)
    assert (middle["counts"]["finished"], middle["counts"]["failed"], middle["sd"], middle["p"]) == (1, 1, None, None)
    assert middle["verdict"] == "too few"
    assert (last["is_baseline"], last["delta"]) == (True, None)
    assert [run["counted_as"] for run in middle["runs"]] == ["finished", "failed"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("show", "grid", "--over", "trial"), "--over trial: the runs do not differ in such an argument"),
        (("show", "lr1e3s1", "--over", "seed"), "this is a single run"),
        (("show", "grid", "--over", "seed", "--metric", "bleu"), "no run has such a metric"),
        (("baseline", "grid"), "'grid' means 6 runs"),
        (("baseline", "lonely"), "is in no group"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(
    obey: Commands, runs: Runs, words: tuple[str, ...], problem: str
) -> None:
    _sweep(runs)
    runs.ended("lonely")
    result = obey(*words)
    assert (result.code, problem in result.err) == (2, True)


def test_a_group_has_one_baseline_at_most_and_it_can_be_unpinned(obey: Commands, runs: Runs) -> None:
    _sweep(runs)
    assert obey("baseline", "lr1e3s1").lines == ["lr1e3s1 lr1e3s1: the baseline of grid"]
    obey("baseline", "lr3e3s1")
    pinned = [run["id"] for run in json.loads(obey("list", "--all", "--json").out) if run["baseline"]]
    assert pinned == ["lr3e3s1"]
    assert "grid, its baseline" in obey("status", "lr3e3s1").out
    obey("baseline", "--clear", "grid")
    assert not any(run["baseline"] for run in json.loads(obey("list", "--all", "--json").out))
    assert obey("baseline", "--clear", "grid").err == "no run of grid is pinned\n"


def test_a_group_with_seeds_names_the_command_for_its_table(obey: Commands, runs: Runs) -> None:
    _sweep(runs)
    hint = "backprop-tui show grid --over seed shows mean and deviation over the seeds"
    assert hint in obey("show", "grid").err


def test_runs_without_points_are_compared_by_the_values_on_record(obey: Commands, runs: Runs) -> None:
    for run_id, loss in (("a", 0.3), ("b", 0.2)):
        runs.ended(run_id, metrics={"val_loss": loss})
    result = obey("compare", "a", "b")
    assert "val_loss (last)  0.3000     0.2000 *" in result.out
    assert "no curves: no points of val_loss on record" in result.err
    assert "┤" not in result.out
    shown = obey.json("compare", "a", "b")
    assert [value["value"] for value in shown["metrics"]["val_loss"]["last"]] == [0.3, 0.2]
    assert shown["best_first"] == ["b", "a"]
    assert shown["curves"] == {"a": [], "b": []}
