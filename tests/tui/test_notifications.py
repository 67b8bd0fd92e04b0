"""Notifications: which ends are reported, the terminal's sequences, and the user's own command."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from backprop_tui.domain.run import Cause
from backprop_tui.domain.status import Status
from backprop_tui.store.home import Home
from backprop_tui.tui.notifications import EndCommand, RunEnd, ends_between, summarize_ends, terminal_notifier
from tests.support.waiting import wait_until
from tests.tui.snapshots import NOW, ended, queued, running, snapshot

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


LATER = replace(NOW, wall=NOW.wall + 10)
OOM = Cause(kind="cuda_oom", evidence="CUDA out of memory")


def test_an_end_is_reported_once() -> None:
    before, after = snapshot(running("a"), queued("b")), snapshot(ended("a", ago=-5), queued("b"), moment=LATER)
    assert [end.text for end in ends_between(before, after)] == ["a completed"]
    assert not ends_between(after, after)


def test_a_run_that_started_and_ended_between_two_polls_is_reported() -> None:
    assert [end.run_id for end in ends_between(snapshot(), snapshot(ended("quick", ago=-1), moment=LATER))] == ["quick"]


def test_ends_before_the_first_poll_are_not_reported() -> None:
    assert not ends_between(snapshot(), snapshot(ended("old", ago=5), moment=LATER))


def test_a_slice_that_returns_to_the_queue_is_no_end() -> None:
    assert not ends_between(snapshot(running("a")), snapshot(queued("a"), moment=LATER))


def test_a_failure_has_its_cause_and_a_stop_by_the_user_is_no_problem() -> None:
    before = snapshot(running("bad"), running("mine"))
    after = snapshot(ended("mine", Status.STOPPED), ended("bad", Status.FAILED, cause=OOM), moment=LATER)
    bad, mine = ends_between(before, after)
    assert bad.text == "bad failed: CUDA out of memory"
    assert (bad.is_problem, bad.stopped_by_user) == (True, False)
    assert (mine.is_problem, mine.stopped_by_user) == (False, True)


def test_many_ends_are_summarize_ends() -> None:
    runs = [running(f"r{number}") for number in range(9)]
    after = [ended(f"r{number}", Status.FAILED if number < 4 else Status.COMPLETED) for number in range(9)]
    lines = summarize_ends(ends_between(snapshot(*runs), snapshot(*after, moment=LATER)), 3)
    assert lines == ["r8 completed", "r7 completed", "7 more runs ended, 4 with problems"]


def test_a_name_is_sanitised_and_shortened() -> None:
    name = "x\x1b]0;owned\x07" + "y" * 200
    (end,) = ends_between(snapshot(running("a")), snapshot(ended("a", name=name), moment=LATER))
    assert "\x1b" not in end.text
    assert len(end.text) < 80


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM": "xterm-256color"}, "\x1b]9;backprop: a failed\x07"),
        ({"TERM": "xterm-kitty"}, "\x1b]9;backprop: a failed\x07"),
        ({"TERM": "foot"}, "\x1b]777;notify;backprop;a failed\x07"),
        ({"TERM": "rxvt-unicode-256color"}, "\x1b]777;notify;backprop;a failed\x07"),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7600"}, "\x1b]777;notify;backprop;a failed\x07"),
        (
            {"TERM": "tmux-256color", "TMUX": "/tmp/t,1,0"},
            "\x1bPtmux;\x1b\x1b]9;backprop: a failed\x07\x1b\\",
        ),
        ({"TERM": "screen", "STY": "1.pts"}, "\x1bP\x1b]9;backprop: a failed\x07\x1b\\"),
    ],
)
def test_the_sequence_depends_on_the_terminal(environment: dict[str, str], expected: str) -> None:
    assert terminal_notifier(environment, bell=False, osc=True).sequences(["a failed"]) == expected


def test_the_bell_rings_once_for_all_ends() -> None:
    notifier = terminal_notifier({}, bell=True, osc=False)
    assert notifier.sequences(["a done", "b done"]) == "\x07"
    assert notifier.sequences([]) == ""


def test_nothing_is_written_if_nothing_is_enabled() -> None:
    assert terminal_notifier({}, bell=False, osc=False).sequences(["a done"]) == ""


def test_foreign_text_cannot_terminate_the_sequence_nor_add_a_field() -> None:
    for environment in ({"TERM": "foot"}, {}, {"TMUX": "x"}, {"STY": "x"}):
        plain = terminal_notifier(environment, bell=False, osc=True).sequences(["ab"])
        hostile = terminal_notifier(environment, bell=False, osc=True).sequences(["a\x07\x1b]0;owned\x1b\\;\x9cb\x00"])
        assert hostile.count("\x1b") == plain.count("\x1b")
        assert hostile.count("\x07") == plain.count("\x07")
        assert hostile.count(";") == plain.count(";")
        assert "\x9c" not in hostile
