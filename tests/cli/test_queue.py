"""`queue` shows the order, changes it, holds it and lets it go on."""

from __future__ import annotations

import os

import pytest

from backprop_tui.cli.session import Session
from tests.support.commands import Commands
from tests.support.runs import Runs


def order(obey: Commands) -> list[str]:
    return [record["id"] for record in obey.json("queue")]


@pytest.fixture
def bell(session: Session) -> int:
    """What a supervisor hears."""
    path = session.home.host_file("bell")
    os.mkfifo(path)
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK)


def rings(bell: int) -> bool:
    """Whether somebody has rung since."""
    try:
        return bool(os.read(bell, 100))
    except BlockingIOError:
        return False


def test_an_empty_queue_says_so(obey: Commands) -> None:
    result = obey("queue")
    assert (result.code, result.out, result.err) == (0, "", "the queue is empty\n")


def test_the_queue_is_shown_in_its_order_without_running_runs(obey: Commands, runs: Runs) -> None:
    guardian = runs.guarded("busy")
    runs.queued("a")
    runs.queued("b", priority=1)
    assert order(obey) == ["b", "a"]
    assert [line.split()[:4] for line in obey("queue").lines[1:]] == [["1", "b", "b", "1"], ["2", "a", "a", "0"]]
    guardian.ends()


def test_a_moved_run_takes_the_priority_that_its_position_needs(obey: Commands, runs: Runs, bell: int) -> None:
    for run_id, priority in (("a", 2), ("b", 2), ("c", 0), ("d", 0)):
        runs.queued(run_id, priority=priority)
    result = obey("queue", "move", "d", "--to", "1")
    assert result.lines == ["d d: number 1 of 4, priority 2 instead of 0"]
    assert order(obey) == ["d", "a", "b", "c"]
    assert rings(bell)
    assert obey("queue", "move", "d", "--to", "99").lines == ["d d: number 4 of 4, priority 0 instead of 2"]
    assert obey("queue", "move", "d", "--to", "3").lines == ["d d: number 3 of 4"]
    obey("queue", "move", "d", "--to", "4")
    assert order(obey) == ["a", "b", "c", "d"]
    os.close(bell)


@pytest.mark.parametrize("place", ["0", "-1", "first"])
def test_positions_are_counted_from_1(obey: Commands, runs: Runs, place: str) -> None:
    runs.queued("a")
    result = obey("queue", "move", "a", "--to", place)
    assert result.code == 2
    assert "--to" in result.err


def test_only_queued_runs_can_be_moved(obey: Commands, runs: Runs) -> None:
    guardian = runs.guarded("busy")
    result = obey("queue", "move", "busy", "--to", "1")
    assert (result.code, result.err) == (
        2,
        "backprop-tui: run busy is running, not waiting; the queue: backprop-tui queue\n",
    )
    guardian.ends()


def test_priority_of_a_group_is_that_of_all_its_runs_that_wait(obey: Commands, runs: Runs) -> None:
    runs.ended("done", group="sweep")
    runs.queued("a", group="sweep")
    runs.queued("b", group="sweep")
    runs.queued("other")
    result = obey("queue", "priority", "sweep", "-3")
    assert result.lines == ["a a: priority -3", "b b: priority -3"]
    assert order(obey) == ["other", "a", "b"]


def test_priority_of_an_ended_run_is_refused(obey: Commands, runs: Runs) -> None:
    runs.ended("done")
    result = obey("queue", "priority", "done", "1")
    assert (result.code, result.err) == (
        2,
        "backprop-tui: run done has ended (completed) and is not waiting; the queue: backprop-tui queue\n",
    )


def test_hold_and_release_ring_the_bell_and_may_be_repeated(
    obey: Commands, runs: Runs, session: Session, bell: int
) -> None:
    runs.queued("a")
    held = session.home.host_file("queue-held")
    assert obey("queue", "hold").lines == [f"queue of {session.home.host} held; 1 run waiting"]
    assert os.path.exists(held)
    assert rings(bell)
    with open(held, encoding="utf-8") as file:
        assert file.read().count(" ") == 1  # when, and who
    assert "was held already" in obey("queue", "hold").out
    assert "release" in obey("queue").err
    assert obey("queue", "release").code == 0
    assert not os.path.exists(held)
    assert rings(bell)
    assert obey.json("queue", "release") == {"queue_held": False, "queued": 1}
    os.close(bell)


def test_dry_runs_change_nothing(obey: Commands, runs: Runs, session: Session) -> None:
    runs.queued("a")
    runs.queued("b")
    assert "would be moved to position 1" in obey("queue", "move", "b", "--to", "1", "--dry-run").out
    assert "would be given priority 9" in obey("queue", "priority", "b", "9", "--dry-run").out
    assert "would be held" in obey("queue", "hold", "--dry-run").out
    assert order(obey) == ["a", "b"]
    assert not os.path.exists(session.home.host_file("queue-held"))


def test_an_unknown_action_is_refused_with_the_known_ones(obey: Commands) -> None:
    result = obey("queue", "drop")
    assert result.code == 2
    assert "'move', 'priority', 'hold', 'release'" in result.err
