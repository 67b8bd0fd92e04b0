"""Who waits is edited, who runs is asked, and the answer comes when it is done."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from backprop_tui.cli import asking, petition
from backprop_tui.cli.petitions import PERSON, Stop
from backprop_tui.cli.session import Session
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.live import Pause, Stopping
from backprop_tui.domain.requests import ContinueRequest, EditRequest, PauseRequest, StopRequest, TimeboxRequest
from backprop_tui.domain.run import Ended
from backprop_tui.domain.status import Status
from backprop_tui.store.run_directory import read_lines
from tests.support.runs import Guardian, Runs
from tests.support.waiting import wait_until


def _meanwhile(act: Callable[[], object]) -> threading.Thread:
    """Somebody else acts while the test asks."""
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    return thread


def _obeys(guardian: Guardian, then: Callable[[], object]) -> threading.Thread:
    """The guardian acts once it was asked something."""

    def act() -> None:
        wait_until(guardian.asked, "a request")
        then()

    return _meanwhile(act)


def test_a_queued_run_is_ended_at_once_with_a_reason(session: Session, runs: Runs) -> None:
    directory = runs.queued("abc")
    answer = asking.stop(session, "abc")
    assert isinstance(answer.run.state, Ended)
    assert answer.run.state.status is Status.STOPPED
    assert answer.run.state.reason == "stopped by you before it started"
    assert not answer.had_ended
    assert directory.read() == answer.run
    assert not os.path.exists(directory.file("environment"))
    assert [event["event"] for event in read_lines(directory.file("events.jsonl"))] == ["queued", "ended"]


def test_a_running_run_is_asked_once_and_the_answer_comes_with_its_end(session: Session, runs: Runs) -> None:
    guardian = runs.guarded("abc")
    _obeys(guardian, lambda: guardian.ends(Status.STOPPED, reason="stopped by you"))
    answer = asking.stop(session, "abc", kill=True)
    assert answer.run.status is Status.STOPPED
    assert guardian.asked() == [StopRequest(by=PERSON, reason="stopped by you", kill=True)]


def test_stopping_an_ended_run_says_that_it_had_ended(session: Session, runs: Runs) -> None:
    runs.ended("abc")
    assert asking.stop(session, "abc").had_ended


def test_several_are_asked_at_once(session: Session, runs: Runs) -> None:
    first, second = runs.guarded("first"), runs.guarded("second")

    def end_when_both_are_asked() -> None:
        wait_until(lambda: first.asked() and second.asked(), "both asked")
        first.ends(Status.STOPPED)
        second.ends(Status.STOPPED)

    _meanwhile(end_when_both_are_asked)
    request = StopRequest(by=PERSON, reason="x")
    answers = asking.grant([Stop(session, run_id, request) for run_id in ("first", "second")])
    assert [answer.run.id for answer in answers] == ["first", "second"]


def test_a_stop_that_meets_the_next_slice_in_the_queue_ends_that_too(session: Session, runs: Runs) -> None:
    guardian = runs.guarded("abc", spec={"retries": 1})
    _obeys(guardian, lambda: guardian.ends(Status.FAILED, exit_code=1))
    answer = asking.stop(session, "abc")
    assert answer.run.status is Status.STOPPED
    assert isinstance(answer.run.state, Ended)
    assert answer.run.state.reason == "stopped by you before its next attempt"


def test_what_was_asked_of_one_attempt_is_not_obeyed_by_the_next(session: Session, runs: Runs) -> None:
    guardian = runs.guarded("abc", spec={"retries": 1})
    _obeys(guardian, lambda: guardian.ends(Status.FAILED, exit_code=1))
    answer = asking.stop(session, "abc")
    assert guardian.directory.requests_after(answer.run.requests_offset) == ([], answer.run.requests_offset)


def test_it_is_asked_again_when_nothing_comes_of_it(
    session: Session, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(petition, "ASK_AGAIN_SECONDS", 0.01)
    guardian = runs.guarded("abc")

    def ignore_two() -> None:
        wait_until(lambda: len(guardian.asked()) > 2, "three requests")
        guardian.ends(Status.STOPPED)

    _meanwhile(ignore_two)
    assert asking.stop(session, "abc").run.status is Status.STOPPED


def test_a_run_without_a_guardian_is_left_to_a_supervisor(session: Session, runs: Runs) -> None:
    """The test plays the supervisor, too: it recovers the run once the lock is free again."""
    guardian = runs.guarded("abc")
    guardian.dies()
    stop = Stop(session, "abc", StopRequest(by=PERSON, reason="x"))
    assert stop.look() is None
    assert guardian.asked() == []
    adopted = guardian.directory.try_lock()
    assert adopted is not None
    with adopted:
        assert stop.look() is None
        assert len(guardian.asked()) == 1


def test_a_pause_is_done_when_it_is_recorded(session: Session, runs: Runs) -> None:
    guardian = runs.guarded("abc")
    _obeys(guardian, lambda: guardian.says(pause=Pause(since=1.0, by=PERSON, reason="x")))
    asking.pause(session, "abc")
    assert guardian.asked() == [PauseRequest(by=PERSON, reason="paused by you")]


def test_a_pause_of_the_guard_is_taken_over(session: Session, runs: Runs) -> None:
    guardian = runs.guarded("abc")
    guardian.says(pause=Pause(since=1.0, by="heat", reason="hot"))
    _obeys(guardian, lambda: guardian.says(pause=Pause(since=1.0, by=PERSON, reason="x")))
    asking.pause(session, "abc")
    assert len(guardian.asked()) == 1


def test_a_run_is_continued_when_no_pause_is_recorded(session: Session, runs: Runs) -> None:
    guardian = runs.guarded("abc")
    guardian.says(pause=Pause(since=1.0, by=PERSON, reason="x"))
    _obeys(guardian, lambda: guardian.says(pause=None))
    asking.continue_(session, "abc")
    assert guardian.asked() == [ContinueRequest(by=PERSON, reason="continued by you")]


def test_continuing_what_is_not_paused_asks_nobody(session: Session, runs: Runs) -> None:
    guardian = runs.guarded("abc")
    asking.continue_(session, "abc")
    assert guardian.asked() == []


@pytest.mark.parametrize("ask", [asking.pause, asking.continue_])
def test_what_waits_or_has_ended_can_neither_be_paused_nor_continued(
    session: Session, runs: Runs, ask: Callable[[Session, str], object]
) -> None:
    runs.queued("waits")
    runs.ended("over")
    for run_id in ("waits", "over"):
        with pytest.raises(UsageError, match=f"run {run_id}"):
            ask(session, run_id)


def test_what_is_stopping_cannot_be_paused(session: Session, runs: Runs) -> None:
    guardian = runs.guarded("abc")
    stopping = Stopping(status=Status.STOPPED, by=PERSON, reason="x", since=1.0, stage=1, deadline=1.0)
    guardian.says(stopping=stopping)
    with pytest.raises(UsageError, match="is stopping"):
        asking.pause(session, "abc")


def test_the_timebox_of_a_queued_run_is_changed_in_its_record(session: Session, runs: Runs) -> None:
    directory = runs.queued("abc")
    asking.set_timebox(session, "abc", None)
    assert directory.read().spec.max_run_seconds is None


def test_the_timebox_of_a_running_run_is_asked_for(session: Session, runs: Runs) -> None:
    guardian = runs.guarded("abc")
    longer = replace(guardian.run, spec=replace(guardian.run.spec, max_run_seconds=1200.0))
    _obeys(guardian, lambda: guardian.edits(longer))
    assert asking.set_timebox(session, "abc", 1200.0).run.spec.max_run_seconds == 1200.0
    assert guardian.asked() == [TimeboxRequest(max_run_seconds=1200.0)]


def test_the_timebox_of_an_ended_run_is_refused_with_the_way_to_go_on(session: Session, runs: Runs) -> None:
    runs.ended("abc")
    with pytest.raises(UsageError, match="resume abc -m"):
        asking.set_timebox(session, "abc", 60.0)


def test_an_ended_run_can_be_renamed_and_is_marked_to_be_indexed(session: Session, runs: Runs) -> None:
    directory = runs.ended("abc")
    os.unlink(session.home.marker("abc"))
    asking.edit(session, "abc", EditRequest(name="better", note="n"))
    assert (directory.read().name, directory.read().note) == ("better", "n")
    assert os.path.exists(session.home.marker("abc"))


def test_an_edit_that_changes_nothing_writes_nothing(session: Session, runs: Runs) -> None:
    directory = runs.ended("abc", name="same")
    before = os.stat(directory.file("run.json"))
    asking.edit(session, "abc", EditRequest(name="same"))
    assert os.stat(directory.file("run.json")).st_ino == before.st_ino


def test_a_place_in_the_queue_is_changed_under_the_lock(session: Session, runs: Runs) -> None:
    directory = runs.queued("abc")
    asking.edit_queued(session, "abc", lambda run: replace(run, position=1.5))
    assert directory.read().position == 1.5
    runs.guarded("runs")
    with pytest.raises(UsageError, match="not queued"):
        asking.edit_queued(session, "runs", lambda run: run)


def test_a_queued_run_that_a_supervisor_looks_at_is_edited_when_it_is_free(session: Session, runs: Runs) -> None:
    directory = runs.queued("abc")
    lock = directory.try_lock()
    assert lock is not None
    stop = Stop(session, "abc", StopRequest(by=PERSON, reason="x"))
    assert stop.look() is None
    lock.close()
    assert stop.look() is not None
    assert directory.requests_after(0) == ([], 0)


def test_asking_a_run_that_was_removed_is_wrong_usage(session: Session) -> None:
    with pytest.raises(UsageError, match="no directory"):
        asking.stop(session, "gone")
