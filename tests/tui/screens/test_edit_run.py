"""The Edit dialog, driven by keys."""

from __future__ import annotations

import math
from typing import Any

import pytest

from backprop_tui.domain.slurm import SlurmOptions
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.tui.background_calls import CommandResult
from backprop_tui.tui.screens.edit_run import EditRun
from backprop_tui.tui.screens.main import MainScreen
from backprop_tui.tui.widgets.line_widget import LineWidget
from tests.tui.doubles import FakeCommands
from tests.tui.screens.test_main import Stage, staged
from tests.tui.screens.test_new_run import until
from tests.tui.snapshots import ended, queued, running, snapshot

RUNS = (running("first", tags=("lm",), priority=2), running("second", tags=("lm",)), ended("old"))


def dialog(stage: Stage) -> EditRun:
    screen = stage.pilot.app.screen
    assert isinstance(screen, EditRun)
    return screen


def status(stage: Stage) -> str:
    return dialog(stage).query_one("#status", LineWidget).shown_text


async def test_only_changed_fields_are_sent() -> None:
    commands = FakeCommands()
    async with staged(snapshot(*RUNS), commands=commands) as stage:
        await stage.pilot.press("e", *"-b", "down", *" '#two words'", "enter")
        await until(stage, lambda: isinstance(stage.pilot.app.screen, MainScreen))
        assert commands.calls == [("edit", "first", {"name": "first-b", "tags": ["lm", "two words"]})]


async def test_an_emptied_field_removes_its_value() -> None:
    commands = FakeCommands()
    async with staged(snapshot(*RUNS), commands=commands) as stage:
        await stage.pilot.press("e")
        for name in ("tags", "minutes", "priority"):
            dialog(stage).field(name).value = ""
        await stage.pilot.press("enter")
        await until(stage, lambda: bool(commands.calls))
        assert commands.calls == [("edit", "first", {"tags": [], "max_run_seconds": math.inf, "priority": 0})]


async def test_the_timebox_may_have_a_unit() -> None:
    commands = FakeCommands()
    async with staged(snapshot(*RUNS), commands=commands) as stage:
        await stage.pilot.press("e")
        dialog(stage).field("minutes").value = "1h30m"
        await stage.pilot.press("enter")
        await until(stage, lambda: bool(commands.calls))
        assert commands.calls == [("edit", "first", {"max_run_seconds": 5400.0})]


async def test_a_refusal_is_shown_in_the_dialog() -> None:
    commands = FakeCommands(CommandResult(done=False, message="first: the disk is full"))
    async with staged(snapshot(*RUNS), commands=commands) as stage:
        await stage.pilot.press("e")
        dialog(stage).field("priority").value = "3"
        await stage.pilot.press("enter")
        await until(stage, lambda: "✗ first: the disk is full" in status(stage))


@pytest.mark.parametrize(("name", "text"), [("priority", "x"), ("minutes", "-1"), ("tags", "'a")])
async def test_a_field_that_cannot_be_understood_is_not_sent(name: str, text: str) -> None:
    commands = FakeCommands()
    async with staged(snapshot(*RUNS), commands=commands) as stage:
        await stage.pilot.press("e")
        dialog(stage).field(name).value = text
        await stage.pilot.press("enter")
        assert "✗" in status(stage)
        assert commands.calls == []


async def test_enter_without_a_change_sends_nothing() -> None:
    commands = FakeCommands()
    async with staged(snapshot(*RUNS), commands=commands) as stage:
        await stage.pilot.press("e", "enter")
        assert "nothing is changed" in status(stage)
        assert commands.calls == []


async def test_marked_runs_are_edited_together_and_have_no_name_field() -> None:
    commands = FakeCommands()
    async with staged(snapshot(*RUNS), commands=commands) as stage:
        await stage.pilot.press("space", "space", "e")
        assert dialog(stage).values() == {"tags": "lm", "note": "", "minutes": "10", "priority": ""}
        dialog(stage).field("note").value = "again"
        await stage.pilot.press("enter")
        await until(stage, lambda: len(commands.calls) == 2)
        assert commands.calls == [("edit", run_id, {"note": "again"}) for run_id in ("first", "second")]


async def test_an_ended_run_has_no_timebox_field() -> None:
    async with staged(snapshot(RUNS[2]), commands=FakeCommands()) as stage:
        await stage.pilot.press("e")
        assert "minutes" not in dialog(stage).values()


def for_slurm(run_id: str, **slurm: Any) -> KnownRun:
    return queued(run_id, spec={"launcher": "slurm", "slurm": SlurmOptions(**slurm)})


async def test_a_run_that_waits_for_slurm_has_the_fields_of_its_job() -> None:
    commands = FakeCommands()
    runs = (for_slurm("first", partition="long", cpus=4), for_slurm("second", partition="long"))
    async with staged(snapshot(*runs), commands=commands, size=(80, 24)) as stage:
        await stage.pilot.press("*", "e")
        assert (dialog(stage).field("partition").value, dialog(stage).field("cpus").value) == ("long", "")
        dialog(stage).field("partition").value = ""
        await stage.pilot.press("enter")
        assert "partition: type another value; a job cannot go back" in status(stage)
        for name, text in (("partition", "short"), ("qos", "high"), ("cpus", "8"), ("memory_gb", "1.5")):
            dialog(stage).field(name).value = text
        await stage.pilot.press("enter")
        await until(stage, lambda: len(commands.calls) == 2)
        options = SlurmOptions(partition="short", qos="high", cpus=8, memory_gb=1.5)
        assert commands.calls == [("edit", run_id, {"slurm": options}) for run_id in ("first", "second")]


async def test_other_runs_have_no_fields_of_slurm() -> None:
    async with staged(snapshot(running("r", spec={"launcher": "slurm"})), commands=FakeCommands()) as stage:
        await stage.pilot.press("e")
        assert not dialog(stage).query("#field-partition")
