"""A run that is held and shall not wait leaves the queue as if it had never been in it."""

from __future__ import annotations

import os
import threading
from dataclasses import replace

import pytest

from backprop_tui.client import queueing
from backprop_tui.client.queueing import edit_queued, withdraw
from backprop_tui.client.resume import queue_again
from backprop_tui.client.run_request import RunOptions
from backprop_tui.client.session import ClientSession
from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.status import Status
from backprop_tui.store import index
from tests.support.runs import Guardian, Runs


def test_nothing_is_kept_of_a_new_run(session: ClientSession, runs: Runs) -> None:
    record = runs.queued("abc").shown()
    index.update(session.home, {"abc": record})
    assert withdraw(session, "abc", None)
    assert os.listdir(session.home.runs) == os.listdir(session.home.active) == []
    assert index.read_all(session.home) == {}


def test_a_run_that_has_just_started_is_kept(session: ClientSession, runs: Runs) -> None:
    guardian = runs.guarded("abc")
    guardian.dies()
    assert not withdraw(session, "abc", None)
    assert guardian.directory.read().status is Status.RUNNING


def test_a_supervisor_that_holds_the_lock_briefly_is_waited_for(
    session: ClientSession, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = runs.queued("abc").try_lock()
    assert lock is not None
    threading.Timer(0.02, lock.close).start()
    assert withdraw(session, "abc", None)


def test_a_run_that_a_guardian_holds_is_not_withdrawn(
    session: ClientSession, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queueing, "WITHDRAW_SECONDS", 0.02)
    guardian = Guardian(runs.queued("abc"))
    assert not withdraw(session, "abc", None)
    guardian.ends()


def test_a_resumed_run_gets_its_earlier_end_back(session: ClientSession, runs: Runs) -> None:
    directory = runs.ended("abc", Status.FAILED, exit_code=3)
    before = directory.read()
    queue_again(session, "abc", RunOptions())
    assert withdraw(session, "abc", before)
    assert directory.read() == before
    assert not os.path.exists(directory.file("environment"))


def test_a_position_in_the_queue_is_changed_under_the_lock(session: ClientSession, runs: Runs) -> None:
    directory = runs.queued("abc")
    edit_queued(session, "abc", lambda run: replace(run, position=1.5))
    assert directory.read().position == 1.5
    runs.guarded("runs")
    with pytest.raises(UsageError, match="not waiting"):
        edit_queued(session, "runs", lambda run: run)
