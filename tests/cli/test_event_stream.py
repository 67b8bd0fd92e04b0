"""Events of a run are reported once and in order; the last event has the whole record of the run."""

from __future__ import annotations

import os

import pytest

from backprop_tui.cli.event_stream import PROGRESS_SECONDS, Event, EventStream
from backprop_tui.cli.session import Session
from backprop_tui.domain.errors import UnknownRun
from backprop_tui.domain.status import Status
from backprop_tui.store.files import dump
from tests.support.runs import Runs


def _kinds(events: list[Event]) -> list[str]:
    return [event.kind for event in events]


class Listener:
    """Reads the new events of a run, a second later at each call."""

    def __init__(self, session: Session, run_id: str) -> None:
        self.story = EventStream(session.home, run_id)
        self.now = 0.0

    def hear(self) -> list[Event]:
        self.now += 1.0
        self.story.refresh()
        return [*self.story.new_events(self.now)]


def test_each_event_is_reported_once(session: Session, runs: Runs) -> None:
    guardian = runs.guarded("abc")
    listener = Listener(session, "abc")
    assert _kinds(listener.hear()) == ["queued", "started"]
    assert listener.hear() == []
    guardian.tells("checkpoint", "at step 5", path="/c", step=5)
    (new_event,) = listener.hear()
    assert (new_event.kind, new_event.values["path"], new_event.values["step"]) == ("checkpoint", "/c", 5)


def test_the_end_comes_last_with_the_whole_run(session: Session, runs: Runs) -> None:
    guardian = runs.guarded("abc")
    listener = Listener(session, "abc")
    listener.hear()
    guardian.tells("stopping", "stopped by you: SIGINT")
    guardian.measures(3, loss=0.5)
    guardian.ends(Status.STOPPED, exit_code=1)
    events = listener.hear()
    assert _kinds(events) == ["stopping", "progress", "ended"]
    assert events[-1].values["run"]["status"] == "stopped"
    assert events[-1].values["run"]["exit_code"] == 1


def test_a_retried_attempt_is_not_the_end(session: Session, runs: Runs) -> None:
    guardian = runs.guarded("abc", spec={"retries": 1})
    listener = Listener(session, "abc")
    guardian.ends(Status.FAILED, exit_code=1)
    assert "ended" not in _kinds(listener.hear())
    assert not listener.story.has_ended


def test_progress_is_reported_at_intervals_with_the_newest_values(session: Session, runs: Runs) -> None:
    guardian = runs.guarded("abc")
    story = EventStream(session.home, "abc")
    story.refresh()
    list(story.new_events(10.0))
    guardian.measures(1, loss=0.9, lr=0.1)
    assert _kinds(list(story.new_events(10.1))) == ["progress"]
    guardian.measures(2, loss=0.8)
    guardian.measures(3, loss="NaN")
    assert list(story.new_events(10.1 + PROGRESS_SECONDS / 2)) == []
    (new_event,) = story.new_events(10.1 + PROGRESS_SECONDS)
    assert (new_event.values["step"], new_event.values["metrics"]) == (3, {"loss": "NaN", "lr": 0.1})


def test_a_hold_is_reported_when_its_checks_change_and_not_when_a_number_does(session: Session, runs: Runs) -> None:
    runs.queued("abc")
    listener = Listener(session, "abc")
    listener.hear()

    def governor_says(*checks: tuple[str, float]) -> None:
        reasons = [{"check": check, "figure": figure, "message": f"{check} {figure}"} for check, figure in checks]
        with open(session.home.governor, "wb") as file:
            file.write(dump({"time": "t", "pid": os.getpid(), "held": {"abc": reasons}}))

    governor_says(("ram", 1.0))
    (new_event,) = listener.hear()
    assert (new_event.kind, new_event.time, new_event.message) == ("held", "t", "ram 1.0")
    governor_says(("ram", 1.5))
    assert listener.hear() == []
    governor_says(("ram", 1.5), ("load", 3.0))
    (new_event,) = listener.hear()
    assert [reason["check"] for reason in new_event.values["reasons"]] == ["ram", "load"]


def test_earlier_events_are_not_reported_again(session: Session, runs: Runs) -> None:
    guardian = runs.guarded("abc")
    size = os.stat(guardian.directory.events_path).st_size
    guardian.tells("paused", "by you")
    story = EventStream(session.home, "abc", events_offset=size)
    assert _kinds(list(story.new_events(1.0))) == ["paused"]


def test_a_run_that_is_removed_while_it_is_followed_is_unknown(session: Session, runs: Runs) -> None:
    directory = runs.ended("abc")
    story = EventStream(session.home, "abc")
    os.rename(directory.path, directory.path + "-gone")
    with pytest.raises(UnknownRun, match="was removed"):
        story.refresh()
