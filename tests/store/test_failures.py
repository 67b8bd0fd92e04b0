"""What keeps failing is started again later and later."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from backprop_tui.domain.errors import StorageFailed
from backprop_tui.store import failures
from backprop_tui.store.creation import mark
from backprop_tui.store.failures import (
    SUPERVISOR,
    describe,
    failing,
    failure_of,
    forget_failures,
    forget_failures_of_gone_runs,
    note_failure,
    repeated_failure,
)
from backprop_tui.store.home import Home


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    fake_clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(failures, "time", SimpleNamespace(monotonic=lambda: fake_clock.now))
    return fake_clock


@pytest.fixture
def store(home: os.PathLike[str]) -> Home:
    store = Home(os.path.join(home, "backprop"), "testhost")
    store.prepare()
    return store


def test_the_pauses_grow_up_to_a_minute(store: Home, clock: SimpleNamespace) -> None:
    pauses = []
    for _ in range(10):
        pauses.append(note_failure(store, "a", "ValueError").seconds_left())
        clock.now += pauses[-1] + 0.1
    assert [round(pause, 3) for pause in pauses] == [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_one_failure_is_not_shown_and_two_are_with_their_reason(store: Home, clock: SimpleNamespace) -> None:
    note_failure(store, "a", "ValueError: x")
    assert repeated_failure(store, "a") is None
    note_failure(store, "a", "ValueError: x")
    assert str(repeated_failure(store, "a")) == "failed 2 times: ValueError: x; again in 1s"
    clock.now += 2
    assert str(repeated_failure(store, "a")) == "failed 2 times: ValueError: x"


def test_what_has_worked_for_a_minute_begins_to_count_anew(store: Home, clock: SimpleNamespace) -> None:
    note_failure(store, "a", "x")
    note_failure(store, "a", "x")
    clock.now += 62
    assert failure_of(store, "a") is None
    assert note_failure(store, "a", "x").count == 1


def test_subjects_are_counted_apart_and_can_be_forgotten(store: Home) -> None:
    note_failure(store, "a", "x")
    assert note_failure(store, "b", "x").count == 1
    forget_failures(store, "a")
    assert failing(store) == ["b"]
    assert failure_of(store, "a") is None


@pytest.mark.parametrize("content", [b"", b"{}", b'{"reason":1,"count":1e999,"mark":0,"boot_id":""}'])
def test_a_damaged_record_is_none(store: Home, content: bytes) -> None:
    note_failure(store, "a", "x")
    with open(os.path.join(store.failures, "a"), "wb") as file:
        file.write(content)
    assert failure_of(store, "a") is None


def test_failures_are_counted_where_none_can_be_written(store: Home) -> None:
    store.failures = "/proc/none"
    first = note_failure(store, "a", "x")
    assert note_failure(store, "a", "x", first).count == 2


def test_the_time_of_another_boot_does_not_count(store: Home, clock: SimpleNamespace) -> None:
    note_failure(store, "a", "x")
    clock.now -= 500
    assert failure_of(store, "a") is None


def test_the_reason_of_an_error_names_its_place() -> None:
    try:
        os.kill(os.getpid(), 12345)
    except OSError as error:
        nested = ExceptionGroup("tasks", [error])
    assert describe(nested).startswith("OSError: [Errno 22] Invalid argument (test_failures.py, line ")
    assert describe(StorageFailed("disk full", "free some")) == "disk full; free some"


def test_failures_of_runs_that_are_gone_are_forgotten(store: Home) -> None:
    mark(store, "there")
    for subject in ("there", "gone", SUPERVISOR):
        note_failure(store, subject, "r")
    forget_failures_of_gone_runs(store)
    assert failing(store) == [SUPERVISOR, "there"]
