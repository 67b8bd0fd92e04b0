"""Sessions at the dashboard: queueing, watching and stopping a real run, leaving, and resizing the window."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backprop_tui.domain.status import Status
from tests.end_to_end.dashboard.conftest import Open
from tests.end_to_end.dashboard.helpers import assert_terminal_restored, training, training_script
from tests.support.sandbox import Sandbox
from tests.support.terminal import ALTERNATE_SCREEN, CURSOR
from tests.support.waiting import wait_until


def test_a_run_is_queued_watched_and_stopped_and_the_terminal_is_restored(
    sandbox: Sandbox, open_dashboard: Open
) -> None:
    training_script(sandbox)
    screen = open_dashboard()
    screen.wait_for("No runs yet")
    assert ALTERNATE_SCREEN in screen.modes()
    assert CURSOR not in screen.modes()
    screen.type("n")
    screen.wait_for("New run")
    screen.type("train.py\r")
    screen.wait_for("running")
    screen.wait_for('"loss":')  # its log line
    (run_id,) = os.listdir(sandbox.home.runs)
    run = sandbox.submitted(run_id)
    screen.type("s")
    screen.wait_for("stop, with time to save")
    screen.type("\r")
    run.wait_for(Status.STOPPED)
    screen.wait_for("stopped")
    screen.type("q")
    assert screen.wait_for_exit() == 0
    assert_terminal_restored(screen)
    sandbox.wait_until_all_is_indexed()


def test_keys_typed_before_the_first_paint_are_kept_and_running_runs_continue_after_leaving(
    sandbox: Sandbox, open_dashboard: Open
) -> None:
    run = training(sandbox)
    screen = open_dashboard()
    screen.type("/since:7d train\r")
    screen.wait_for("q leave")  # the filter is closed
    screen.wait_for("/since:7d train")
    screen.type("q")
    screen.wait_for("1 running. It continues when this window closes.")
    screen.type("\r")
    assert screen.wait_for_exit() == 0
    assert_terminal_restored(screen)
    assert run.status() is Status.RUNNING


def test_stop_all_and_leave_ends_the_runs_first(sandbox: Sandbox, open_dashboard: Open) -> None:
    run = training(sandbox)
    screen = open_dashboard()
    screen.wait_for("running")
    screen.type("q")
    screen.wait_for("asks once more")
    screen.type("S")
    screen.wait_for("Stop 1 run, with time to save")
    screen.type("y")
    assert screen.wait_for_exit() == 0
    assert run.status() is Status.STOPPED
    assert os.path.exists(sandbox.home.host_file("queue-held"))
    assert_terminal_restored(screen)


def test_ctrl_c_twice_leaves_and_restores_the_terminal(sandbox: Sandbox, open_dashboard: Open) -> None:
    screen = open_dashboard()
    screen.wait_for("No runs yet")
    screen.type("\x03")
    screen.wait_for("q leaves, runs continue")
    screen.type("\x03")
    assert screen.wait_for_exit() == 0
    assert_terminal_restored(screen)


def test_the_window_can_shrink_to_one_cell_and_grow_again(sandbox: Sandbox, open_dashboard: Open) -> None:
    run = training(sandbox)
    screen = open_dashboard(COLUMNS="80", LINES="24")  # some shells export them, but the terminal's own size counts
    screen.wait_for("running")
    for columns, rows in ((20, 5), (80, 24), (10, 3), (200, 50), (1, 1), (120, 40)):
        screen.resize(columns, rows)
        if columns >= 20:
            screen.wait_for("backprop")
    screen.wait_for(run.id)
    screen.wait_for('"loss":')
    screen.type("q")
    screen.wait_for("when this window closes")
    screen.type("\r")
    assert screen.wait_for_exit() == 0


def test_two_dashboards_show_the_same_and_do_not_interfere(sandbox: Sandbox, open_dashboard: Open) -> None:
    run = training(sandbox)
    first, second = open_dashboard(), open_dashboard(size=(80, 24))
    first.wait_for("running")
    second.wait_for("running")
    first.type("p")
    run.wait_for(Status.PAUSED)
    second.wait_for("paused")
    second.type("p")
    run.wait_for(Status.RUNNING)
    first.wait_for("running")
    first.type("q")
    first.wait_for("when this window closes")
    first.type("\r")
    assert first.wait_for_exit() == 0
    second.wait_for("running")
    assert second.lives()


def test_a_terminal_that_reports_its_size_within_the_input_is_restored_too(
    sandbox: Sandbox, open_dashboard: Open
) -> None:
    screen = open_dashboard()
    screen.wait_for("No runs yet")
    screen.type(
        "\x1b[?2048;2$y"
    )  # the answer to whether it does: Textual then asks for it, and for the mouse in pixels
    wait_until(lambda: 2048 in screen.modes(), "reports of its size", report=screen.state)
    screen.type("q")
    assert screen.wait_for_exit() == 0
    assert_terminal_restored(screen)


@pytest.mark.parametrize(
    ("content", "header"),
    [
        ("max_run_minutes = 'two hours'\n[dashboard]\ntheme = 'darkk'\n", "max_run_minutes is wrong +1  , settings"),
        ("max_parallel = 2\n[gpu\n", "config.toml:2 is wrong  , settings"),
    ],
)
@pytest.mark.parametrize("options", [(), ("--read-only",)])
def test_it_opens_in_spite_of_a_wrong_configuration_which_the_settings_page_repairs(
    sandbox: Sandbox, open_dashboard: Open, content: str, header: str, options: tuple[str, ...]
) -> None:
    config = Path(sandbox.folder, "config.toml")
    config.write_text(content)
    screen = open_dashboard("--config", str(config), *options, size=(80, 24))
    screen.wait_for(header)
    if "hours" in content and not options:
        screen.type(",")
        screen.wait_for("the default 10 applies")
        screen.type("\x1b[3~")  # del: the default is written
        screen.wait_for("✓ max_run_minutes = 10")
        assert "two hours" not in config.read_text()
        screen.type("\x1b")
        screen.wait_for("theme is wrong  , settings")
    screen.type("q")
    assert screen.wait_for_exit() == 0
