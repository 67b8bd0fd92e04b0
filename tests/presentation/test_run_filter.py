"""The filter of runs: words that all have to match."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_tui.domain.run import Cause
from backprop_tui.domain.smoothed_curve import Extreme
from backprop_tui.domain.status import Status
from backprop_tui.presentation.filter_names import Names, names_of_runs
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.presentation.run_facts import with_labels
from backprop_tui.presentation.run_filter import RunFilter, accepted, completions, state_of, with_state
from tests.tui.snapshots import NOW, ended, queued, running


def _run(run: KnownRun, arguments: str = "", **fields: Any) -> KnownRun:
    command = ["python", "train.py", *arguments.split()]
    return replace(run, record=run.record | {"command": command, "script": "train.py"} | fields)


RUNS = (
    _run(running("a", name="nano", metrics={"loss": 0.5}), "--lr 1e-3 --batch-size 64"),
    _run(queued("b", name="vit", tags=("x",), note="wider MLP"), "--lr 0.01"),
    _run(ended("c", name="nano", metrics={"val_loss": 0.05}, best={"val_loss": Extreme(0.04, 9)}), "lr=0.001"),
    _run(ended("d", Status.FAILED, name="unet", group="sweep", ago=9 * 86400), duration_seconds=7200.0),
    _run(ended("e", Status.LOST, name="unet", metrics={"val_loss": float("nan")}), started_at="2026-11-24T09:00:00Z"),
)


def _matching(text: str) -> str:
    runs = RunFilter.parse(text)
    assert runs.mistakes == ()
    return "".join(run.id for run in RUNS if runs.matches(run, NOW.wall))


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", "abcde"),
        ("nano", "ac"),
        ("NANO lr=1e-3", "ac"),  # 1e-3, 0.001 and Hydra's lr=0.001 are the same
        ("--lr 1e-3", "a"),
        ("batch_size=64", "a"),
        ("lr>=0.01", "b"),
        ("lr!=0.001", "b"),
        ("^un", "de"),
        ("unet$", "de"),
        ("^vit$", "b"),
        ("train.py$", "de"),
        ("name:unet$", "de"),
        ("name:^un", "de"),
        (r"name:un\S{2}\b", "de"),
        ("name:^net", ""),
        ("name:nano,^vit$", "abc"),
        ("note:mlp$", "b"),
        ("tag:^x$", "b"),
        ("id:[a-b]", "ab"),
        ("a[^b]*unet", ""),  # no match goes from one field to the next
        ("name:c++", ""),
        ("[", ""),
        ("wider", "b"),
        ('"wider mlp"', "b"),
        ("val_loss<0.1", "c"),  # NaN is not below
        ("best(val_loss)<0.045", "c"),
        ("best<0.045", "c"),
        ("last(loss)=0.5", "a"),
        ("running", "a"),
        ("waiting", "b"),
        ("failed", "de"),
        ("done", "c"),
        ("state:lost", "e"),
        ("state:waiting,done", "bc"),
        ('"failed"', "d"),  # the word, not the state with that name
        ("/wait", ""),
        ("wait", "b"),
        ("fail nan", ""),
        ("tag:X", "b"),
        ("gpu:0", "a"),
        ("group:swe", "d"),
        ("id:c", "c"),
        ("took>1h", "d"),
        ("since:7d", "abc"),
        ("until:7d", "de"),
        ("ended:7d", "ce"),
        ("until:2026-11-24", "e"),
        ("since:2026-11-24 until:2026-11-24", "e"),
        ("since:7d nano lr<1 done", "c"),
        ("sweep:lr=1", ""),
    ],
)
def test_all_words_have_to_match(text: str, ids: str) -> None:
    assert _matching(text) == ids


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("stat:failed", "did you mean state:"),
        ("state:", "use queued, starting"),
        ("state:broken", "broken is no state; use queued"),
        ("since:soon", "use 7d, 12h"),
        ("val_loss<", "needs a value"),
        ("val_loss<low", "low is not a number"),
        ("gpu:", "needs a value, such as gpu:0"),
    ],
)
def test_a_mistake_says_what_is_accepted_and_filters_nothing(text: str, part: str) -> None:
    runs = RunFilter.parse(f"nano {text}")
    assert part in runs.mistakes[0]
    assert [run.id for run in RUNS if runs.matches(run, NOW.wall)] == ["a", "c"]


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        (
            "lr=1 best(val_los)<1",
            "no run has an argument or a metric best(val_los); did you mean val_loss?",
        ),
        ("bleu>1", "no run has an argument or a metric bleu; there are val_loss, dt, lr, batch_size"),
        ("val_loss", "val_loss is a metric: compare it"),
        ("nano lr", "lr is an argument: compare it"),
        ("batch=", "no run has an argument or a metric batch; did you mean batch_size?"),
        ("dt>2", "dt is an argument, else a metric: --dt is only the argument, last(dt) the metric"),
        ("--dt>2 last(dt)>2 step>3 batch-size=2 nano failed took>1h", None),
    ],
)
def test_a_word_that_may_mean_something_else_gets_a_hint(text: str, doubt: str | None) -> None:
    names = Names(arguments=["lr", "batch_size", "dt"], metrics=["val_loss", "dt"])
    assert RunFilter.parse(text).doubt(names) == doubt


def test_an_unknown_qualifier_is_reported_if_no_run_contains_its_text() -> None:
    for word in ("before:1d", "nano foo:bar"):
        doubt = RunFilter.parse(word).doubt(Names(), matched=False)
        assert doubt is not None
        assert "is no qualifier" in doubt
        assert "since: until:" in doubt
        assert RunFilter.parse(word).doubt(Names(), matched=True) is None
    assert RunFilter.parse("tag:x").doubt(Names(), matched=False) is None


def test_an_argument_and_a_metric_of_one_name_can_be_compared() -> None:
    run = _run(ended("a", metrics={"lr": 3e-5}), "--lr 1e-3")
    other = ended("b", metrics={"lr": 1e-3})
    for text, ids in (("lr=1e-3", "ab"), ("--lr=1e-3", "a"), ("last(lr)=1e-3", "b"), ("last(lr)<1e-4", "a")):
        runs = RunFilter.parse(text)
        assert "".join(each.id for each in (run, other) if runs.matches(each, NOW.wall)) == ids, text


def test_words_are_searched_in_what_a_row_shows() -> None:
    cause = Cause(kind="cuda_oom", summary="out of GPU memory", evidence="CUDA error: NCCL timeout")
    first, second = (_run(ended(run_id, name="train"), f"--lr {lr}") for run_id, lr in (("a", "1e-3"), ("b", "1e-4")))
    failed = replace(ended("c", Status.FAILED, name="oom", cause=cause))
    labeled = with_labels([first, second, failed])
    for text, ids in (('"train lr=1e-3"', "a"), ("memory", "c"), ("nccl", "c"), ("step", ""), ("started", "")):
        runs = RunFilter.parse(text)
        assert "".join(run.id for run in labeled if runs.matches(run, NOW.wall)) == ids, text


def test_a_day_begins_at_midnight_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        noon = time.mktime((2026, 11, 24, 12, 0, 0, 0, 0, -1))
        run = ended("a")
        for hours, since_today, since_yesterday in ((11, True, True), (13, False, True), (37, False, False)):
            started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(noon - hours * 3600))
            then = _run(run, started_at=started)
            assert RunFilter.parse("since:today").matches(then, noon) is since_today
            assert RunFilter.parse("since:yesterday").matches(then, noon) is since_yesterday
            assert RunFilter.parse("until:yesterday").matches(then, noon) is not since_today
    finally:
        monkeypatch.undo()
        time.tzset()


_VALUES = st.sampled_from([0.0, 1e-3, 0.01, 0.1, 1.0, 5.0])
_COMPARISONS = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@given(
    runs=st.lists(st.fixed_dictionaries({}, optional={"loss": _VALUES, "acc": _VALUES}), max_size=6),
    conditions=st.lists(st.tuples(st.sampled_from(["loss", "acc"]), st.sampled_from(list(_COMPARISONS)), _VALUES)),
)
def test_comparisons_are_those_of_numbers(
    runs: list[dict[str, float]], conditions: list[tuple[str, str, float]]
) -> None:
    parsed = RunFilter.parse(" ".join(f"{name}{sign}{value}" for name, sign, value in conditions))
    for metrics in runs:
        expected = all(name in metrics and _COMPARISONS[sign](metrics[name], value) for name, sign, value in conditions)
        assert parsed.matches(ended("a", metrics=metrics), NOW.wall) is expected


@given(st.text(alphabet='ab:<=>!."()[]*^$ 1dstate', max_size=30))
def test_no_text_is_an_error(text: str) -> None:
    runs = RunFilter.parse(text)
    for run in RUNS:
        runs.matches(run, NOW.wall)
    completions(text, Names(["lr"]))


def test_one_state_takes_the_place_of_another() -> None:
    assert with_state("nano failed since:7d", "done") == "nano since:7d done"
    assert with_state("nano done", None) == "nano"
    assert (state_of("nano Failed"), state_of("nano")) == ("failed", None)


def test_the_last_word_is_completed() -> None:
    assert completions("nano val", Names(["lr"], ["val_loss", "val_acc"])) == ["val_loss", "val_acc"]
    assert completions("sin", Names()) == ["since:"]
    assert completions("nano ", Names(["lr"])) == []


def _optimized(number: int) -> KnownRun:
    """Half of the runs use adamw; their values are 0.11 to 0.16, and 11 to 16 of a reward."""
    words = ("adamw", "sgd", "adamw", "lion", "adamw", "two words")
    metrics = {"val_loss": 0.11 + number / 100, "reward": 11.0 + number, "lr": 3e-5}
    command = ["train.py", "--optimizer", words[number], "--lr", "1e-3"]
    best = {"val_loss": Extreme(metrics["val_loss"] / 2, 9)}
    return _run(ended(str(number), metrics=metrics, best=best), command=command)


OPTIMIZED = names_of_runs([_optimized(number) for number in range(6)])


def test_the_values_of_an_argument_are_completed_the_most_frequent_first() -> None:
    values = ["optimizer=adamw", "optimizer=sgd", "optimizer=lion", 'optimizer="two words"']
    assert completions("nano optimizer=", OPTIMIZED) == values
    assert completions("optimizer!=l", OPTIMIZED) == ["optimizer!=lion"]
    assert completions("--optimizer=a", OPTIMIZED) == ["--optimizer=adamw"]
    assert completions("val_loss=", OPTIMIZED) == completions("last(lr)=", OPTIMIZED) == []
    assert RunFilter.parse(values[-1]).matches(_optimized(5), NOW.wall)


@pytest.mark.parametrize(
    ("word", "example", "expected"),
    [
        ("optimizer", "optimizer=adamw", "it is adamw, sgd, lion, two words"),
        ("val_loss", "val_loss<0.15", "it is between 0.1100 and 0.1600"),
        ("best(val_loss)", "best(val_loss)<0.071", "it is between 0.05500 and 0.08000"),
        ("reward", "reward>13", "it is between 11.00 and 16.00"),
        ("bleu", "", ""),
    ],
)
def test_an_example_of_a_comparison_is_one_that_some_runs_match(word: str, example: str, expected: str) -> None:
    assert OPTIMIZED.example(word) == example
    assert OPTIMIZED.expected(word) == expected
    if example:
        assert any(RunFilter.parse(example).matches(run, NOW.wall) for run in OPTIMIZED.runs)


def test_what_a_filter_accepts_has_examples_from_the_runs() -> None:
    shown = accepted(OPTIMIZED)
    assert "optimizer=adamw, val_loss<0.15, best(val_loss)<0.071" in shown
    assert "lr=1e-3" in accepted(Names())


def test_the_name_of_a_run_of_a_sweep_ends_before_its_arguments_and_is_found_in_both_spellings() -> None:
    run = _run(ended("p", name="train:lr=1e-3,seed=2"))
    for text in ("name:train$", "name:^train", r"name:train\b", "train$", "name:lr=1e-3,seed=2", "name:seed=2$"):
        assert RunFilter.parse(text).matches(run, NOW.wall), text
    assert not RunFilter.parse("name:^rain").matches(run, NOW.wall)
