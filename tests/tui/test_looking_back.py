"""Coming back: who was away, for how long, and what is found then."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from backprop_tui.store.home import Home
from backprop_tui.tui.focus import SILENCE_SECONDS, WindowFocus
from backprop_tui.tui.looking_back import LookingBack
from backprop_tui.tui.reading.attendance import Attendance
from backprop_tui.tui.reading.store import StoreReader
from backprop_tui.tui.recollection import AWAY_SECONDS
from backprop_tui.tui.snapshot import Snapshot
from tests.support.runs import Runs


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(home: Path) -> Home:
    found = Home(str(home / "backprop"), "this-host")
    found.prepare()
    return found


def looked_at(store: Home, *, ago: float) -> None:
    Attendance(store).note(time.time() - ago)


def seen(attention: WindowFocus) -> tuple[bool, bool]:
    """Whether somebody is there, and whether an end has to be called out."""
    return attention.is_present, attention.is_unseen


def now(store: Home) -> Snapshot:
    return StoreReader(store, os.path.join(store.root, "config.toml")).read(None)


def test_a_window_counts_as_seen_until_it_loses_focus_or_is_silent(clock: Clock) -> None:
    attention = WindowFocus(clock)
    assert seen(attention) == (True, False)
    clock.now += SILENCE_SECONDS
    assert seen(attention) == (False, True)
    attention.note_activity()
    assert seen(attention) == (True, False)
    attention.set_focused(focused=False)
    assert seen(attention) == (False, True)
    assert attention.is_unfocused


def test_a_focused_window_that_is_silent_is_left_by_its_person_and_calls_nobody(clock: Clock) -> None:
    attention = WindowFocus(clock)
    attention.set_focused(focused=True)
    clock.now += SILENCE_SECONDS
    assert seen(attention) == (False, False)


def test_the_start_after_a_long_absence_tells_what_ended(store: Home) -> None:
    looked_at(store, ago=AWAY_SECONDS + 60)
    Runs(store).ended("a")
    back = LookingBack(store, WindowFocus())
    found = back.look(now(store))
    assert found is not None
    assert [one.run.id for one in found.runs] == ["a"]
    assert found.back_at is not None
    assert found.back_at - found.since == pytest.approx(AWAY_SECONDS + 60, abs=10)
    assert back.may_interrupt
    assert back.look(now(store)) is None


@pytest.mark.parametrize("ago", [None, AWAY_SECONDS - 60, -3600])
def test_who_was_not_away_for_long_is_told_nothing(store: Home, ago: float | None) -> None:
    if ago is not None:
        looked_at(store, ago=ago)
    Runs(store).ended("a")
    assert LookingBack(store, WindowFocus()).look(now(store)) is None


def test_an_absence_in_which_nothing_ended_is_not_told(store: Home) -> None:
    looked_at(store, ago=3600)
    Runs(store).queued("a")
    assert LookingBack(store, WindowFocus()).look(now(store)) is None


def test_what_ended_before_the_absence_is_not_told(store: Home) -> None:
    Runs(store).ended("a")
    snapshot = now(store)
    looked_at(store, ago=-1)  # after its end
    later = replace(snapshot, moment=replace(snapshot.moment, wall=snapshot.moment.wall + 3600))
    assert LookingBack(store, WindowFocus()).look(later) is None


def test_the_look_is_noted_while_somebody_looks_and_when_focus_goes(store: Home, clock: Clock) -> None:
    attention = WindowFocus(clock)
    back = LookingBack(store, attention)
    back.look(now(store))
    first = Attendance(store).last()
    assert first == pytest.approx(time.time(), abs=10)
    looked_at(store, ago=120)
    attention.set_focused(focused=False)
    back.look(now(store))
    assert Attendance(store).last() == pytest.approx(time.time(), abs=10)


def test_nobody_is_noted_while_the_window_is_unfocused(store: Home) -> None:
    attention = WindowFocus()
    attention.set_focused(focused=False)
    back = LookingBack(store, attention)
    back.look(now(store))
    back.leave(time.time())
    assert Attendance(store).last() is None


def test_the_return_of_focus_after_long_tells_what_ended(store: Home) -> None:
    attention = WindowFocus()
    back = LookingBack(store, attention)
    assert back.look(now(store)) is None
    attention.set_focused(focused=False)
    back.look(now(store))
    looked_at(store, ago=AWAY_SECONDS + 1)  # time passes
    Runs(store).ended("a")
    attention.set_focused(focused=True)
    assert back.look(now(store)) is not None
    assert back.may_interrupt


def test_the_return_by_a_key_alone_does_not_interrupt(store: Home, clock: Clock) -> None:
    attention = WindowFocus(clock)
    back = LookingBack(store, attention)
    back.look(now(store))
    clock.now += SILENCE_SECONDS
    back.look(now(store))
    looked_at(store, ago=AWAY_SECONDS + 1)
    Runs(store).ended("a")
    attention.note_activity()
    assert back.look(now(store)) is not None
    assert not back.may_interrupt


def test_without_an_absence_the_last_day_is_told(store: Home) -> None:
    Runs(store).ended("a")
    found = LookingBack(store, WindowFocus()).recall(now(store))
    assert found.back_at is None
    assert [one.run.id for one in found.runs] == ["a"]


def test_a_state_directory_that_cannot_be_written_costs_the_digest_alone(store: Home) -> None:
    attendance = Attendance(Home(os.path.join(store.root, "not-there"), "h"))
    attendance.note(time.time())
    assert attendance.last() is None


def test_the_best_loss_is_the_lowest_and_not_the_last(store: Home) -> None:
    directory = Runs(store).queued("a")
    with open(directory.file("metrics.jsonl"), "w", encoding="ascii") as file:
        file.writelines(f'{{"time":"2026-01-01T00:00:00Z","metrics":{{"loss":{loss}}}}}\n' for loss in (3.0, 0.5, 0.7))
    from backprop_tui.tui.reading.recollection import _best_loss
    from tests.tui.snapshots import ended

    assert _best_loss(store, ended("a", metrics={"loss": 0.7})) == 0.5
