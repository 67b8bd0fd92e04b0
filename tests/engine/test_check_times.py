"""When the guard looks: new readings wake it, and nothing else does while they come."""

from __future__ import annotations

import time

import pytest

from backprop_tui.engine.supervisor import seconds_to_check


@pytest.mark.parametrize("now", [100.0, 101.4, 102.9])
def test_readings_in_time_come_before_the_pause_is_over(monkeypatch: pytest.MonkeyPatch, now: float) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: now)

    assert seconds_to_check(1.0, has_sampler=True, wakes=True) > 1.2


def test_without_a_sampler_it_looks_together_with_a_quiet_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 101.5)

    assert seconds_to_check(1.0, has_sampler=False, wakes=True) == pytest.approx(0.5)


def test_where_readings_wake_nobody_it_looks_several_times_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 100.05)

    assert seconds_to_check(1.0, has_sampler=True, wakes=False) == pytest.approx(0.15)
