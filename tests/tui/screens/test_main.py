"""The main screen, driven by keys, on snapshots made by the test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.strip import Strip

from backprop_tui.domain.status import Status
from backprop_tui.tui.absence import WindowFocus
from backprop_tui.tui.app import Dashboard
from backprop_tui.tui.bridge import EventsRead, StoreFailed, StoreRead
from backprop_tui.tui.glyphs import ASCII, UNICODE
from backprop_tui.tui.lines import Line, text_of
from backprop_tui.tui.panes.footer import FooterBar
from backprop_tui.tui.panes.runs import RunsTable
from backprop_tui.tui.panes.selected_run import DETAILS, EVENTS, LOG, SelectedRun
from backprop_tui.tui.screens.main import MainScreen
from backprop_tui.tui.screens.questions import Ask
from backprop_tui.tui.snapshot import OpenRun, Snapshot
from backprop_tui.tui.theme import Preferences
from backprop_tui.tui.widgets.line_widget import LineWidget
from tests.tui.doubles import FakeBridge, FakeCommands
from tests.tui.snapshots import NOW, ended, gpu, queued, running, sample, snapshot


@dataclass
class Stage:
    """A running dashboard."""

    pilot: Pilot[int]
    bridge: FakeBridge
    commands: FakeCommands

    @property
    def main(self) -> MainScreen:
        screen = next(screen for screen in self.pilot.app.screen_stack if isinstance(screen, MainScreen))
        assert isinstance(screen, MainScreen)
        return screen

    @property
    def runs(self) -> RunsTable:
        return self.main.query_one(RunsTable)

    @property
    def selected(self) -> SelectedRun:
        return self.main.query_one(SelectedRun)

    async def becomes(self, now: Snapshot) -> None:
        """Show another snapshot."""
        assert self.bridge.post is not None
        self.bridge.post(StoreRead(now))
        await self.pilot.pause()


RUNS = (
    running("nano", step=5, total_steps=10, metrics={"loss": 2.214}),
    running("vit"),
    queued("wait-1", queue_position=1),
    queued("wait-2", queue_position=2),
    ended("bad", Status.FAILED),
    ended("good"),
)


@asynccontextmanager
async def staged(
    now: Snapshot | None = None,
    size: tuple[int, int] = (120, 40),
    *,
    ascii_only: bool = False,
    commands: FakeCommands | None = None,
    preferences: Preferences | None = None,
    focus: WindowFocus | None = None,
) -> AsyncIterator[Stage]:
    """Run a dashboard of a size."""
    bridge = FakeBridge(now or snapshot(*RUNS, sample=sample(gpu())))
    commands = commands or FakeCommands()
    preferences = preferences or Preferences(glyphs=ASCII if ascii_only else UNICODE)
    app = Dashboard(bridge, commands, preferences, focus=focus)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield Stage(pilot, bridge, commands)


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (200, 50), (70, 20), (50, 11), (20, 5), (10, 3), (1, 1)])
async def test_every_size_is_drawn(size: tuple[int, int]) -> None:
    async with staged(size=size) as stage:
        assert stage.main.query_one("#header", LineWidget).shown_text.strip() or size == (1, 1)
        await stage.pilot.resize_terminal(20, 5)
        await stage.pilot.resize_terminal(120, 40)
        await stage.pilot.pause()
        assert "nano" in stage.runs.shown_text


async def test_the_cursor_stays_with_its_run_when_rows_move() -> None:
    async with staged() as stage:
        await stage.pilot.press("j", "j")
        assert stage.runs.selected == "wait-1"
        await stage.becomes(snapshot(RUNS[2], RUNS[0], running("new"), *RUNS[3:]))
        assert stage.runs.selected == "wait-1"


async def test_events_repaint_the_selected_run_only_where_they_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    painted: list[int] = []
    paint = SelectedRun.paint

    def counted(pane: SelectedRun) -> None:
        painted.append(pane.tab)
        paint(pane)

    def read(number: int) -> EventsRead:
        event = {"time": NOW.wall, "event": "ended", "message": f"end {number}"}
        return EventsRead(OpenRun(run_id="nano", events=(event,)))

    async with staged() as stage:
        assert stage.bridge.post is not None
        monkeypatch.setattr(SelectedRun, "paint", counted)
        stage.bridge.post(read(1))
        await stage.pilot.pause()
        assert painted == []
        stage.selected.choose(EVENTS)
        await stage.pilot.pause()
        assert "end 1" in stage.selected.tab_widget.shown_text
        stage.bridge.post(read(2))
        await stage.pilot.pause()
        assert "end 2" in stage.selected.tab_widget.shown_text


async def test_rows_that_move_are_not_rendered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[str] = []
    strip = LineWidget._strip

    def counted(widget: LineWidget, line: Line, *, cursor: bool) -> Strip:
        rendered.append(text_of(line))
        return strip(widget, line, cursor=cursor)

    async with staged(snapshot(*(ended(f"e{number}", ago=60.0 * number) for number in range(40)))) as stage:
        await stage.pilot.press("a", *"j" * 20)
        monkeypatch.setattr(LineWidget, "_strip", counted)
        await stage.pilot.press(*"j" * 12)
        rows = [text for text in rendered if "completed" in text]
        assert stage.runs._top
        assert len(rows) <= 2 * 12 + 1  # the row of the cursor, and the one that it left


async def test_the_cursor_keeps_its_place_when_its_run_vanishes() -> None:
    async with staged() as stage:
        await stage.pilot.press("j")
        await stage.becomes(snapshot(RUNS[0], *RUNS[2:]))
        assert stage.runs.selected == "wait-1"


async def test_a_key_acts_on_the_run_that_the_key_before_moved_to() -> None:
    async with staged() as stage:
        await stage.pilot.press("j", "p")
        await stage.pilot.pause()
        assert stage.commands.calls == [("pause", "vit")]
        assert stage.bridge.looks == 1


async def test_an_action_applies_to_all_marked_runs() -> None:
    async with staged() as stage:
        await stage.pilot.press("space", "space", "p")
        await stage.pilot.pause()
        assert stage.commands.calls == [("pause", "nano", "vit")]
        assert "2 marked" in stage.main.query_one(FooterBar).shown_text


async def test_a_queued_run_moves_by_one_place() -> None:
    async with staged() as stage:
        await stage.pilot.press("j", "j", "J")
        await stage.pilot.pause()
        assert stage.commands.calls == [("move", "wait-1", 1)]


async def test_the_filter_narrows_and_escape_clears_it() -> None:
    async with staged() as stage:
        await stage.pilot.press("slash", *"vit", "enter")
        await stage.pilot.pause()
        assert [row.run_id for row in stage.runs.view.rows] == ["vit"]
        assert "Runs 1 of 6  /vit" in stage.runs.line_text(0)
        await stage.pilot.press("escape")
        await stage.pilot.pause()
        assert len(stage.runs.view.rows) == 6


async def test_a_filter_whose_keys_arrive_together_triggers_no_action() -> None:
    async with staged() as stage:
        for key, letter in (
            ("slash", "/"),
            ("s", "s"),
            ("p", "p"),
            ("ctrl+u", None),
            *((character, character) for character in "vit"),
        ):
            stage.pilot.app.post_message(events.Key(key, letter))
        stage.pilot.app.post_message(events.Key("enter", None))
        for _ in range(3):
            await stage.pilot.pause()
        assert [row.run_id for row in stage.runs.view.rows] == ["vit"]
        assert stage.commands.calls == []
        assert isinstance(stage.pilot.app.screen, MainScreen)
        await stage.pilot.press("j", "escape")
        await stage.pilot.pause()
        assert len(stage.runs.view.rows) == 6


async def test_tabs_are_chosen_by_digits_and_stay_chosen_across_runs() -> None:
    async with staged() as stage:
        await stage.pilot.press("4")
        assert stage.selected.tab == 3
        await stage.pilot.press("j")
        assert stage.selected.tab == 3
        assert "vit" in stage.selected.tab_widget.shown_text


async def test_n_belongs_to_an_active_search_and_the_footer_says_so(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    log.write_text("one\ntwo\none\n", encoding="utf-8")

    run = running("nano")
    run = replace(run, record=run.record | {"log_path": str(log)})
    async with staged(snapshot(run)) as stage:
        footer = stage.main.query_one(FooterBar)
        await stage.pilot.press("tab", "slash", *"one", "enter")
        for _ in range(100):
            if "n next match" in footer.shown_text:
                break
            await stage.pilot.pause(0.05)
        assert "n next match" in footer.shown_text
        assert "n new" not in footer.shown_text
        await stage.pilot.press("n", "escape")
        for _ in range(100):
            if "n next match" not in footer.shown_text:
                break
            await stage.pilot.pause(0.05)
        assert "n next match" not in footer.shown_text
        assert "& only lines with" in footer.shown_text
        assert stage.pilot.app.screen is stage.main


async def test_the_next_problem_opens_the_log_of_the_failed_run() -> None:
    async with staged() as stage:
        await stage.pilot.press("4", "exclamation_mark")
        await stage.pilot.pause()
        assert stage.runs.selected == "bad"
        assert stage.selected.tab == 0
        assert stage.bridge.selected[-1] == "bad"


async def test_zoom_fills_the_screen_with_the_pane_and_escape_undoes_it() -> None:
    async with staged() as stage:
        await stage.pilot.press("tab", "plus")
        await stage.pilot.pause()
        assert not stage.runs.display
        await stage.pilot.press("escape")
        await stage.pilot.pause()
        assert stage.runs.display


async def test_leaving_with_work_left_asks_first() -> None:
    async with staged() as stage:
        await stage.pilot.press("q")
        await stage.pilot.pause()
        assert isinstance(stage.pilot.app.screen, Ask)
        await stage.pilot.press("enter")
        await stage.pilot.pause()
        assert stage.pilot.app.return_value == 0


async def test_leaving_without_work_does_not_ask() -> None:
    async with staged(snapshot(ended("good"))) as stage:
        await stage.pilot.press("q")
        await stage.pilot.pause()
        assert stage.pilot.app.return_value == 0


async def test_an_unreadable_store_is_reported_in_the_header_and_the_rest_stays() -> None:
    async with staged() as stage:
        assert stage.bridge.post is not None
        stage.bridge.post(StoreFailed("/state: no such device"))
        await stage.pilot.pause()
        assert "/state: no such device" in stage.main.query_one("#header", LineWidget).shown_text
        assert "nano" in stage.runs.shown_text


async def test_an_empty_store_shows_how_to_start() -> None:
    async with staged(snapshot()) as stage:
        assert "backprop-tui run train.py" in stage.runs.shown_text


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
@pytest.mark.parametrize(
    "keys",
    [(), ("s",), ("t",), ("e",), ("n",), ("y",), ("v",), ("comma",), ("question_mark",), ("ctrl+p", *"sort"), ("q",)],
    ids="-".join,
)
async def test_in_ascii_mode_no_other_character_is_shown(keys: tuple[str, ...], size: tuple[int, int]) -> None:
    async with staged(size=size, ascii_only=True) as stage:
        await stage.pilot.press(*keys)
        stage.main.tell("Told")
        await stage.pilot.pause(0.3)
        app = stage.pilot.app
        update: Any = app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
        strange = {
            character for row in update.strips for strip in row for character in strip.text if not character.isascii()
        }
        assert not strange


@pytest.mark.parametrize("theme", ["backprop-light", "backprop-terminal", "nord", "textual-light", "ansi-dark"])
async def test_every_theme_has_our_colours(theme: str) -> None:
    async with staged() as stage:
        stage.pilot.app.theme = theme
        await stage.pilot.pause()
        assert "nano" in stage.runs.shown_text


HELD_RUN = queued("a", holds=({"check": "ram", "message": "RAM 3.1 GB free, keeps 4"},))


@pytest.mark.parametrize(("keys", "then"), [((), LOG), (("5",), 4), (("1",), LOG)])
async def test_a_held_run_shows_its_details_until_it_starts_or_another_tab_is_chosen(
    keys: tuple[str, ...], then: int
) -> None:
    async with staged(snapshot(queued("a"))) as stage:
        await stage.becomes(snapshot(queued("a")))
        assert stage.selected.tab == LOG
        await stage.becomes(snapshot(HELD_RUN))
        assert stage.selected.tab == DETAILS
        await stage.pilot.press(*keys)
        await stage.becomes(snapshot(running("a")))
        assert stage.selected.tab == then


async def test_in_ascii_degrees_leave_no_gap_and_move_no_column() -> None:
    async with staged(snapshot(*RUNS, sample=sample(gpu())), ascii_only=True) as ascii_stage:
        plain = ascii_stage.main.query_one("#machine", LineWidget).shown_text
        row = screen_rows(ascii_stage)[2]
    assert "°" in plain
    assert "71 C " in row
    assert row.index("412") == plain.splitlines()[1].index("412")


def screen_rows(stage: Stage) -> list[str]:
    return [strip.text for strip in stage.pilot.app.screen._compositor.render_strips()]


async def test_runs_that_a_filter_hides_are_announced_with_it() -> None:
    async with staged(commands=FakeCommands()) as stage:
        await stage.pilot.press("slash", *"fail", "enter", "n", *"train.py", "enter")
        await stage.pilot.pause()
        await stage.becomes(snapshot(*RUNS, queued("abcd2345", queue_position=3)))
        assert [message.message for message in stage.pilot.app._notifications] == ["Queued abcd2345, hidden by /fail"]
