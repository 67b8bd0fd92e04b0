"""A run ends while another window has the focus: the bell, a desktop notification, the user's command; each once."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.end_to_end.dashboard.conftest import Open
from tests.support.sandbox import Sandbox, Submitted, script
from tests.support.terminal import Terminal
from tests.support.waiting import wait_until

FOCUS_LOST, FOCUS_BACK = "\x1b[O", "\x1b[I"
NOTICE = b"\x1b]9;backprop: %s failed"


def enable_notifications(sandbox: Sandbox, folder: Path) -> None:
    """Enables all of them in config.toml; the command creates a file with the run's name."""
    keep = folder / "keep.py"
    keep.write_text(
        "import os\n"
        f"path = os.path.join({str(folder)!r}, os.environ['BACKPROP_ENDED_NAME'] + '-' + str(os.getpid()) + '.told')\n"
        "open(path, 'w').write(os.environ['BACKPROP_ENDED_STATUS'])\n"
    )
    with open(sandbox.config_path, "a", encoding="utf-8") as file:
        file.write(f'[notify]\nosc = true\ncommand = "{sys.executable} -S {keep}"\n')


def waiting_run(sandbox: Sandbox) -> Submitted:
    run = sandbox.submit(*script("waits_for_go.py", 3))
    run.wait_until_it_reports("begin")
    return run


def go(run: Submitted) -> None:
    Path(run.run().spec.cwd, "go").touch()
    run.wait_for_end()


def recorded(folder: Path) -> list[str]:
    return [path.name.rpartition("-")[0] for path in folder.glob("*.told")]


def loses_focus(screen: Terminal) -> None:
    screen.type(FOCUS_LOST)


def test_an_unseen_end_is_notified_and_a_seen_one_is_not(
    sandbox: Sandbox, open_dashboard: Open, tmp_path: Path
) -> None:
    enable_notifications(sandbox, tmp_path)
    seen, unseen = waiting_run(sandbox), waiting_run(sandbox)
    first, second = open_dashboard(), open_dashboard()
    for screen in (first, second):
        screen.wait_for(unseen.id)
    go(seen)
    for screen in (first, second):
        screen.wait_for(f"{seen.id} failed")  # the toast
    assert NOTICE % seen.id.encode() not in first.written
    for screen in (first, second):
        loses_focus(screen)
    go(unseen)
    for screen in (first, second):
        screen.wait_for_written(NOTICE % unseen.id.encode() + b": exit code 3\x07\x07")
    wait_until(lambda: recorded(tmp_path), "the command ran")
    for screen in (first, second):
        screen.type(FOCUS_BACK)
        screen.type("q")
        assert screen.wait_for_exit() == 0
    assert first.written.count(NOTICE % unseen.id.encode()) == 1
    assert recorded(tmp_path) == [unseen.id]


def test_a_command_in_a_projects_file_is_an_error_and_is_not_run(sandbox: Sandbox, open_dashboard: Open) -> None:
    with open(os.path.join(sandbox.folder, "backprop.toml"), "w", encoding="ascii") as file:
        file.write('[notify]\ncommand = "touch owned"\n')
    screen = open_dashboard(size=(400, 40))  # so that no path, however long, breaks the line
    screen.wait_for("notify.command may only be set")
    run = waiting_run(sandbox)
    loses_focus(screen)
    go(run)
    screen.wait_for(f"{run.id} failed")
    screen.type("q")
    assert screen.wait_for_exit() == 0
    assert not os.path.exists(os.path.join(sandbox.folder, "owned"))
