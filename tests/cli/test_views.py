"""What front ends show is the record, the live record and the governor's word together."""

from __future__ import annotations

import os

import pytest

from backprop_tui.cli.session import Session
from backprop_tui.domain.errors import UnknownRun
from backprop_tui.domain.live import Pause
from backprop_tui.domain.status import Status
from backprop_tui.store import index
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.files import dump
from backprop_tui.store.views import active, active_runs, governor, recent_runs, shown_run
from tests.support.runs import Runs


def _governor_says(session: Session, **said: object) -> None:
    with open(session.home.governor, "wb") as file:
        file.write(dump({"pid": os.getpid(), "held": {}, "places": {}} | said))


RAM: JsonObject = {"check": "ram", "figure": 1, "limit": 2, "message": "RAM 1 GB free, keeps 2"}


def test_a_queued_run_says_why_it_is_held(session: Session, runs: Runs) -> None:
    runs.queued("abc")
    _governor_says(session, held={"abc": [RAM]})
    shown = shown_run(session.home, "abc")
    assert (shown["hold_reasons"], shown["reason"]) == ([RAM], RAM["message"])


def test_what_a_supervisor_that_is_gone_said_is_forgotten(session: Session, runs: Runs) -> None:
    runs.queued("abc")
    _governor_says(session, pid=2**22 + 1, held={"abc": [RAM]})
    assert governor(session.home) is None
    assert shown_run(session.home, "abc")["hold_reasons"] == []


def test_a_running_run_is_shown_with_its_live_record(session: Session, runs: Runs) -> None:
    guardian = runs.guarded("abc")
    guardian.says(step=7, pause=Pause(since=1.0, by="heat", reason="GPU 0 at 91 C"))
    shown = shown_run(session.home, "abc")
    assert (shown["status"], shown["step"], shown["reason"]) == (Status.PAUSED, 7, "GPU 0 at 91 C")


def test_what_was_admitted_comes_before_the_queue_in_its_order(session: Session, runs: Runs) -> None:
    runs.queued("last")
    runs.queued("first", priority=5)
    runs.guarded("runs")
    runs.queued("moved", position=1.0)
    assert [one["id"] for one in active_runs(session.home)] == ["runs", "first", "moved", "last"]


def test_an_ended_run_that_is_not_indexed_yet_is_a_recent_one_and_no_active_one(session: Session, runs: Runs) -> None:
    runs.ended("abc")
    assert active(session.home) == []
    assert set(recent_runs(session.home)) == {"abc"}


def test_a_run_that_only_the_index_knows_is_shown_as_it_stands_there(session: Session) -> None:
    record = {"id": "old", "name": "old", "status": Status.LOST}
    index.update(session.home, {"old": record})
    assert shown_run(session.home, "old") == record


def test_a_run_that_nobody_knows_is_unknown(session: Session) -> None:
    with pytest.raises(UnknownRun):
        shown_run(session.home, "abc")


def test_a_broken_record_hides_no_other_run(session: Session, runs: Runs) -> None:
    runs.queued("good")
    with open(runs.queued("bad").file("run.json"), "w") as file:
        file.write("{")
    assert [one["id"] for one in active_runs(session.home)] == ["good"]
