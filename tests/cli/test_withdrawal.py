"""A run that is held and shall not wait leaves the queue as if it had never been in it."""

from __future__ import annotations

import os
import threading

import pytest

from backprop_tui.cli import withdrawal
from backprop_tui.cli.parser import parse
from backprop_tui.cli.resumption import queue_again
from backprop_tui.cli.session import Session
from backprop_tui.cli.withdrawal import withdraw
from backprop_tui.domain.status import Status
from backprop_tui.store import index
from tests.support.runs import Guardian, Runs


def test_nothing_stays_of_a_new_run(session: Session, runs: Runs) -> None:
    record = runs.queued("abc").shown()
    index.update(session.home, {"abc": record})
    assert withdraw(session, "abc", None)
    assert os.listdir(session.home.runs) == os.listdir(session.home.active) == []
    assert index.read_all(session.home) == {}


def test_a_run_that_was_started_this_very_moment_stays(session: Session, runs: Runs) -> None:
    guardian = runs.guarded("abc")
    guardian.dies()
    assert not withdraw(session, "abc", None)
    assert guardian.directory.read().status is Status.RUNNING


def test_a_supervisor_that_only_looks_is_waited_for(
    session: Session, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = runs.queued("abc").try_lock()
    assert lock is not None
    threading.Timer(0.02, lock.close).start()
    assert withdraw(session, "abc", None)


def test_a_run_that_somebody_holds_is_left_to_him(
    session: Session, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(withdrawal, "PATIENCE_SECONDS", 0.02)
    guardian = Guardian(runs.queued("abc"))
    assert not withdraw(session, "abc", None)
    guardian.ends()


def test_a_resumed_run_ends_as_it_had_ended(session: Session, runs: Runs) -> None:
    directory = runs.ended("abc", Status.FAILED, exit_code=3)
    before = directory.read()
    queue_again(session, "abc", parse(["resume", "abc"]).arguments)
    assert withdraw(session, "abc", before)
    assert directory.read() == before
    assert not os.path.exists(directory.file("environment"))
