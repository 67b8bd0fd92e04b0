"""The panes share the screen by what they show; the rule between them is moved by keys and the mouse."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from backprop_tui.domain.status import Status
from backprop_tui.tui.app import Dashboard
from backprop_tui.tui.bridge import Bridge, StoreRead
from backprop_tui.tui.layout import Layout, RulePlace
from backprop_tui.tui.panes.footer import FooterBar
from backprop_tui.tui.panes.header import HeaderBar
from backprop_tui.tui.panes.runs import RunsTable
from backprop_tui.tui.panes.selected_heading import SelectedHeading
from backprop_tui.tui.panes.selected_run import SelectedRun
from backprop_tui.tui.screens import panes_screen
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.theme import Preferences
from backprop_tui.tui.widgets.line_widget import LineWidget
from tests.tui.doubles import FakeBridge, FakeCommands
from tests.tui.scene import SceneCharts, scene
from tests.tui.snapshots import ended, running, snapshot


class Stage:
    """A running dashboard."""

    def __init__(self, app: Dashboard, bridge: FakeBridge, pilot: Pilot[int]) -> None:
        self.app, self.bridge, self.pilot = app, bridge, pilot

    @property
    def layout(self) -> Layout:
        return self.app.main._layout_now

    @property
    def screen_rows(self) -> list[str]:
        strips = self.app.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip) for strip in strips]

    async def becomes(self, now: Snapshot) -> None:
        assert self.bridge.post is not None
        self.bridge.post(StoreRead(now))
        await self.pilot.pause()

    async def settles(self) -> None:
        """Wait until the panes are divided by what the selected run has to show."""
        main = self.app.main
        deadline = time.monotonic() + 20
        while main._settling is not None or main.selected.content_rows is None:
            assert time.monotonic() < deadline
            await self.pilot.pause(0.05)
        main._settle()
        await self.pilot.pause()

    async def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        await self.pilot.mouse_down(offset=start)
        await self.pilot.hover(offset=end)
        await self.pilot.mouse_up(offset=end)
        await self.pilot.pause()


@asynccontextmanager
async def staged(
    now: Snapshot | None = None, size: tuple[int, int] = (120, 40), rule: RulePlace | None = None
) -> AsyncIterator[Stage]:
    bridge = FakeBridge(scene() if now is None else now)
    bridge.rule = rule or RulePlace()
    app = Dashboard(bridge, FakeCommands(), Preferences(), charts=SceneCharts())
    async with app.run_test(size=size, notifications=True) as pilot:
        stage = Stage(app, bridge, pilot)
        await stage.settles()
        yield stage


async def test_one_run_leaves_the_screen_to_its_log_and_chart(tmp_path: Path) -> None:
    full = scene(logs=tmp_path)
    async with staged(replace(full, runs=full.runs[:1], total=1)) as stage:
        assert stage.layout.runs_rows == 4
        assert stage.app.query_one(SelectedRun).size.height == stage.layout.selected_rows > 20
        await stage.becomes(full)
        await stage.settles()
        assert stage.layout.runs_rows > 12


async def test_a_pane_that_was_hidden_shows_the_run_that_is_selected_now() -> None:
    async with staged(snapshot(*map(running, ("first", "second", "third")))) as stage:
        await stage.pilot.press("plus", "j", "j", "escape")
        row = stage.screen_rows[stage.app.query_one(SelectedHeading).region.y]
        assert row.startswith("─ third ")
        assert " third · attempt 1 " in row


async def test_a_short_log_leaves_its_rows_to_the_runs() -> None:
    many = [running(f"run-{index}") for index in range(40)]
    async with staged(snapshot(*many)) as stage:
        await stage.settles()
        assert stage.layout.selected_rows <= 13, "as high as the chart beside the log needs"


async def test_the_panes_settle_when_the_cursor_rests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "long.log"
    log.write_text("line\n" * 200)
    long = running("long")
    long = replace(long, record=long.record | {"log_path": str(log)})
    async with staged(snapshot(running("first"), long, *(running(f"run-{index}") for index in range(40)))) as stage:
        few = stage.layout.selected_rows
        monkeypatch.setattr(panes_screen, "SETTLE_SECONDS", 600.0)
        await stage.pilot.press("j", "k", "j", "k")
        assert stage.layout.selected_rows == few, "nothing jumps while the cursor moves"
        monkeypatch.setattr(panes_screen, "SETTLE_SECONDS", 0.1)
        await stage.pilot.press("j")
        await stage.settles()
        assert stage.layout.selected_rows > few


async def test_keys_move_the_rule_and_it_is_remembered() -> None:
    async with staged() as stage:
        before = stage.layout.runs_rows
        await stage.pilot.press("right_curly_bracket")
        larger = stage.layout.runs_rows
        await stage.pilot.press("left_curly_bracket", "left_curly_bracket", "left_curly_bracket")
        assert stage.layout.runs_rows < before < larger
        assert stage.bridge.remembered[-1].rows is not None
        await stage.pilot.press("underscore")
        assert stage.layout.runs_rows == before
        assert stage.bridge.remembered[-1] == RulePlace()


async def test_beside_each_other_the_keys_move_the_rule_between_the_columns() -> None:
    async with staged(size=(200, 50)) as stage:
        await stage.pilot.press("right_curly_bracket", "right_curly_bracket")
        assert stage.layout.runs_width == 140
        assert stage.app.query_one(RunsTable).size.width == 140
        assert stage.bridge.remembered[-1].rows is None


async def test_the_heading_of_ended_runs_takes_a_row_of_the_runs() -> None:
    ended_runs = [ended(f"e{number}") for number in range(21)]
    async with staged(snapshot(running("a"), *ended_runs[:20]), size=(200, 50)) as stage:
        await stage.becomes(snapshot(running("a"), *ended_runs))
        assert stage.layout.history_rows
        assert stage.layout.runs_rows > stage.app.query_one(RunsTable).view.lines


async def test_it_starts_with_the_rule_where_it_was_put() -> None:
    async with staged(rule=RulePlace(rows=0.25)) as stage:
        shown = stage.layout
        assert shown.runs_rows == round(0.25 * (shown.runs_rows + shown.selected_rows))


async def test_the_mouse_drags_the_rule_and_a_double_click_puts_it_back() -> None:
    async with staged() as stage:
        before = stage.layout.runs_rows
        y = stage.app.query_one(SelectedHeading).region.y
        await stage.drag((100, y), (100, y - 4))
        assert stage.layout.runs_rows == before - 4
        assert stage.app.query_one(SelectedHeading).region.y == y - 4
        assert len(stage.bridge.remembered) == 1
        await stage.pilot.double_click(offset=(100, y - 4))
        assert stage.layout.runs_rows == before


async def test_the_mouse_drags_the_line_between_the_columns() -> None:
    async with staged(size=(200, 50)) as stage:
        x = stage.layout.runs_width
        await stage.drag((x, 30), (x - 20, 30))
        assert stage.layout.runs_width == x - 20
        assert stage.app.query_one(SelectedRun).region.x == x - 20


async def test_a_slow_click_on_a_tab_stays_a_click() -> None:
    async with staged() as stage:
        y = stage.app.query_one(SelectedHeading).region.y
        await stage.pilot.mouse_down(offset=(30, y))
        await stage.pilot.hover(offset=(31, y))
        assert stage.app.mouse_captured is None
        await stage.pilot.mouse_up(offset=(31, y))
        assert not stage.bridge.remembered


async def test_a_drag_elsewhere_moves_nothing() -> None:
    async with staged() as stage:
        before = stage.layout
        await stage.drag((50, 12), (50, 20))
        assert stage.layout == before
        assert not stage.bridge.remembered


@pytest.mark.parametrize("size", [(160, 45), (200, 50), (250, 60)])
async def test_no_half_of_a_wide_screen_is_blank(size: tuple[int, int], tmp_path: Path) -> None:
    async with staged(scene(gpus=8, logs=tmp_path), size) as stage:
        await stage.settles()
        bottom = stage.screen_rows[-12:-2]
        assert sum(not row[: stage.layout.runs_width].strip() for row in bottom) <= 9
        text = "\n".join(stage.screen_rows)
        for part in ("utilization", "temperature", "GPU 7", "Arguments", "train.py"):
            assert part in text


async def test_the_arguments_stay_under_every_tab() -> None:
    run = running("nano")
    assert run.run is not None
    record = run.record | {"command": ["python", "train.py", "--lr", "3e-4", "--batch-size=128"], "script": "train.py"}
    async with staged(snapshot(replace(run, record=record)), (200, 50)) as stage:
        for tab in "12345":
            await stage.pilot.press(tab)
            await stage.pilot.pause()
            shown = stage.app.query_one("#arguments", LineWidget).shown_text
            assert "--lr 3e-4   --batch-size 128" in shown
    async with staged(snapshot(replace(run, record=record)), (120, 40)) as stage:
        assert not stage.app.query_one("#arguments").display


async def test_a_message_takes_the_line_of_the_footer() -> None:
    async with staged() as stage:
        above = stage.screen_rows[:-1]
        stage.app.main.tell("Queued train lr=1e-3\nand more")
        await stage.pilot.pause()
        assert stage.screen_rows[-1].startswith(" Queued train lr=1e-3 · and more ")
        assert stage.screen_rows[-1].rstrip().endswith("? all keys")
        assert stage.screen_rows[:-1] == above


async def test_bad_news_stay_until_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backprop_tui.tui.app._LEAST_SECONDS", 0.0)
    async with staged() as stage:
        stage.app.main.tell("Nothing was exported", bad=True)
        await stage.pilot.pause()
        assert [notification.timeout for notification in stage.app._notifications] == [60.0]
        await stage.pilot.press("j")
        await stage.pilot.pause()
        assert stage.screen_rows[-1].strip().startswith("p continue")


async def test_a_queued_run_is_announced_by_its_name() -> None:
    async with staged(snapshot(ended("old"))) as stage:
        stage.app.main.await_run("x7", queued=1)
        await stage.becomes(snapshot(running("x7", name="train lr=1e-3"), ended("old")))
        assert [notification.message for notification in stage.app._notifications] == ["Queued train lr=1e-3"]


async def test_a_click_on_a_count_shows_only_those_runs() -> None:
    runs = snapshot(running("nano"), ended("bad", Status.FAILED), ended("good"))
    async with staged(runs) as stage:
        header = stage.app.query_one(HeaderBar)
        column = header.line_text(0).index("failed")
        for expected in (["bad"], ["nano", "bad", "good"]):
            await stage.pilot.click(HeaderBar, offset=(column, 0))
            await stage.pilot.pause()
            assert [row.run_id for row in stage.app.query_one(RunsTable).view.rows] == expected
        await stage.pilot.click(HeaderBar, offset=(column - 12, 0))
        await stage.pilot.pause()
        assert len(stage.app.query_one(RunsTable).view.rows) == 1


async def test_the_title_of_the_focused_pane_is_inverted() -> None:
    async with staged() as stage:
        runs, heading = stage.app.query_one(RunsTable), stage.app.query_one(SelectedHeading)

        def titles() -> list[str]:
            pieces = [*runs._lines[0], *heading._lines[0]]
            return [piece.text for piece in pieces if piece.chosen and not piece.text[:2].strip().isdecimal()]

        assert titles() == ["Runs"]
        await stage.pilot.press("tab")
        await stage.pilot.pause()
        assert titles() == ["nano-lm-768"]
        assert stage.app.query_one(FooterBar).shown_text


def test_the_rule_is_written_and_read_by_the_bridge(tmp_path: Path) -> None:
    from backprop_tui.store.home import Home

    home = Home(str(tmp_path), "here")
    home.prepare()

    async def once(write: RulePlace | None) -> RulePlace:
        bridge = Bridge(home, str(tmp_path / "config.toml"), 1.0)
        bridge.first()
        if write is not None:
            bridge.rule = write
            bridge.remember_rule()
            bridge._thread.submit(lambda: None).result()
        bridge.close()
        return bridge.rule

    assert asyncio.run(once(RulePlace(rows=0.3))) == RulePlace(rows=0.3)
    assert asyncio.run(once(None)) == RulePlace(rows=0.3)
    for damage in ("[]", "{", '{"rows": 7, "columns": "x"}', '{"rows": NaN}'):
        Path(home.pane_rule).write_text(damage)
        assert asyncio.run(once(None)) == RulePlace()


async def test_the_footer_shows_the_keys_of_the_filter_while_it_is_typed() -> None:
    async with staged(size=(80, 24)) as stage:
        footer = stage.app.main.query_one(FooterBar)
        before = footer.shown_text
        await stage.pilot.press("slash", *"na")
        await stage.pilot.pause()
        assert footer.shown_text.split() == ["enter", "show", "runs", "esc", "cancel"]
        await stage.pilot.click(FooterBar, offset=(3, 0))
        await stage.pilot.pause()
        assert footer.shown_text == before


async def test_no_columns_are_named_with_nothing_below() -> None:
    runs = [*(running(f"r{place}") for place in range(30)), *(ended(f"e{place}") for place in range(30))]
    async with staged(snapshot(*runs), size=(80, 24)) as stage:
        table = stage.app.main.runs_table
        table.move_to(29)
        table.turn_wheel(1)
        assert table.shown_text.splitlines()[-1].startswith("─ Ended runs below ──")
        table.turn_wheel(1)
        assert " took ─" in table.shown_text.splitlines()[-2]
