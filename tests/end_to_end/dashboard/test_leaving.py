"""The dashboard ends or is ended: the runs continue, and the terminal is restored if it still exists."""

from __future__ import annotations

import os
import shutil
import signal

import pytest

from backprop_tui.domain.status import Status
from tests.end_to_end.dashboard.conftest import Open
from tests.end_to_end.dashboard.helpers import assert_terminal_restored, training
from tests.support import processes
from tests.support.front_ends import PROGRAM, environment
from tests.support.sandbox import Sandbox, Submitted
from tests.support.terminal import ALTERNATE_SCREEN, Terminal
from tests.support.waiting import wait_until


def assert_still_printing(run: Submitted) -> None:
    """Checks that the run prints another line."""
    size = len(run.log())
    run.wait(lambda: len(run.log()) > size, "another line of its log")
    assert run.status() is Status.RUNNING


def wait_until_sampler_is_gone(sandbox: Sandbox) -> None:
    """Waits for the end of the dashboard's own sampler."""

    def samplers() -> list[str]:
        commands = [processes.describe(pid) for pid in processes.with_environment(sandbox.home.root)]
        return [command for command in commands if "sample.py" in command]

    wait_until(lambda: not samplers(), "no sampler left", report=lambda: str(samplers()))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_it_and_restores_the_terminal(
    sandbox: Sandbox, open_dashboard: Open, number: signal.Signals
) -> None:
    run = training(sandbox)
    screen = open_dashboard()
    screen.wait_for("running")
    screen.signal(number)
    assert screen.wait_for_exit() == 128 + number
    assert_terminal_restored(screen)
    assert_still_printing(run)


def test_a_closed_terminal_ends_it_and_the_run_continues(sandbox: Sandbox, open_dashboard: Open) -> None:
    run = training(sandbox)
    screen = open_dashboard()
    screen.wait_for("running")
    screen.hang_up()
    screen.wait_for_exit()
    assert_still_printing(run)


def test_with_an_empty_store_a_closed_terminal_leaves_no_process(sandbox: Sandbox, open_dashboard: Open) -> None:
    screen = open_dashboard()
    screen.wait_for("No runs yet")
    screen.hang_up()
    screen.wait_for_exit()
    wait_until_sampler_is_gone(sandbox)


def test_a_dashboard_whose_terminal_is_frozen_can_be_ended(sandbox: Sandbox, open_dashboard: Open) -> None:
    run = training(sandbox)
    screen = open_dashboard(size=(200, 50))
    screen.wait_for("running")
    screen.stop_reading()
    for columns in (199, 200) * 30:  # each paints the whole screen, until the terminal accepts no more
        screen.resize(columns, 50)
        assert_still_printing(run)
    screen.signal(signal.SIGTERM)
    assert screen.wait_for_exit() == 128 + signal.SIGTERM
    assert screen.settings() == screen.settings_before
    assert_still_printing(run)


def test_after_sigkill_the_next_dashboard_shows_the_same_run(sandbox: Sandbox, open_dashboard: Open) -> None:
    run = training(sandbox)
    first = open_dashboard()
    first.wait_for(run.id)
    first.signal(signal.SIGKILL)
    assert first.wait_for_exit() == 128 + signal.SIGKILL
    second = open_dashboard()
    second.wait_for(run.id)
    second.wait_for('"loss":')
    assert_still_printing(run)


def test_ctrl_z_suspends_to_the_shell_and_fg_paints_everything_again(sandbox: Sandbox) -> None:
    run = training(sandbox)
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("a shell with job control is needed")
    variables = environment(sandbox) | {"BACKPROP_HOME": sandbox.home.root, "PS1": "shell> "}
    with Terminal((bash, "--norc", "--noediting", "-i"), environment=variables, cwd=sandbox.folder) as screen:
        screen.wait_for("shell>")
        screen.type(" ".join(PROGRAM) + "\n")
        screen.wait_for("running")
        screen.type("p")
        run.wait_for(Status.PAUSED)  # so that nothing but a full repaint changes the screen
        screen.wait_for("Paused")
        for opens, text in (("", "1 Log"), ("?", "Anywhere"), ("v", "Sort and columns")):
            screen.type(opens)
            screen.wait_for(text)
            screen.type("\x1a")
            screen.wait_for("Stopped")
            assert_terminal_restored(screen)
            screen.type("echo the shell $((40 + 2))\n")
            screen.wait_for("the shell 42")
            screen.type("fg\n")
            wait_until(lambda: ALTERNATE_SCREEN in screen.modes(), "the alternate screen again", report=screen.state)
            screen.wait_for(text)
            screen.wait_until_gone("the shell 42")
            if opens == "?":
                screen.type("\x1b")
            screen.wait_for("Paused")  # behind the dialog too
        screen.type("\x1b")
        screen.wait_until_gone("Sort and columns")
        screen.type("p")
        run.wait_for(Status.RUNNING)
        screen.type("q")
        screen.wait_for("when this window closes")
        screen.type("\r")
        screen.wait_for("shell>")  # what is typed before the prompt may be dropped
        assert_terminal_restored(screen)
        screen.type("echo the code is $?\n")
        screen.wait_for("the code is 0")
        screen.type("exit\n")
        assert screen.wait_for_exit() == 0
    assert_still_printing(run)


def test_a_suspended_dashboard_ends_with_its_terminal(sandbox: Sandbox) -> None:
    run = training(sandbox)
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("a shell with job control is needed")
    variables = environment(sandbox) | {"BACKPROP_HOME": sandbox.home.root, "PS1": "shell> "}
    with Terminal((bash, "--norc", "--noediting", "-i"), environment=variables, cwd=sandbox.folder) as screen:
        screen.wait_for("shell>")
        screen.type(" ".join(PROGRAM) + "\n")
        screen.wait_for("running")
        screen.type("\x1a")
        screen.wait_for("Stopped")
        screen.hang_up()
        screen.wait_for_exit()

    def dashboards() -> list[str]:
        commands = [processes.describe(pid) for pid in processes.with_environment(sandbox.home.root)]
        return [command for command in commands if " -m backprop_tui" in command]

    wait_until(lambda: not dashboards(), "no dashboard left", report=lambda: str(dashboards()))
    assert_still_printing(run)
    assert os.path.exists(run.directory.path)


def test_a_dashboard_stopped_by_a_signal_continues_and_restores_the_terminal(
    sandbox: Sandbox, open_dashboard: Open
) -> None:
    screen = open_dashboard()
    screen.wait_for("No runs yet")
    for _ in range(2):
        screen.signal(signal.SIGSTOP)
        screen.signal(signal.SIGCONT)
    screen.type("?")
    screen.wait_for("Anywhere")
    screen.type("\x1b")
    screen.wait_until_gone("Anywhere")
    screen.type("q")
    assert screen.wait_for_exit() == 0
    assert_terminal_restored(screen)
