"""Guardians that fail one after the other: later and later another is started, and nobody else waits."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from backprop_tui.domain.status import Status
from backprop_tui.engine import scheduler
from backprop_tui.launchers.launcher import GuardianHandle, LaunchRefused
from backprop_tui.store import failures
from backprop_tui.store.failures import failure_of, forget_failures, note_failure
from backprop_tui.store.locks import Lock
from tests.engine.machines import Host


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    fake_clock = SimpleNamespace(now=1000.0)
    fake_time = SimpleNamespace(monotonic=lambda: fake_clock.now, time=lambda: 1e9)
    for module in (failures, scheduler):
        monkeypatch.setattr(module, "time", fake_time)
    return fake_clock


def abandoned(host: Host, run_id: str) -> None:
    """A run whose script was started, and whose guardian is gone."""
    guardian = host.runs.guarded(run_id)
    with open(guardian.directory.script_lock, "w", encoding="utf-8") as file:
        file.write(f"1 {os.getpid()} 1\n")
    guardian.dies()


def launches(host: Host) -> set[str]:
    """The runs that get a guardian in one pass; those before have died."""
    host.launches.adopting.clear()
    return set(host.passes().guardians)


def test_a_run_whose_guardians_fail_waits_and_others_start(host: Host, clock: SimpleNamespace) -> None:
    abandoned(host, "a")
    for _ in range(3):
        note_failure(host.home, "a", "PermissionError")
    host.runs.queued("b")
    assert launches(host) == {"b"}
    clock.now += 2.1
    assert "a" in launches(host)


def test_one_failure_delays_nothing(host: Host, clock: SimpleNamespace) -> None:
    abandoned(host, "a")
    note_failure(host.home, "a", "PermissionError")
    assert launches(host) == {"a"}


def test_guardians_that_are_killed_at_once_have_failed(host: Host, clock: SimpleNamespace) -> None:
    abandoned(host, "a")
    assert launches(host) == {"a"}
    assert launches(host) == {"a"}, "once may be a chance"
    clock.now += 0.1
    assert launches(host) == set()
    failure = failure_of(host.home, "a")
    assert failure is not None
    assert str(failure) == "failed 2 times: it was killed as soon as it was started; again in 1s"
    clock.now += 1
    assert launches(host) == {"a"}
    clock.now += 1
    assert launches(host) == {"a"}, "it had lived long enough"


def test_where_no_file_can_be_written_the_pauses_grow_too(host: Host, clock: SimpleNamespace) -> None:
    host.home.failures = "/proc/none"
    abandoned(host, "a")
    assert [launches(host) for _ in range(3)] == [{"a"}, {"a"}, set()]
    clock.now += 1.1
    assert launches(host) == {"a"}
    assert launches(host) == set()
    clock.now += 1.5
    assert launches(host) == set(), "two seconds by now"


def test_failures_count_although_the_guardians_cannot_read_how_often_others_failed(
    host: Host, clock: SimpleNamespace
) -> None:
    abandoned(host, "a")
    for expected in ({"a"}, {"a"}, set()):
        assert launches(host) == expected
        forget_failures(host.home, "a")
        clock.now += 0.01
        note_failure(host.home, "a", "OSError: Input/output error")


def test_a_guardian_that_cannot_be_started_leaves_its_run_in_the_queue_with_the_reason(
    host: Host, clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_folder: str, _lock: Lock, *, adopting: bool, expected: int | None) -> GuardianHandle:
        raise LaunchRefused("cannot be started: Resource temporarily unavailable")

    monkeypatch.setattr(host.launches, "launch", refuse)
    host.runs.queued("a")
    for _ in range(4):
        result = host.passes()
    assert host.unfinished.directory("a").read().status is Status.QUEUED
    [reason] = result.holds["a"].reasons
    assert reason.message == (
        "its guardian failed 2 times: cannot be started: Resource temporarily unavailable; again in 1s"
    )
