"""Front ends show the record, the live record and the governor's decision together."""

from __future__ import annotations

import os

import pytest

from backprop_tui.domain.errors import UnknownRun
from backprop_tui.domain.live import Pause
from backprop_tui.domain.status import Status
from backprop_tui.store import index
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.files import dump
from backprop_tui.store.home import Home
from backprop_tui.store.run_view import governor_record, public_record, recent_records, unfinished_views
from tests.support.runs import Runs
from tests.support.slurm import job


def _write_governor(store: Home, **fields: object) -> None:
    with open(store.governor, "wb") as file:
        file.write(dump({"pid": os.getpid(), "held": {}, "places": {}} | fields))


RAM: JsonObject = {"check": "ram", "figure": 1, "limit": 2, "message": "RAM 1 GB free, keeps 2"}


def test_a_queued_run_shows_why_it_is_held(store: Home, runs: Runs) -> None:
    runs.queued("abc")
    _write_governor(store, held={"abc": [RAM]})
    shown = public_record(store, "abc")
    assert (shown["hold_reasons"], shown["reason"]) == ([RAM], RAM["message"])


@pytest.mark.parametrize(("job_id", "reason"), [(None, "Slurm: not submitted yet"), (12, "Slurm: submitted")])
def test_a_slurm_run_shows_that_it_waits_before_a_supervisor_has_asked_for_it(
    store: Home, runs: Runs, job_id: int | None, reason: str
) -> None:
    runs.queued("abc", spec={"launcher": "slurm"}, job=None if job_id is None else job(job_id))
    shown = public_record(store, "abc")
    assert shown["reason"] == reason
    assert [hold["check"] for hold in shown["hold_reasons"]] == ["slurm"]
    _write_governor(store, held={"abc": [RAM]})
    assert public_record(store, "abc")["reason"] == RAM["message"]


def test_decisions_of_a_dead_supervisor_are_ignored(store: Home, runs: Runs) -> None:
    runs.queued("abc")
    _write_governor(store, pid=2**22 + 1, held={"abc": [RAM]})
    assert governor_record(store) is None
    assert public_record(store, "abc")["hold_reasons"] == []


def test_a_running_run_is_shown_with_its_live_record(store: Home, runs: Runs) -> None:
    guardian = runs.guarded("abc")
    guardian.says(step=7, pause=Pause(since=1.0, by="heat", reason="GPU 0 at 91 C"))
    shown = public_record(store, "abc")
    assert (shown["status"], shown["step"], shown["reason"]) == (Status.PAUSED, 7, "GPU 0 at 91 C")


def test_admitted_runs_come_before_the_queue_in_its_order(store: Home, runs: Runs) -> None:
    runs.queued("last")
    runs.queued("first", priority=5)
    runs.guarded("runs")
    runs.queued("moved", position=1.0)
    assert [view.run.id for view in unfinished_views(store)] == ["runs", "first", "moved", "last"]


def test_an_ended_run_that_is_not_indexed_yet_is_recent_and_not_unfinished(store: Home, runs: Runs) -> None:
    runs.ended("abc")
    assert unfinished_views(store) == []
    assert set(recent_records(store)) == {"abc"}


def test_a_run_that_only_the_index_knows_is_shown_from_the_index(store: Home) -> None:
    record = {"id": "old", "name": "old", "status": Status.LOST, "objective": None}
    index.update(store, {"old": record})
    assert public_record(store, "old") == record


def test_an_unknown_id_is_refused(store: Home) -> None:
    with pytest.raises(UnknownRun):
        public_record(store, "abc")


def test_a_broken_record_does_not_hide_other_runs(store: Home, runs: Runs) -> None:
    runs.queued("good")
    with open(runs.queued("bad").file("run.json"), "w") as file:
        file.write("{")
    assert [view.run.id for view in unfinished_views(store)] == ["good"]
