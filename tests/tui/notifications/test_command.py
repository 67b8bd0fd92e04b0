"""The user's command: told by variables, without a shell, once an end."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from backprop_tui.store.home import Home
from backprop_tui.tui.notifications.command import EndCommand
from backprop_tui.tui.notifications.run_ends import RunEnd
from tests.support.waiting import wait_until

END = RunEnd(
    run_id="r1",
    name="vit $(touch owned)",
    status="failed",
    word="failed",
    cause="CUDA out of memory",
    at="2026-01-01T00:00:00.000Z",
    is_problem=True,
    stopped_by_user=False,
)


@pytest.fixture
def store(home: Path) -> Home:
    found = Home(str(home / "backprop"), "this-host")
    found.prepare()
    return found


def keeping(folder: Path) -> str:
    """A command that keeps what it was told, whole or not at all; its argument must come as it was written."""
    script = folder / "keep.py"
    script.write_text(
        "import os, sys\n"
        "name = os.environ['BACKPROP_ENDED_RUN'] + os.environ['BACKPROP_ENDED_AT'][:4]\n"
        "told = [f'{key}={value}' for key, value in sorted(os.environ.items()) if key.startswith('BACKPROP_ENDED')]\n"
        f"path = os.path.join({str(folder)!r}, f'{{name}}.{{os.getpid()}}')\n"
        "open(path + '.part', 'w').write('\\n'.join([*sys.argv[1:], *told]))\n"
        "os.rename(path + '.part', path + '.told')\n"
    )
    return f"{sys.executable} -S {script} 'an argument; $HOME'"


def told(folder: Path) -> list[str]:
    return sorted(one.read_text() for one in folder.glob("*.told"))


def finish(*commands: EndCommand) -> None:
    """Until what they started has ended and was reaped."""
    wait_until(lambda: all(one.run([]) is None and not one._started for one in commands), "what they started ended")


def test_it_is_told_of_the_end_and_no_shell_reads_it(store: Home, tmp_path: Path) -> None:
    command = EndCommand(store, keeping(tmp_path))
    assert command.run([END]) is None
    finish(command)
    assert told(tmp_path)[0].splitlines() == [
        "an argument; $HOME",
        "BACKPROP_ENDED_AT=2026-01-01T00:00:00.000Z",
        "BACKPROP_ENDED_CAUSE=CUDA out of memory",
        "BACKPROP_ENDED_NAME=vit $(touch owned)",
        "BACKPROP_ENDED_RUN=r1",
        "BACKPROP_ENDED_STATUS=failed",
    ]
    assert not os.path.exists("owned")


def test_two_dashboards_tell_of_an_end_once_and_of_the_next_one_again(store: Home, tmp_path: Path) -> None:
    one, other = EndCommand(store, keeping(tmp_path)), EndCommand(store, keeping(tmp_path))
    one.run([END])
    other.run([END])
    one.run([END])
    other.run([replace(END, at="2027-01-01T00:00:00.000Z")])
    finish(one, other)
    assert [one.split("AT=")[1][:4] for one in told(tmp_path)] == ["2026", "2027"]


@pytest.mark.parametrize("command", ["/not/there --now", "'unbalanced", ""])
def test_what_cannot_be_started_is_said(store: Home, command: str) -> None:
    problem = EndCommand(store, command).run([END])
    assert problem is None if not command else str(problem).startswith("notify.command: ")


def test_without_a_command_nothing_is_kept(store: Home) -> None:
    assert EndCommand(store, None).run([END]) is None
    assert os.listdir(store.host_folder) == []
