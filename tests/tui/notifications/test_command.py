"""The user's command: gets variables, runs without a shell, once per end."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from backprop_tui.store.home import Home
from backprop_tui.tui.notifications import EndCommand, RunEnd
from tests.support.waiting import wait_until

END = RunEnd(
    run_id="r1",
    name="vit $(touch owned)",
    status="failed",
    cause="CUDA out of memory",
    at="2026-01-01T00:00:00.000Z",
    is_problem=True,
    stopped_by_user=False,
)


@pytest.fixture
def store(home: Path) -> Home:
    store = Home(str(home / "backprop"), "this-host")
    store.prepare()
    return store


def recording_command(folder: Path) -> str:
    """A command that records its variables and its argument, completely or not at all."""
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


def recorded(folder: Path) -> list[str]:
    return sorted(path.read_text() for path in folder.glob("*.told"))


def finish(*commands: EndCommand) -> None:
    """Waits until the processes they started have ended and are reaped."""
    wait_until(
        lambda: all(command.run([]) is None and not command._started for command in commands), "their processes ended"
    )


def test_it_gets_the_end_in_variables_and_no_shell_interprets_it(store: Home, tmp_path: Path) -> None:
    command = EndCommand(store, recording_command(tmp_path))
    assert command.run([END]) is None
    finish(command)
    assert recorded(tmp_path)[0].splitlines() == [
        "an argument; $HOME",
        "BACKPROP_ENDED_AT=2026-01-01T00:00:00.000Z",
        "BACKPROP_ENDED_CAUSE=CUDA out of memory",
        "BACKPROP_ENDED_NAME=vit $(touch owned)",
        "BACKPROP_ENDED_RUN=r1",
        "BACKPROP_ENDED_STATUS=failed",
    ]
    assert not os.path.exists("owned")


def test_two_dashboards_start_it_once_per_end(store: Home, tmp_path: Path) -> None:
    first, second = EndCommand(store, recording_command(tmp_path)), EndCommand(store, recording_command(tmp_path))
    first.run([END])
    second.run([END])
    first.run([END])
    second.run([replace(END, at="2027-01-01T00:00:00.000Z")])
    finish(first, second)
    assert [record.split("AT=")[1][:4] for record in recorded(tmp_path)] == ["2026", "2027"]


@pytest.mark.parametrize("command", ["/not/there --now", "'unbalanced", ""])
def test_a_command_that_cannot_be_started_is_reported(store: Home, command: str) -> None:
    problem = EndCommand(store, command).run([END])
    assert problem is None if not command else str(problem).startswith("notify.command: ")


def test_without_a_command_nothing_is_written(store: Home) -> None:
    assert EndCommand(store, None).run([END]) is None
    assert os.listdir(store.host_folder) == []
