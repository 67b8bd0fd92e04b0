"""Enter on a check that a run waits on carries out its remedy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from backprop_tui.domain.run import Dependency
from backprop_tui.domain.thresholds import Thresholds
from backprop_tui.tui.panes.selected_run import DETAILS
from backprop_tui.tui.screens.new_run import NewRun
from backprop_tui.tui.screens.palette import TextScreen
from backprop_tui.tui.screens.questions import Ask
from backprop_tui.tui.widgets.line_widget import LineWidget
from tests.tui.screens.test_main import Stage, staged
from tests.tui.snapshots import queued, running, snapshot

SLOTS = {"check": "parallel", "figure": 1, "limit": 1, "message": "1 run active", "setting": "max_parallel"}
STARTS = {"check": "starts", "message": "start limit, next in 50s", "setting": "governor.starts_per_minute"}
RAM = {"check": "ram", "figure": 3e9, "limit": 4e9, "message": "RAM 3 GB free", "setting": "min_free_ram_gb"}
HELD = {"check": "queue_held", "message": "queue held by you"}
AFTER = {"check": "dependency", "message": "after train (nano)"}
BUSY = {"check": "gpu_memory", "gpu": 0, "message": "GPU 0 claimed by nano, still loading"}
NEVER = {"check": "gpu_count", "message": "can never start: needs 4 GPUs, machine has 2", "permanent": True}
HOT = {"check": "gpu_temperature", "gpu": 0, "figure": 95, "limit": 80, "message": "hot", "setting": "gpu.max_temp_c"}
SICK = {"check": "gpu_health", "gpu": 0, "message": "GPU 0 lost"}
FULL = {"check": "host", "message": "on gpu2"}


@asynccontextmanager
async def at_the_checks(*reasons: dict[str, Any]) -> AsyncIterator[Stage]:
    waiting = queued("a", holds=reasons, spec={"after": (Dependency(run="nano"),)})
    async with staged(snapshot(running("nano"), waiting)) as stage:
        await stage.pilot.press("j", "enter")
        await stage.pilot.pause()
        assert stage.selected.tab == DETAILS
        yield stage


@pytest.mark.parametrize(
    ("reason", "keys", "calls"),
    [
        (SLOTS, "1", [("set_config", "max_parallel", "2")]),
        (SLOTS, "2", [("edit", "a", {"thresholds": Thresholds(max_parallel=0)})]),
        (STARTS, "1", [("set_config", "governor.starts_per_minute", "0")]),
        (RAM, "1", [("edit", "a", {"thresholds": Thresholds(min_free_ram_bytes=0)})]),
        (
            RAM,
            "2",
            [("edit", "a", {"thresholds": Thresholds(min_free_ram_bytes=0)}), ("set_config", "min_free_ram_gb", "0")],
        ),
        (HELD, "1", [("release",)]),
        (SLOTS, "escape", []),
    ],
)
async def test_enter_asks_and_carries_out_the_answer(reason: dict[str, Any], keys: str, calls: list[Any]) -> None:
    async with at_the_checks(reason) as stage:
        await stage.pilot.press("enter")
        await stage.pilot.pause()
        assert isinstance(stage.pilot.app.screen, Ask)
        await stage.pilot.press(keys)
        await stage.pilot.pause()
        assert stage.commands.calls == calls


async def test_the_question_says_what_each_answer_changes() -> None:
    async with at_the_checks(RAM) as stage:
        await stage.pilot.press("enter")
        await stage.pilot.pause()
        text = stage.pilot.app.screen.query_one("#question", LineWidget).shown_text
        for line in (
            "a waits: RAM 3 GB free",
            "1     only this run: --min-free-ram 0",
            "this and later runs: min_free",
        ):
            assert line in text


async def test_a_run_behind_others_goes_to_the_front_or_says_that_it_jumps_the_line() -> None:
    first, last = queued("first"), queued("last", queue_position=8, holds=(SLOTS,))
    async with staged(snapshot(running("nano"), first, last)) as stage:
        await stage.pilot.press("j", "j", "enter", "enter")
        await stage.pilot.pause()
        text = stage.pilot.app.screen.query_one("#question", LineWidget).shown_text
        assert "7 runs ahead of it in the queue." in text
        assert "A limit of its own lets it jump the line." in text
        await stage.pilot.press("escape", "j", "enter", "1")
        await stage.pilot.pause()
        assert stage.commands.calls == [("move", "last", -8)]


async def test_a_hotter_limit_is_not_what_enter_chooses_first() -> None:
    async with at_the_checks(HOT) as stage:
        await stage.pilot.press("enter", "enter")
        await stage.pilot.pause()
        assert stage.commands.calls == []


async def test_the_cursor_chooses_the_check() -> None:
    async with at_the_checks(STARTS, HELD) as stage:
        assert "enter remedy" in " ".join(stage.main.query_one("#footer", LineWidget).shown_text.split())
        await stage.pilot.press("j", "enter")
        await stage.pilot.pause()
        await stage.pilot.press("1")
        await stage.pilot.pause()
        assert stage.commands.calls == [("release",)]


async def test_a_run_that_it_waits_for_is_opened_at_once() -> None:
    async with at_the_checks(AFTER) as stage:
        await stage.pilot.press("enter")
        await stage.pilot.pause()
        assert stage.runs.selected == "nano"


async def test_the_run_in_the_way_is_stopped_after_its_usual_question() -> None:
    async with at_the_checks(BUSY) as stage:
        await stage.pilot.press("enter")
        await stage.pilot.pause()
        await stage.pilot.press("enter")
        await stage.pilot.pause()
        assert stage.commands.calls == [("stop", "nano")]


@pytest.mark.parametrize(("reason", "screen"), [(NEVER, NewRun), (SICK, TextScreen)])
async def test_a_remedy_may_be_another_screen(reason: dict[str, Any], screen: type) -> None:
    async with at_the_checks(reason) as stage:
        await stage.pilot.press("enter")
        await stage.pilot.pause()
        assert isinstance(stage.pilot.app.screen, screen)


async def test_a_check_without_a_remedy_says_so() -> None:
    async with at_the_checks(FULL) as stage:
        await stage.pilot.press("enter")
        await stage.pilot.pause()
        assert [message.message for message in stage.pilot.app._notifications] == ["host: no remedy here"]
        assert stage.commands.calls == []


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_a_click_on_a_remedy_offers_it_and_a_click_on_its_check_does_not(size: tuple[int, int]) -> None:
    waiting = queued("a", holds=(SLOTS, RAM), spec={"after": (Dependency(run="nano"),)})
    async with staged(snapshot(running("nano"), waiting), size=size) as stage:
        await stage.pilot.press("j", "enter")
        await stage.pilot.pause()
        details = stage.selected.details
        lines = details.shown_text.splitlines()
        row, text = next((row, text) for row, text in enumerate(lines) if "→ min_free_ram_gb" in text)
        check = next(row for row, text in enumerate(lines) if "RAM free" in text)
        await stage.pilot.click(details, offset=(6, check))
        await stage.pilot.pause()
        assert not isinstance(stage.pilot.app.screen, Ask)
        await stage.pilot.click(details, offset=(text.index("→ ") + 4, row))
        await stage.pilot.pause()
        assert isinstance(stage.pilot.app.screen, Ask)
        assert "RAM 3 GB free" in stage.pilot.app.screen.query_one("#question", LineWidget).shown_text


async def test_every_remedy_can_be_chosen_also_beyond_the_keys_and_the_screen() -> None:
    active = [running(f"r{number}") for number in range(30)]
    async with staged(snapshot(*active, queued("a", holds=(SLOTS,))), size=(80, 24)) as stage:
        stage.runs.select("a")
        await stage.pilot.press("enter")
        await stage.pilot.pause()
        await stage.pilot.press("enter")
        await stage.pilot.pause()
        screen = stage.pilot.app.screen
        assert isinstance(screen, Ask)
        lines: set[str] = set()
        for _ in range(33):
            lines.update(
                line.split("stop ")[-1] for line in screen.query_one("#question", LineWidget).shown_text.splitlines()
            )
            await stage.pilot.press("j")
        assert {run.id for run in active} <= lines
        assert "33 of 33" in str(screen.query_one("#dialog").border_title)
        await stage.pilot.press("k", "enter")
        await stage.pilot.pause()
        stop = stage.pilot.app.screen
        assert "Stop r29?" in stop.query_one("#question", LineWidget).shown_text
