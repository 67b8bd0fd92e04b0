"""Calls that may hang."""

from __future__ import annotations

import time
from threading import Event

import pytest

from backprop_tui.probes.patience import PatientCall, Unanswered


def test_an_answer_is_handed_on() -> None:
    call = PatientCall(lambda: 42, name="test")
    call.ask()
    assert call.take(5) == 42
    call.end()


def test_whoever_waits_for_a_call_that_hangs_can_give_up_and_take_the_answer_later() -> None:
    gate = Event()
    calls: list[int] = []

    def hang() -> int:
        calls.append(1)
        gate.wait(10)
        return len(calls)

    call = PatientCall(hang, name="test")
    call.ask()
    before = time.monotonic()
    assert isinstance(call.take(0.05), Unanswered)
    assert time.monotonic() - before < 1
    call.ask()
    gate.set()
    assert call.take(5) == 1
    assert not call.pending
    assert len(calls) == 1
    call.end()


def test_what_the_call_raises_is_raised_where_the_answer_is_taken() -> None:
    def fail() -> int:
        raise KeyError("gone")

    call = PatientCall(fail, name="test")
    for _ in range(2):
        call.ask()
        with pytest.raises(KeyError):
            call.take(5)
    call.end()


def test_an_answer_that_was_not_asked_for_is_a_mistake() -> None:
    with pytest.raises(RuntimeError):
        PatientCall(lambda: 1, name="test").take(0)
