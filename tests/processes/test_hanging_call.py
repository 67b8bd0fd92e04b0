"""Calls that may hang, and tasks in the background."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from backprop_tui.processes import hanging_call
from backprop_tui.processes.hanging_call import BackgroundTask, HangingCall, Pending, call_within
from tests.support.waiting import wait_until


def test_a_hanging_task_does_not_block_the_caller() -> None:
    release = threading.Event()
    work: BackgroundTask[bool] = BackgroundTask(lambda _now: release.wait(60))
    try:
        began = time.monotonic()
        assert work.result(began) is None
        assert work.result(began + 100) is None
        assert work.finish(0.05) == []
        assert time.monotonic() - began < 5
    finally:
        release.set()


def test_a_result_is_returned_once() -> None:
    work: BackgroundTask[str] = BackgroundTask(lambda _now: "result")
    work.result(time.monotonic())
    assert wait_until(lambda: work.result(time.monotonic()), "the result") == "result"
    assert work.result(time.monotonic()) is None


def test_finish_runs_the_task_once_more_and_returns_an_earlier_result_first() -> None:
    counted: list[float] = []

    def work(now: float) -> int:
        counted.append(now)
        return len(counted)

    task: BackgroundTask[int] = BackgroundTask(work)
    task.result(time.monotonic())
    assert task.finish(10) == [1, 2]


def test_an_error_costs_one_result_only(capfd: object) -> None:
    calls: list[int] = []

    def work(_now: float) -> str:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("broken")
        return "repaired"

    faulty: BackgroundTask[str] = BackgroundTask(work)
    faulty.result(time.monotonic())
    assert faulty.finish(10) == ["repaired"]


def test_a_thread_that_cannot_be_started_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    work: BackgroundTask[str] = BackgroundTask(lambda _now: "result")
    now = time.monotonic()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        assert work.result(now) is None
        assert work.finish(10) == []
    assert work.result(now) is None
    assert wait_until(lambda: work.result(now + 2 * hanging_call.NO_THREAD_SECONDS), "the result") == "result"


def test_a_deep_recursion_ends_in_an_error_and_does_not_crash_the_process() -> None:
    def walk(depth: int) -> Iterator[int]:
        yield depth
        yield from walk(depth + 1)

    deep: BackgroundTask[int] = BackgroundTask(lambda _now: sum(walk(0)))
    assert deep.finish(10) == []


def test_an_expensive_task_runs_rarely() -> None:
    def work(_now: float) -> bool:
        end = time.thread_time() + 0.02
        while time.thread_time() < end:
            continue
        return True

    expensive: BackgroundTask[bool] = BackgroundTask(work)
    expensive.result(time.monotonic())
    assert len(expensive.finish(10)) == 2
    now = time.monotonic()
    assert expensive.result(now + 0.5 * 0.02 / hanging_call.CPU_SHARE) is None
    assert expensive._due > now + 0.5 * 0.02 / hanging_call.CPU_SHARE


def test_a_cost_that_occurs_once_does_not_delay_later_runs() -> None:
    calls: list[int] = []

    def work(_now: float) -> bool:
        calls.append(1)
        end = time.thread_time() + (0.05 if len(calls) == 2 else 0.0)
        while time.thread_time() < end:
            continue
        return True

    once: BackgroundTask[bool] = BackgroundTask(work)
    once.result(time.monotonic())
    assert len(once.finish(10)) == 2
    assert once._due - time.monotonic() < 10


def test_a_result_is_returned() -> None:
    call = HangingCall(lambda: 42, name="test")
    call.start()
    assert call.take(5) == 42
    call.end()


def test_a_caller_can_give_up_on_a_hanging_call_and_take_the_result_later() -> None:
    gate = threading.Event()
    calls: list[int] = []

    def hang() -> int:
        calls.append(1)
        gate.wait(10)
        return len(calls)

    call = HangingCall(hang, name="test")
    call.start()
    before = time.monotonic()
    assert isinstance(call.take(0.05), Pending)
    assert time.monotonic() - before < 1
    call.start()
    gate.set()
    assert call.take(5) == 1
    assert not call.pending
    assert len(calls) == 1
    call.end()


def test_an_error_of_the_call_is_raised_by_take() -> None:
    def fail() -> int:
        raise KeyError("gone")

    call = HangingCall(fail, name="test")
    for _ in range(2):
        call.start()
        with pytest.raises(KeyError):
            call.take(5)
    call.end()


def test_take_before_start_is_an_error() -> None:
    with pytest.raises(RuntimeError):
        HangingCall(lambda: 1, name="test").take(0)


def test_a_single_call_is_given_up_after_its_time() -> None:
    gate = threading.Event()
    assert call_within(5, lambda: "result") == "result"
    assert call_within(0.05, lambda: gate.wait(10)) is None
    gate.set()
