"""Work beside the guardian."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from backprop_tui.runner import aside
from backprop_tui.runner.aside import Aside
from tests.support.waiting import wait_until


def test_what_hangs_holds_nobody_up() -> None:
    release = threading.Event()
    work: Aside[bool] = Aside(lambda _now: release.wait(60))
    try:
        began = time.monotonic()
        assert work.result(began) is None
        assert work.result(began + 100) is None
        assert work.last(0.05) == []
        assert time.monotonic() - began < 5
    finally:
        release.set()


def test_what_it_finds_is_given_once() -> None:
    work: Aside[str] = Aside(lambda _now: "found")
    work.result(time.monotonic())
    assert wait_until(lambda: work.result(time.monotonic()), "the result") == "found"
    assert work.result(time.monotonic()) is None


def test_it_is_done_once_more_at_the_end_after_what_was_found_before() -> None:
    counted: list[float] = []

    def work(now: float) -> int:
        counted.append(now)
        return len(counted)

    aside_: Aside[int] = Aside(work)
    aside_.result(time.monotonic())
    assert aside_.last(10) == [1, 2]


def test_a_fault_costs_one_result_and_no_more(capfd: object) -> None:
    calls: list[int] = []

    def work(_now: float) -> str:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("broken")
        return "mended"

    faulty: Aside[str] = Aside(work)
    faulty.result(time.monotonic())
    assert faulty.last(10) == ["mended"]


def test_where_no_thread_can_be_started_it_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    work: Aside[str] = Aside(lambda _now: "found")
    now = time.monotonic()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        assert work.result(now) is None
        assert work.last(10) == []
    assert work.result(now) is None
    assert wait_until(lambda: work.result(now + 2 * aside.NO_THREAD_SECONDS), "the result") == "found"


def test_a_deep_recursion_ends_in_an_error_and_not_in_the_guardian() -> None:
    def walk(depth: int) -> Iterator[int]:
        yield depth
        yield from walk(depth + 1)

    deep: Aside[int] = Aside(lambda _now: sum(walk(0)))
    assert deep.last(10) == []


def test_dear_work_is_done_rarely() -> None:
    def work(_now: float) -> bool:
        end = time.thread_time() + 0.02
        while time.thread_time() < end:
            continue
        return True

    dear: Aside[bool] = Aside(work)
    dear.result(time.monotonic())
    assert len(dear.last(10)) == 2
    now = time.monotonic()
    assert dear.result(now + 0.5 * 0.02 / aside.SHARE_OF_A_CPU) is None
    assert dear._due > now + 0.5 * 0.02 / aside.SHARE_OF_A_CPU


def test_what_is_dear_once_does_not_slow_what_follows() -> None:
    calls: list[int] = []

    def work(_now: float) -> bool:
        calls.append(1)
        end = time.thread_time() + (0.05 if len(calls) == 2 else 0.0)
        while time.thread_time() < end:
            continue
        return True

    once: Aside[bool] = Aside(work)
    once.result(time.monotonic())
    assert len(once.last(10)) == 2
    assert once._due - time.monotonic() < 10
