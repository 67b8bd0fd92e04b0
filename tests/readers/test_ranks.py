"""Processes that print side by side are one curve."""

from __future__ import annotations

import pytest

from backprop_tui.readers.events import Progress
from backprop_tui.readers.log_reader import LogReader
from backprop_tui.readers.ranks import RankFilter
from tests.readers.test_merge import bar, read, steps_and_metrics


@pytest.mark.parametrize(
    "prefix",
    [
        "[rank{}] ",
        "[rank{}]: ",
        "[default{}]:",
        "[1,{}]<stdout>: ",
        "(RayTrainWorker pid=100{}) ",
        "(RayTrainWorker pid=100{}, ip=10.0.0.7) ",
        "rank {}: ",
        "[GPU {}] ",
        "2031-01-01 12:00:00 - INFO - [RANK {}] ",
    ],
)
def test_the_curve_is_that_of_the_first_process(prefix: str) -> None:
    ranks = RankFilter()
    order = ((0, 10), (1, 10), (0, 20), (1, 20), (1, 30), (0, 30))
    events = {(rank, step): Progress(offset=rank, step=step) for rank, step in order}
    kept = [event for key in order for event in ranks.select(f"{prefix.format(key[0])}step 1 loss=2", (events[key],))]
    assert [(event.offset, getattr(event, "step", None)) for event in kept] == [(0, 10), (0, 20), (0, 30)]


@pytest.mark.parametrize("line", ["step 10 [rank1] loss=1", "loss of rank 1: 3", "epoch 3 (pid=12)", "step=3 rank=1"])
def test_a_rank_after_the_message_began_is_no_prefix(line: str) -> None:
    ranks = RankFilter()
    events = (Progress(offset=1, step=1),)
    assert [*ranks.select("[rank0] step 1", events), *ranks.select(line, events)] == [*events, *events]


def test_a_higher_rank_that_prints_first_waits() -> None:
    lines = [f"[rank{rank}] step {step} loss=1.{rank}{step}" for step in (10, 20) for rank in (1, 0)]
    assert steps_and_metrics(*lines) == [(10, {"loss": 1.01}), (20, {"loss": 1.02})]


def test_a_rank_that_prints_alone_is_the_training() -> None:
    lines = [f"[default7]: step {step} loss=1.7{step}" for step in (10, 20, 30)]
    assert [step for step, _ in steps_and_metrics(*lines)] == [10, 20, 30]
    assert [step for step, _ in steps_and_metrics(lines[0])] == [10]


def test_the_bars_of_other_ranks_are_no_restarts() -> None:
    lines = [f"[rank{rank}]: " + bar(done, 60, figures=f", loss=0.{done}") for done in (9, 5, 30) for rank in (0, 1)]
    assert len(steps_and_metrics(*lines)) == 3


def test_a_checkpoint_of_any_rank_counts() -> None:
    values = read("[rank0] step 10 loss=1.5", "[rank1] saving checkpoint to out/10")
    assert [getattr(value, "path", None) for value in values] == [None, "out/10"]


def test_a_worker_that_replaces_the_first_one_takes_over() -> None:
    lines = ["[rank0] step 1 loss=1.5", *(f"[rank1] step {step} loss=1.{step}" for step in range(2, 99))]
    assert len(steps_and_metrics(*lines)) > 10


def test_the_first_rank_survives_a_change_of_the_reader() -> None:
    first = LogReader()
    first.feed(b"[rank0] step 10 loss=1.5\n[rank1] step 10 loss=1.6\n")
    second = LogReader(first.offset, memory=first.memory())
    assert len(second.feed(b"[rank1] step 20 loss=1.6\n[rank0] step 20 loss=1.5\n")) == 1


def test_two_processes_without_a_prefix_give_the_first_value_of_each_step() -> None:
    lines = [f"step {step} loss=1.{rank}{step}" for step in range(10, 20) for rank in (0, 1)]
    values = [metrics["loss"] for _, metrics in steps_and_metrics(*lines)]
    assert values[-5:] == [1.015, 1.016, 1.017, 1.018, 1.019]
