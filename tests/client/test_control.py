"""A queued run is edited, a running one gets a request, and the outcome comes when the effect is recorded."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from backprop_tui.client import control
from backprop_tui.client.control import (
    AnyControlRequest,
    ControlOutcome,
    Refusal,
    StopControl,
    continue_requests,
    edit_requests,
    edit_summary,
    pause_requests,
    stop_requests,
    wait_for_all,
)
from backprop_tui.client.session import ClientSession
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.live import Pause, Stopping
from backprop_tui.domain.requests import PERSON, ContinueRequest, EditRequest, PauseRequest, StopRequest, TimeboxRequest
from backprop_tui.domain.run import Ended
from backprop_tui.domain.status import Status
from backprop_tui.store.run_directory import read_lines
from tests.support.runs import Guardian, Runs
from tests.support.waiting import wait_until


def _outcome(requests: Sequence[AnyControlRequest]) -> ControlOutcome:
    """The outcome of one request; raises the error of a refusal."""
    (outcome,) = wait_for_all(requests)
    if isinstance(outcome, Refusal):
        raise outcome.error
    return outcome


def _stop(session: ClientSession, run_id: str, *, now: bool = False) -> ControlOutcome:
    return _outcome(stop_requests(session, [run_id], now=now))


def _pause(session: ClientSession, run_id: str) -> ControlOutcome:
    return _outcome(pause_requests(session, [run_id]))


def _continue(session: ClientSession, run_id: str) -> ControlOutcome:
    return _outcome(continue_requests(session, [run_id]))


def _edit(session: ClientSession, run_id: str, edit: EditRequest) -> ControlOutcome:
    return _outcome(edit_requests(session, [run_id], edit, None))


def _set_timebox(session: ClientSession, run_id: str, seconds: float | None) -> ControlOutcome:
    return _outcome(edit_requests(session, [run_id], None, TimeboxRequest(max_run_seconds=seconds)))


def _meanwhile(act: Callable[[], object]) -> threading.Thread:
    """Somebody else acts while the test asks."""
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    return thread


def _acts_on_request(guardian: Guardian, then: Callable[[], object]) -> threading.Thread:
    """The guardian acts once it was asked something."""

    def act() -> None:
        wait_until(guardian.asked, "a request")
        then()

    return _meanwhile(act)


def test_a_queued_run_is_stopped_at_once_with_a_reason(session: ClientSession, runs: Runs) -> None:
    directory = runs.queued("abc")
    outcome = _stop(session, "abc")
    assert isinstance(outcome.run.state, Ended)
    assert outcome.run.state.status is Status.STOPPED
    assert outcome.run.state.reason == "stopped by you before it started"
    assert not outcome.had_ended
    assert directory.read() == outcome.run
    assert not os.path.exists(directory.file("environment"))
    assert [event["event"] for event in read_lines(directory.events_path)] == ["queued", "ended"]


def test_a_running_run_is_asked_once_and_the_outcome_comes_with_its_end(session: ClientSession, runs: Runs) -> None:
    guardian = runs.guarded("abc")
    _acts_on_request(guardian, lambda: guardian.ends(Status.STOPPED, reason="stopped by you"))
    outcome = _stop(session, "abc", now=True)
    assert outcome.run.status is Status.STOPPED
    assert guardian.asked() == [StopRequest(by=PERSON, reason="stopped by you", kill=True)]


def test_stopping_an_ended_run_reports_that_it_had_ended(session: ClientSession, runs: Runs) -> None:
    runs.ended("abc")
    assert _stop(session, "abc").had_ended


def test_several_runs_are_asked_at_once(session: ClientSession, runs: Runs) -> None:
    first, second = runs.guarded("first"), runs.guarded("second")

    def end_when_both_are_asked() -> None:
        wait_until(lambda: first.asked() and second.asked(), "both asked")
        first.ends(Status.STOPPED)
        second.ends(Status.STOPPED)

    _meanwhile(end_when_both_are_asked)
    outcomes = wait_for_all(stop_requests(session, ["first", "second"]))
    assert [outcome.run.id for outcome in outcomes if isinstance(outcome, ControlOutcome)] == ["first", "second"]


def test_a_stop_also_stops_a_next_attempt_that_is_already_queued(session: ClientSession, runs: Runs) -> None:
    guardian = runs.guarded("abc", spec={"retries": 1})
    _acts_on_request(guardian, lambda: guardian.ends(Status.FAILED, exit_code=1))
    outcome = _stop(session, "abc")
    assert outcome.run.status is Status.STOPPED
    assert isinstance(outcome.run.state, Ended)
    assert outcome.run.state.reason == "stopped by you before its next attempt"


def test_a_request_to_one_attempt_is_not_carried_out_by_the_next(session: ClientSession, runs: Runs) -> None:
    guardian = runs.guarded("abc", spec={"retries": 1})
    _acts_on_request(guardian, lambda: guardian.ends(Status.FAILED, exit_code=1))
    outcome = _stop(session, "abc")
    assert guardian.directory.requests_after(outcome.run.requests_offset) == ([], outcome.run.requests_offset)


def test_the_request_is_repeated_if_it_has_no_effect(
    session: ClientSession, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "ASK_AGAIN_SECONDS", 0.01)
    guardian = runs.guarded("abc")

    def ignore_two() -> None:
        wait_until(lambda: len(guardian.asked()) > 2, "three requests")
        guardian.ends(Status.STOPPED)

    _meanwhile(ignore_two)
    assert _stop(session, "abc").run.status is Status.STOPPED


def test_a_run_without_a_guardian_is_left_to_a_supervisor(session: ClientSession, runs: Runs) -> None:
    """The test plays the supervisor, too: it recovers the run once the lock is free again."""
    guardian = runs.guarded("abc")
    guardian.dies()
    stop = StopControl(session, "abc", StopRequest(by=PERSON, reason="x"))
    assert stop.poll() is None
    assert guardian.asked() == []
    adopted = guardian.directory.try_lock()
    assert adopted is not None
    with adopted:
        assert stop.poll() is None
        assert len(guardian.asked()) == 1


def test_a_pause_is_done_when_it_is_recorded(session: ClientSession, runs: Runs) -> None:
    guardian = runs.guarded("abc")
    _acts_on_request(guardian, lambda: guardian.says(pause=Pause(since=1.0, by=PERSON, reason="x")))
    _pause(session, "abc")
    assert guardian.asked() == [PauseRequest(by=PERSON, reason="paused by you")]


def test_a_pause_by_the_guard_becomes_one_by_the_user(session: ClientSession, runs: Runs) -> None:
    guardian = runs.guarded("abc")
    guardian.says(pause=Pause(since=1.0, by="heat", reason="hot"))
    _acts_on_request(guardian, lambda: guardian.says(pause=Pause(since=1.0, by=PERSON, reason="x")))
    _pause(session, "abc")
    assert len(guardian.asked()) == 1


def test_a_run_is_continued_when_no_pause_is_recorded(session: ClientSession, runs: Runs) -> None:
    guardian = runs.guarded("abc")
    guardian.says(pause=Pause(since=1.0, by=PERSON, reason="x"))
    _acts_on_request(guardian, lambda: guardian.says(pause=None))
    _continue(session, "abc")
    assert guardian.asked() == [ContinueRequest(by=PERSON, reason="continued by you")]


def test_continuing_a_run_that_is_not_paused_needs_no_request(session: ClientSession, runs: Runs) -> None:
    guardian = runs.guarded("abc")
    _continue(session, "abc")
    assert guardian.asked() == []


@pytest.mark.parametrize("ask", [_pause, _continue])
def test_queued_and_ended_runs_can_neither_be_paused_nor_continued(
    session: ClientSession, runs: Runs, ask: Callable[[ClientSession, str], object]
) -> None:
    runs.queued("waits")
    runs.ended("over")
    for run_id in ("waits", "over"):
        with pytest.raises(UsageError, match=f"run {run_id}"):
            ask(session, run_id)


def test_a_stopping_run_cannot_be_paused(session: ClientSession, runs: Runs) -> None:
    guardian = runs.guarded("abc")
    stopping = Stopping(status=Status.STOPPED, by=PERSON, reason="x", since=1.0, stage=1, deadline=1.0)
    guardian.says(stopping=stopping)
    with pytest.raises(UsageError, match="is stopping"):
        _pause(session, "abc")


def test_the_timebox_of_a_queued_run_is_changed_in_its_record(session: ClientSession, runs: Runs) -> None:
    directory = runs.queued("abc")
    _set_timebox(session, "abc", None)
    assert directory.read().spec.max_run_seconds is None


def test_the_timebox_of_a_running_run_is_asked_for(session: ClientSession, runs: Runs) -> None:
    guardian = runs.guarded("abc")
    longer = replace(guardian.run, spec=replace(guardian.run.spec, max_run_seconds=1200.0))
    _acts_on_request(guardian, lambda: guardian.edits(longer))
    assert _set_timebox(session, "abc", 1200.0).run.spec.max_run_seconds == 1200.0
    assert guardian.asked() == [TimeboxRequest(max_run_seconds=1200.0)]


def test_a_timebox_for_an_ended_run_is_refused_with_the_resume_command(session: ClientSession, runs: Runs) -> None:
    runs.ended("abc")
    with pytest.raises(UsageError, match="resume abc -m"):
        _set_timebox(session, "abc", 60.0)


def test_an_ended_run_can_be_renamed_and_is_marked_to_be_indexed(session: ClientSession, runs: Runs) -> None:
    directory = runs.ended("abc")
    os.unlink(session.home.marker("abc"))
    _edit(session, "abc", EditRequest(name="better", note="n"))
    assert (directory.read().name, directory.read().note) == ("better", "n")
    assert os.path.exists(session.home.marker("abc"))


def test_an_edit_that_changes_nothing_writes_nothing(session: ClientSession, runs: Runs) -> None:
    directory = runs.ended("abc", name="same")
    before = os.stat(directory.record_path)
    _edit(session, "abc", EditRequest(name="same"))
    assert os.stat(directory.record_path).st_ino == before.st_ino


def test_a_queued_run_is_edited_when_a_supervisor_releases_its_lock(session: ClientSession, runs: Runs) -> None:
    directory = runs.queued("abc")
    lock = directory.try_lock()
    assert lock is not None
    stop = StopControl(session, "abc", StopRequest(by=PERSON, reason="x"))
    assert stop.poll() is None
    lock.close()
    assert stop.poll() is not None
    assert directory.requests_after(0) == ([], 0)


def test_a_request_to_a_removed_run_is_a_usage_error(session: ClientSession) -> None:
    with pytest.raises(UsageError, match="no directory"):
        _stop(session, "gone")


def test_a_refusal_does_not_keep_back_the_other_requests(session: ClientSession, runs: Runs) -> None:
    runs.ended("over")
    guardian = runs.guarded("abc")
    _acts_on_request(guardian, lambda: guardian.says(pause=Pause(since=1.0, by=PERSON, reason="x")))
    refusal, outcome = wait_for_all(pause_requests(session, ["over", "abc"]))
    assert isinstance(refusal, Refusal)
    assert isinstance(outcome, ControlOutcome)


def test_requests_are_reported_as_recorded_while_they_are_waited_for(session: ClientSession, runs: Runs) -> None:
    guardian = runs.guarded("abc")
    recorded: list[int] = []

    def note() -> None:
        recorded.append(len(guardian.asked()))
        guardian.ends(Status.STOPPED)

    wait_for_all(stop_requests(session, ["abc"]), on_recorded=note)
    assert recorded == [1]


def test_queued_runs_are_stopped_before_running_ones(session: ClientSession, runs: Runs) -> None:
    runs.guarded("first")
    runs.queued("second")
    assert [request.run_id for request in stop_requests(session, ["first", "second"])] == ["second", "first"]


def test_a_summary_of_an_edit_names_each_change() -> None:
    edit = EditRequest(name="n", tags=(), note="", priority=2)
    assert edit_summary(edit, TimeboxRequest(max_run_seconds=90.0)) == (
        "renamed to n, tags none, no note, priority 2, a limit of 1m30s"
    )
    assert edit_summary(None, TimeboxRequest(max_run_seconds=None)) == "no time limit"
