"""A guardian that takes over a script whose live record is lost: how long the script has been running and paused."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backprop_tui.processes.identity import Identity
from backprop_tui.processes.tree import TICKS_PER_SECOND
from backprop_tui.runner import guarding
from backprop_tui.runner.guarding import seconds_used
from backprop_tui.runner.start import initial_live
from backprop_tui.store.home import Home
from tests.support.runs import Guardian, Runs

BOOT_SECONDS = 5000.0


@pytest.fixture
def guardian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Guardian]:
    home = Home(str(tmp_path / "home"), "here")
    home.prepare()
    monkeypatch.setattr(guarding, "boot_seconds", lambda: BOOT_SECONDS)
    guardian = Runs(home).guarded("a")
    yield guardian
    guardian.dies()


def used(guardian: Guardian, started_seconds_ago: float) -> tuple[float, float]:
    ticks = int((BOOT_SECONDS - started_seconds_ago) * TICKS_PER_SECOND)
    script = Identity(pid=os.getpid(), start_time=ticks)
    running, paused = seconds_used(guardian.directory, guardian.run, script)
    return round(running), round(paused)


def tell(guardian: Guardian, *events: tuple[str, float]) -> None:
    """Events so many seconds after the start of the attempt."""
    for kind, seconds in events:
        guardian.directory.append_event(kind, "r", time=guardian.run.attempt.started_at + seconds)


def test_without_pauses_all_of_the_time_counts(guardian: Guardian) -> None:
    assert used(guardian, 1000.0) == (1000, 0)
    assert used(guardian, -5.0) == (0, 0)


def test_pauses_do_not_count(guardian: Guardian) -> None:
    tell(guardian, ("paused", -50.0), ("continued", 0.5), ("paused", 10.0), ("paused", 20.0), ("continued", 110.0))
    tell(guardian, ("paused", 200.0), ("continued", 250.0), ("continued", 300.0))
    assert used(guardian, 1000.0) == (850, 150)


def test_a_pause_lasts_until_now(guardian: Guardian, monkeypatch: pytest.MonkeyPatch) -> None:
    tell(guardian, ("paused", 100.0))
    later = guardian.run.attempt.started_at + 1000.0
    monkeypatch.setattr(time, "time", lambda: later)
    assert used(guardian, 1000.0) == (100, 900)
    assert used(guardian, 500.0) == (0, 500), "no longer than the script has been there"


def test_the_clock_begins_with_what_was_used(guardian: Guardian) -> None:
    live = initial_live(guardian.run, None, None, (850.0, 150.0))
    assert (live.clock.running_seconds, live.clock.paused_seconds) == (850.0, 150.0)
