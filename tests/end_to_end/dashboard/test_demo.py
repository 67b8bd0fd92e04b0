"""The demo in a real terminal: running within seconds, labeled, and removed without a trace however it ends."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.dashboard.conftest import Open
from tests.end_to_end.dashboard.helpers import assert_terminal_restored
from tests.support import processes
from tests.support.sandbox import Sandbox
from tests.support.terminal import Terminal
from tests.support.waiting import wait_until

LIVELY_SECONDS = 60.0  # eleven runs are queued by commands, on a machine that may be slow


@pytest.fixture
def temporary(home: Path) -> Path:
    folder = home / "tmp"
    folder.mkdir()
    return folder


@pytest.fixture
def open_demo(open_dashboard: Open, temporary: Path) -> Callable[..., Terminal]:
    return lambda *arguments: open_dashboard(*arguments, TMPDIR=str(temporary))


def assert_nothing_left(temporary: Path) -> None:
    def left() -> list[str]:
        return [*os.listdir(temporary), *map(processes.describe, processes.with_environment(str(temporary)))]

    wait_until(lambda: not left(), "nothing left of the demo", report=lambda: "\n".join(left()))


def wait_until_demo_runs(screen: Terminal) -> None:
    screen.wait_for("SIMULATION")
    screen.wait_for("nano-lm-124m", seconds=LIVELY_SECONDS)
    wait_until(
        lambda: re.search(r"running +nano-lm-124m", screen.shown()),
        "its first run is at work",
        seconds=LIVELY_SECONDS,
        report=screen.shown,
    )


def test_it_runs_has_a_failure_and_is_removed_when_it_is_left(
    sandbox: Sandbox, open_demo: Callable[..., Terminal], temporary: Path
) -> None:
    screen = open_demo("--demo")
    wait_until_demo_runs(screen)
    screen.wait_for("H100")
    screen.wait_for("CUDA out of memory", seconds=LIVELY_SECONDS)
    screen.type("q")
    assert screen.wait_for_exit() == 0
    assert_terminal_restored(screen)
    assert_nothing_left(temporary)
    assert not os.listdir(sandbox.home.runs)  # the user's own store


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_is_removed_when_the_dashboard_is_killed(
    open_demo: Callable[..., Terminal], temporary: Path, number: signal.Signals
) -> None:
    screen = open_demo("--demo")
    wait_until_demo_runs(screen)
    screen.signal(number)
    assert screen.wait_for_exit() == 128 + number
    assert_nothing_left(temporary)


def test_it_is_removed_when_its_terminal_closes(open_demo: Callable[..., Terminal], temporary: Path) -> None:
    screen = open_demo("--demo")
    wait_until_demo_runs(screen)
    screen.hang_up()
    screen.wait_for_exit()
    assert_nothing_left(temporary)


def test_after_its_driver_was_killed_too_the_next_demo_cleans_up(
    open_demo: Callable[..., Terminal], temporary: Path
) -> None:
    screen = open_demo("--demo")
    wait_until_demo_runs(screen)
    (folder,) = os.listdir(temporary)
    driver = next(pid for pid in processes.with_environment(str(temporary)) if "drive_demo" in processes.describe(pid))
    processes.kill(driver)
    screen.signal(signal.SIGKILL)
    screen.wait_for_exit()
    assert os.path.exists(temporary / folder)
    second = open_demo("--demo")
    second.wait_for("SIMULATION")
    wait_until(lambda: not os.path.exists(temporary / folder), "the first one deleted")
    second.type("q")
    assert second.wait_for_exit() == 0
    assert_nothing_left(temporary)


def test_d_on_the_empty_screen_starts_it_and_leaving_it_returns(
    open_demo: Callable[..., Terminal], temporary: Path
) -> None:
    screen = open_demo()
    screen.wait_for("see the demo")
    screen.type("d")
    screen.wait_for("SIMULATION")
    screen.type("q")
    screen.wait_for("No runs yet")
    assert not os.listdir(temporary)
    screen.type("q")
    assert screen.wait_for_exit() == 0
    assert_terminal_restored(screen)
    assert_nothing_left(temporary)
