"""Leaving: the dialog, what each answer requests, and when the dashboard closes."""

from __future__ import annotations

import pytest

from backprop_tui.probes.logout import LogoutEffect
from backprop_tui.tui import Mode
from backprop_tui.tui.background_calls import CommandResult
from backprop_tui.tui.screens.main import MainScreen
from backprop_tui.tui.screens.questions import Ask, leave_question
from backprop_tui.tui.snapshot import Snapshot
from tests.tui.doubles import FakeCommands
from tests.tui.screens.test_main import Stage, staged
from tests.tui.snapshots import ended, queued, running, snapshot

BUSY = snapshot(running("a"), running("b"), queued("c"), running("far", host="another-box"))


async def is_left(stage: Stage) -> bool:
    """Whether the dashboard has exited."""
    for _ in range(3):
        await stage.pilot.pause()
    return stage.pilot.app._exit


@pytest.mark.parametrize(
    ("keys", "asked"),
    [
        (("enter",), []),
        (("H",), [("hold",)]),
        (("S", "y"), [("hold",), ("stop", "a", "b")]),
    ],
)
async def test_each_way_to_leave_requests_what_it_says(keys: tuple[str, ...], asked: list[tuple[str, ...]]) -> None:
    async with staged(BUSY) as stage:
        await stage.pilot.press("q", *keys)
        assert await is_left(stage)
        assert stage.commands.calls == asked


@pytest.mark.parametrize("keys", [("escape",), ("S", "escape"), ("q",)])
async def test_cancelling_changes_nothing(keys: tuple[str, ...]) -> None:
    async with staged(BUSY) as stage:
        await stage.pilot.press("q", *keys)
        assert not await is_left(stage)
        assert isinstance(stage.pilot.app.screen, MainScreen)
        assert not stage.commands.calls


async def test_a_refused_stop_is_reported_and_keeps_the_dashboard_open() -> None:
    commands = FakeCommands(CommandResult(done=False, message="cannot be done"))
    async with staged(BUSY, commands=commands) as stage:
        await stage.pilot.press("q", "S", "y")
        assert not await is_left(stage)
        assert commands.calls == [("hold",)]


@pytest.mark.parametrize("now", [snapshot(), snapshot(ended("a")), snapshot(running("a"), mode=Mode.DEMO)])
async def test_leaving_does_not_ask_without_work_or_in_a_demo(now: Snapshot) -> None:
    async with staged(now) as stage:
        await stage.pilot.press("q")
        assert await is_left(stage)
        assert not isinstance(stage.pilot.app.screen, Ask)


async def test_nothing_is_mounted_when_q_was_pressed_before_the_first_paint() -> None:
    async with staged(snapshot()) as stage:
        screen = stage.pilot.app.screen
        assert isinstance(screen, MainScreen)
        del screen.filter_input  # as before the first paint
        await stage.pilot.press("q")
        assert await is_left(stage)
        await screen.remove()
        screen._mount_hidden()  # must not raise
        assert "filter_input" not in vars(screen)


def test_it_says_that_runs_continue_and_counts_those_of_this_machine() -> None:
    question = leave_question(BUSY)
    assert question.lines[0] == "2 running, 1 waiting. They continue when this window closes."
    assert [answer.text for answer in question.answers if answer.value == "stop"] == [
        "stop all 2, hold the queue, leave; asks once more"
    ]


def test_with_only_waiting_runs_there_is_nothing_to_stop() -> None:
    assert [answer.value for answer in leave_question(snapshot(queued("c"))).answers] == ["leave", "hold"]


def test_it_says_whether_runs_survive_a_logout_and_how_to_fix_it() -> None:
    lives = leave_question(snapshot(running("a"), logout=LogoutEffect(survives=True, reason="linger is on")))
    assert [note.text for note in lives.notes] == ["runs survive logout on this machine (linger is on)"]
    dies = LogoutEffect(survives=False, reason="KillUserProcesses=yes", fix="loginctl enable-linger ada")
    ending = leave_question(snapshot(running("a"), logout=dies))
    assert ending.notes[0].text.endswith("to fix it: loginctl enable-linger ada")
    assert not leave_question(snapshot(running("a"))).notes
