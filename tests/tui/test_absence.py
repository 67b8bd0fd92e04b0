"""Detecting an absence and its end, and the digest of what ended meanwhile."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from backprop_tui.domain.status import Status
from backprop_tui.store.home import Home
from backprop_tui.tui.absence import (
    AWAY_SECONDS,
    SERIES_SECONDS,
    SILENCE_SECONDS,
    AbsenceTracker,
    LastSeen,
    SeenFailures,
    WindowFocus,
)
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.store_reader import StoreReader
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
    store = Home(str(home / "backprop"), "this-host")
    store.prepare()
    return store


def looked_at(store: Home, *, ago: float) -> None:
    LastSeen(store).note(time.time() - ago)


def seen(attention: WindowFocus) -> tuple[bool, bool]:
    """Whether somebody is present, and whether an end needs a notification."""
    return attention.is_present, attention.is_unseen


def now(store: Home) -> Snapshot:
    return StoreReader(store, os.path.join(store.root, "config.toml")).read(None)


def test_a_window_counts_as_seen_until_it_loses_focus_or_gets_no_input(clock: Clock) -> None:
    attention = WindowFocus(clock)
    assert seen(attention) == (True, False)
    clock.now += SILENCE_SECONDS
    assert seen(attention) == (False, True)
    attention.note_activity()
    assert seen(attention) == (True, False)
    attention.set_focused(focused=False)
    assert seen(attention) == (False, True)
    assert attention.is_unfocused


def test_two_keys_one_after_the_other_are_typing(clock: Clock) -> None:
    attention = WindowFocus(clock)
    typing = []
    for seconds in (0.0, SERIES_SECONDS / 2, SERIES_SECONDS * 2):
        clock.now += seconds
        attention.note_key()
        typing.append(attention.is_typing)
    clock.now += SERIES_SECONDS
    assert [*typing, attention.is_typing] == [False, True, False, False]


def test_a_focused_window_without_input_is_abandoned_but_needs_no_notification(clock: Clock) -> None:
    attention = WindowFocus(clock)
    attention.set_focused(focused=True)
    clock.now += SILENCE_SECONDS
    assert seen(attention) == (False, False)


def test_a_start_after_a_long_absence_reports_what_ended(store: Home) -> None:
    looked_at(store, ago=AWAY_SECONDS + 60)
    Runs(store).ended("a")
    back = AbsenceTracker(store, WindowFocus())
    digest = back.look(now(store))
    assert digest is not None
    assert [run.run.id for run in digest.runs] == ["a"]
    assert digest.back_at is not None
    assert digest.back_at - digest.since == pytest.approx(AWAY_SECONDS + 60, abs=10)
    assert back.may_interrupt
    assert back.look(now(store)) is None


@pytest.mark.parametrize("ago", [None, AWAY_SECONDS - 60, -3600])
def test_after_a_short_absence_there_is_no_digest(store: Home, ago: float | None) -> None:
    if ago is not None:
        looked_at(store, ago=ago)
    Runs(store).ended("a")
    assert AbsenceTracker(store, WindowFocus()).look(now(store)) is None


def test_without_ended_runs_there_is_no_digest(store: Home) -> None:
    looked_at(store, ago=3600)
    Runs(store).queued("a")
    assert AbsenceTracker(store, WindowFocus()).look(now(store)) is None


def test_ends_before_the_absence_are_not_reported(store: Home) -> None:
    Runs(store).ended("a")
    snapshot = now(store)
    looked_at(store, ago=-1)  # after its end
    later = replace(snapshot, moment=replace(snapshot.moment, wall=snapshot.moment.wall + 3600))
    assert AbsenceTracker(store, WindowFocus()).look(later) is None


def test_the_last_look_is_noted_while_present_and_when_focus_is_lost(store: Home, clock: Clock) -> None:
    attention = WindowFocus(clock)
    back = AbsenceTracker(store, attention)
    back.look(now(store))
    first = LastSeen(store).last()
    assert first == pytest.approx(time.time(), abs=10)
    looked_at(store, ago=120)
    attention.set_focused(focused=False)
    back.look(now(store))
    assert LastSeen(store).last() == pytest.approx(time.time(), abs=10)


def test_nothing_is_noted_while_the_window_is_unfocused(store: Home) -> None:
    attention = WindowFocus()
    attention.set_focused(focused=False)
    back = AbsenceTracker(store, attention)
    back.look(now(store))
    back.leave(time.time())
    assert LastSeen(store).last() is None


def test_regaining_focus_after_a_long_time_reports_what_ended(store: Home) -> None:
    attention = WindowFocus()
    back = AbsenceTracker(store, attention)
    assert back.look(now(store)) is None
    attention.set_focused(focused=False)
    back.look(now(store))
    looked_at(store, ago=AWAY_SECONDS + 1)  # time passes
    Runs(store).ended("a")
    attention.set_focused(focused=True)
    assert back.look(now(store)) is not None
    assert back.may_interrupt


def test_a_return_by_a_key_does_not_interrupt(store: Home, clock: Clock) -> None:
    attention = WindowFocus(clock)
    back = AbsenceTracker(store, attention)
    back.look(now(store))
    clock.now += SILENCE_SECONDS
    back.look(now(store))
    looked_at(store, ago=AWAY_SECONDS + 1)
    Runs(store).ended("a")
    attention.note_activity()
    assert back.look(now(store)) is not None
    assert not back.may_interrupt


def test_without_an_absence_the_digest_covers_the_last_day(store: Home) -> None:
    Runs(store).ended("a")
    digest = AbsenceTracker(store, WindowFocus()).request_digest(now(store))
    assert digest.back_at is None
    assert [run.run.id for run in digest.runs] == ["a"]


def test_if_the_state_directory_cannot_be_written_only_the_digest_is_lost(store: Home) -> None:
    attendance = LastSeen(Home(os.path.join(store.root, "not-there"), "h"))
    attendance.note(time.time())
    assert attendance.last() is None


def failed(store: Home, *run_ids: str) -> None:
    for run_id in run_ids:
        Runs(store).ended(run_id, Status.FAILED, exit_code=1)


def test_failures_that_were_seen_are_known_to_the_next_dashboard(store: Home) -> None:
    failed(store, "a", "b")
    SeenFailures(store).note(frozenset({"a"}), now(store))
    assert SeenFailures(store).read() == {"a"}
    SeenFailures(store).note(frozenset({"b"}), now(store))  # another dashboard
    assert SeenFailures(store).read() == {"a", "b"}


def test_seen_failures_of_removed_and_old_runs_are_dropped(store: Home) -> None:
    failed(store, "a")
    seen_failures = SeenFailures(store)
    seen_failures.note(frozenset({"a", "removed"}), now(store))
    assert seen_failures.read() == {"a"}
    later = now(store)
    later = replace(later, moment=replace(later.moment, wall=later.moment.wall + 2 * 86400))
    seen_failures.note(frozenset({"a", "c"}), later)
    assert seen_failures.read() == set()


@pytest.mark.parametrize("content", ["", "{", '{"runs": 3}', "[1]"])
def test_a_broken_file_of_seen_failures_is_ignored_and_replaced(store: Home, content: str) -> None:
    with open(store.seen_failures, "w", encoding="utf-8") as file:
        file.write(content)
    assert SeenFailures(store).read() == set()
    failed(store, "a")
    SeenFailures(store).note(frozenset({"a"}), now(store))
    assert SeenFailures(store).read() == {"a"}
