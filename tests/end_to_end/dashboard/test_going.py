"""The dashboard goes, or is made to go: the runs go on, and the terminal is as it was where there is one left."""

from __future__ import annotations

import os
import shutil
import signal

import pytest

from backprop_tui.domain.status import Status
from tests.end_to_end.dashboard.conftest import Open
from tests.end_to_end.dashboard.scenes import leaves_a_clean_terminal, training
from tests.support import processes
from tests.support.front_ends import PROGRAM, environment
from tests.support.sandbox import Sandbox, Submitted
from tests.support.terminal import ALTERNATE_SCREEN, Terminal
from tests.support.waiting import wait_until


def goes_on(run: Submitted) -> None:
    """It prints, now."""
    size = len(run.log())
    run.wait(lambda: len(run.log()) > size, "another line of its log")
    assert run.status() is Status.RUNNING


def the_sampler_is_gone(sandbox: Sandbox) -> None:
    """The dashboard's own; a supervisor's would be its child."""

    def samplers() -> list[str]:
        found = [processes.described(one) for one in processes.knowing(sandbox.home.root)]
        return [one for one in found if "sample.py" in one]

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
    leaves_a_clean_terminal(screen)
    goes_on(run)


def test_a_closed_terminal_ends_it_and_the_run_goes_on(sandbox: Sandbox, open_dashboard: Open) -> None:
    run = training(sandbox)
    screen = open_dashboard()
    screen.wait_for("running")
    screen.hang_up()
    screen.wait_for_exit()
    goes_on(run)


def test_a_terminal_that_closes_over_an_empty_store_leaves_no_process(sandbox: Sandbox, open_dashboard: Open) -> None:
    screen = open_dashboard()
    screen.wait_for("Nothing here yet")
    screen.hang_up()
    screen.wait_for_exit()
    the_sampler_is_gone(sandbox)


def test_one_whose_terminal_is_frozen_can_be_ended_too(sandbox: Sandbox, open_dashboard: Open) -> None:
    run = training(sandbox)
    screen = open_dashboard(size=(200, 50))
    screen.wait_for("running")
    screen.stop_reading()
    for columns in (199, 200) * 30:  # each paints the whole screen: soon the terminal takes no more
        screen.resize(columns, 50)
        goes_on(run)
    screen.signal(signal.SIGTERM)
    assert screen.wait_for_exit() == 128 + signal.SIGTERM
    assert screen.settings() == screen.settings_before
    goes_on(run)


def test_after_kill_9_the_next_one_shows_the_same_run(sandbox: Sandbox, open_dashboard: Open) -> None:
    run = training(sandbox)
    first = open_dashboard()
    first.wait_for(run.id)
    first.signal(signal.SIGKILL)
    assert first.wait_for_exit() == 128 + signal.SIGKILL
    second = open_dashboard()
    second.wait_for(run.id)
    second.wait_for('"loss":')
    goes_on(run)


def test_ctrl_z_gives_the_shell_its_terminal_and_fg_comes_back(sandbox: Sandbox) -> None:
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
        leaves_a_clean_terminal(screen)
        goes_on(run)
        screen.type("echo the shell $((40 + 2))\n")
        screen.wait_for("the shell 42")
        screen.type("fg\n")
        wait_until(lambda: ALTERNATE_SCREEN in screen.modes(), "the alternate screen again", report=screen.state)
        screen.wait_for("running")
        screen.type("q")
        screen.wait_for("when this window closes")
        screen.type("\r")
        leaves_a_clean_terminal(screen)
        screen.type("echo the code is $?\n")
        screen.wait_for("the code is 0")
        screen.type("exit\n")
        assert screen.wait_for_exit() == 0
    goes_on(run)


def test_a_suspended_one_ends_with_its_terminal(sandbox: Sandbox) -> None:
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
        found = [processes.described(one) for one in processes.knowing(sandbox.home.root)]
        return [one for one in found if " -m backprop_tui" in one]

    wait_until(lambda: not dashboards(), "no dashboard left", report=lambda: str(dashboards()))
    goes_on(run)
    assert os.path.exists(run.directory.path)


def test_one_that_was_stopped_from_outside_goes_on_and_restores_the_terminal(
    sandbox: Sandbox, open_dashboard: Open
) -> None:
    screen = open_dashboard()
    screen.wait_for("Nothing here yet")
    for _ in range(2):
        screen.signal(signal.SIGSTOP)
        screen.signal(signal.SIGCONT)
    screen.type("?")
    screen.wait_for("Anywhere")
    screen.type("\x1b")
    screen.wait_until_gone("Anywhere")
    screen.type("q")
    assert screen.wait_for_exit() == 0
    leaves_a_clean_terminal(screen)
