"""What a supervisor does about work that fails: it logs it once, and tries it again, later and later if need be."""

from __future__ import annotations

import os

import pytest

from backprop_tui.domain.errors import StorageFailed
from backprop_tui.engine import supervisor
from backprop_tui.engine.supervisor import RepeatedWork
from backprop_tui.launchers.launcher import LaunchFailed
from backprop_tui.store.failures import SUPERVISOR, failure_of
from backprop_tui.store.home import Home


@pytest.fixture
def store(home: os.PathLike[str]) -> Home:
    store = Home(os.path.join(home, "backprop"), "testhost")
    store.prepare()
    return store


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    logged: list[object] = []
    monkeypatch.setattr(supervisor, "note", logged.append)
    monkeypatch.setattr(supervisor, "note_exception", logged.append)
    return logged


def fails(work: RepeatedWork, error: Exception) -> None:
    with work.attempt():
        raise error


def test_the_same_error_is_logged_once_until_the_work_is_done(store: Home, logged: list[object]) -> None:
    work = RepeatedWork(store)
    for _ in range(3):
        fails(work, StorageFailed("full"))
    with work.attempt():
        pass
    assert (logged, work.has_failed) == (["full"], False)
    fails(work, StorageFailed("full"))
    assert logged == ["full", "full"]
    assert (work.has_failed, work.pause_seconds, failure_of(store, SUPERVISOR)) == (True, 0.0, None)


def test_an_unexpected_error_is_shown_and_the_work_retried_later(store: Home, logged: list[object]) -> None:
    work, error = RepeatedWork(store), ValueError("x")
    pauses = []
    for _ in range(3):
        fails(work, error)
        pauses.append(work.pause_seconds)
    assert (pauses, logged) == ([0.0, 1.0, 2.0], [error] * 3)
    assert failure_of(store, SUPERVISOR) is not None


def test_a_dead_fork_server_ends_the_supervisor(store: Home) -> None:
    with pytest.raises(LaunchFailed), RepeatedWork(store).attempt():
        raise LaunchFailed
