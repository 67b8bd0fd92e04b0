"""The demo in a real terminal: alive within seconds, labelled, and gone without a trace however it is left."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.dashboard.conftest import Open
from tests.end_to_end.dashboard.scenes import leaves_a_clean_terminal
from tests.support import processes
from tests.support.sandbox import Sandbox
from tests.support.terminal import Terminal
from tests.support.waiting import wait_until

LIVELY_SECONDS = 60.0  # eleven runs are queued by commands, on a machine that may be slow


@pytest.fixture
def temporary(home: Path) -> Path:
    found = home / "tmp"
    found.mkdir()
    return found


@pytest.fixture
def open_demo(open_dashboard: Open, temporary: Path) -> Callable[..., Terminal]:
    return lambda *arguments: open_dashboard(*arguments, TMPDIR=str(temporary))


def nothing_is_left(temporary: Path) -> None:
    def left() -> list[str]:
        return [*os.listdir(temporary), *map(processes.described, processes.knowing(str(temporary)))]

    wait_until(lambda: not left(), "nothing left of the demo", report=lambda: "\n".join(left()))


def is_alive(screen: Terminal) -> None:
    screen.wait_for("SIMULATION")
    screen.wait_for("nano-lm-124m", seconds=LIVELY_SECONDS)
    wait_until(
        lambda: re.search(r"running +nano-lm-124m", screen.shown()),
        "its first run is at work",
        seconds=LIVELY_SECONDS,
        report=screen.shown,
    )


def test_it_lives_fails_somewhere_and_is_gone_when_it_is_left(
    sandbox: Sandbox, open_demo: Callable[..., Terminal], temporary: Path
) -> None:
    screen = open_demo("--demo")
    is_alive(screen)
    screen.wait_for("H100")
    screen.wait_for("CUDA out of memory", seconds=LIVELY_SECONDS)
    screen.type("q")
    assert screen.wait_for_exit() == 0
    leaves_a_clean_terminal(screen)
    nothing_is_left(temporary)
    assert not os.listdir(sandbox.home.runs)  # the person's own store


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_is_gone_too_when_the_dashboard_is_killed(
    open_demo: Callable[..., Terminal], temporary: Path, number: signal.Signals
) -> None:
    screen = open_demo("--demo")
    is_alive(screen)
    screen.signal(number)
    assert screen.wait_for_exit() == 128 + number
    nothing_is_left(temporary)


def test_it_is_gone_with_its_terminal(open_demo: Callable[..., Terminal], temporary: Path) -> None:
    screen = open_demo("--demo")
    is_alive(screen)
    screen.hang_up()
    screen.wait_for_exit()
    nothing_is_left(temporary)


def test_where_the_director_was_killed_too_the_next_demo_sweeps(
    open_demo: Callable[..., Terminal], temporary: Path
) -> None:
    screen = open_demo("--demo")
    is_alive(screen)
    (folder,) = os.listdir(temporary)
    director = next(one for one in processes.knowing(str(temporary)) if "director" in processes.described(one))
    processes.kill(director)
    screen.signal(signal.SIGKILL)
    screen.wait_for_exit()
    assert os.path.exists(temporary / folder)
    second = open_demo("--demo")
    second.wait_for("SIMULATION")
    wait_until(lambda: not os.path.exists(temporary / folder), "the first one swept")
    second.type("q")
    assert second.wait_for_exit() == 0
    nothing_is_left(temporary)


def test_d_on_the_empty_screen_shows_it_and_leaving_it_comes_back(
    open_demo: Callable[..., Terminal], temporary: Path
) -> None:
    screen = open_demo()
    screen.wait_for("look at the demo")
    screen.type("d")
    screen.wait_for("SIMULATION")
    screen.type("q")
    screen.wait_for("Nothing here yet")
    assert not os.listdir(temporary)
    screen.type("q")
    assert screen.wait_for_exit() == 0
    leaves_a_clean_terminal(screen)
    nothing_is_left(temporary)
