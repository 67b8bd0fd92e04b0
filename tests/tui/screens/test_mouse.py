"""The mouse: clicks, drags and the wheel."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from textual import events
from textual.screen import ModalScreen

from backprop_tui.domain.status import Status
from backprop_tui.tui.absence import AbsenceDigest
from backprop_tui.tui.panes.footer import FooterBar
from backprop_tui.tui.panes.governor import GovernorBar, ProblemBar
from backprop_tui.tui.panes.machine import MachineBar
from backprop_tui.tui.panes.runs import RunsTable
from backprop_tui.tui.panes.selected_heading import SelectedHeading
from backprop_tui.tui.screens.help import Help
from backprop_tui.tui.screens.questions import Ask, QuestionText
from backprop_tui.tui.screens.settings import SettingsScreen
from backprop_tui.tui.textual_patches.command_palette import Palette
from backprop_tui.tui.widgets.line_widget import LineWidget
from tests.tui.scene import scene
from tests.tui.screens.test_main import RUNS, Stage, staged
from tests.tui.screens.test_new_run import until
from tests.tui.snapshots import NOW, ended, gpu, queued, running, sample, snapshot

HOT = {"check": "gpu_temperature", "figure": 84.0, "limit": 80.0, "gpu": 1, "message": "GPU 1 at 84 C"}


async def wheel(stage: Stage, *, down: bool) -> None:
    kind = events.MouseScrollDown if down else events.MouseScrollUp
    stage.runs.post_message(kind(stage.runs, 1, 1, 0, 1, 0, shift=False, meta=False, ctrl=False))
    await stage.pilot.pause()


async def test_a_click_selects_and_a_double_click_opens() -> None:
    async with staged() as stage:
        await stage.pilot.click(RunsTable, offset=(20, 3))
        await stage.pilot.pause()
        assert stage.runs.selected == "wait-1"
        assert stage.runs.has_focus
        await stage.pilot.click(RunsTable, offset=(20, 3), times=2)
        await stage.pilot.pause()
        assert stage.selected.has_focus_within


async def test_ctrl_click_marks() -> None:
    async with staged() as stage:
        await stage.pilot.click(RunsTable, offset=(20, 2), control=True)
        await stage.pilot.pause()
        assert stage.main.state.marked == {"vit"}


async def test_a_click_on_a_tab_shows_it() -> None:
    async with staged() as stage:
        heading = stage.main.query_one(SelectedHeading)
        for word, tab in (("Details", 3), ("Log", 0), ("Events", 4)):
            await stage.pilot.click(SelectedHeading, offset=(heading.line_text(0).index(word), 0))
            await stage.pilot.pause()
            assert stage.selected.tab == tab


async def test_a_click_on_the_governor_line_shows_the_first_held_run_and_why() -> None:
    now = snapshot(
        running("a"), queued("b", queue_position=1), queued("c", queue_position=2, holds=(HOT,)), sample=sample(gpu())
    )
    async with staged(now) as stage:
        await stage.pilot.click(GovernorBar)
        await stage.pilot.pause()
        assert stage.runs.selected == "c"
        assert "Waiting on 2 checks" in stage.selected.tab_widget.shown_text
        assert stage.commands.calls == []


async def test_a_click_on_the_key_in_the_governor_line_releases_the_queue() -> None:
    async with staged(replace(snapshot(), queue_held=True)) as stage:
        bar = stage.main.query_one(GovernorBar)
        await stage.pilot.click(GovernorBar, offset=(bar.line_text(0).index("H releases"), 0))
        await until(stage, lambda: stage.commands.calls == [("release",)])


async def test_a_click_on_the_problem_line_shows_the_failed_run() -> None:
    async with staged() as stage:
        await stage.pilot.click(ProblemBar)
        await stage.pilot.pause()
        assert stage.runs.selected == "bad"


async def test_a_click_on_the_title_opens_the_command_palette() -> None:
    async with staged() as stage:
        await stage.pilot.click("#header", offset=(3, 0))
        await until(stage, lambda: isinstance(stage.pilot.app.screen, Palette))


async def test_a_click_in_the_footer_carries_out_the_action() -> None:
    async with staged() as stage:
        footer = stage.main.query_one(FooterBar)
        await stage.pilot.click(FooterBar, offset=(footer.line_text(0).index("pause"), 0))
        await stage.pilot.pause()
        assert stage.commands.calls == [("pause", "nano")]
        await stage.pilot.click(FooterBar, offset=(footer.line_text(0).index("all keys"), 0))
        await stage.pilot.pause()
        assert isinstance(stage.pilot.app.screen, Help)


@pytest.mark.parametrize(("size", "gpus"), [((120, 40), 4), ((80, 24), 8), ((200, 50), 8), ((60, 15), 4)])
async def test_a_click_on_a_gpu_shows_its_runs_and_another_click_all_again(size: tuple[int, int], gpus: int) -> None:
    async with staged(scene(gpus=gpus), size) as stage:
        machine = stage.main.query_one(MachineBar)
        rows = machine.shown_text.split("\n")
        mark = re.compile(r"(?:GPU ?|[ │] |^ )(1)\b")
        y, x = next((y, match.start(1)) for y, row in enumerate(rows) if (match := mark.search(row)))
        everything = list(stage.runs.view.ids)
        await stage.pilot.click(MachineBar, offset=(x, y))
        await stage.pilot.pause()
        assert stage.main.state.filter.text == "gpu:1"
        assert list(stage.runs.view.ids) == ["b04d11"]
        await stage.pilot.click(MachineBar, offset=(x, y))
        await stage.pilot.pause()
        assert list(stage.runs.view.ids) == everything


async def test_a_right_click_on_a_gpu_does_what_a_click_does() -> None:
    async with staged(scene()) as stage:
        await stage.pilot.click(MachineBar, offset=(5, 2), button=3)
        await stage.pilot.pause()
        assert stage.main.state.filter.text == "gpu:1"


async def test_a_click_beside_the_gpus_filters_nothing() -> None:
    async with staged(scene()) as stage:
        machine = stage.main.query_one(MachineBar)
        for y in (0, machine.size.height - 1):  # heading and host
            await stage.pilot.click(MachineBar, offset=(5, y))
        await stage.pilot.pause()
        assert not stage.main.state.filter


async def test_a_right_click_offers_the_actions_of_the_row_below_it() -> None:
    async with staged() as stage:
        await stage.pilot.click(RunsTable, offset=(20, 2), button=3)
        await until(stage, lambda: isinstance(stage.pilot.app.screen, Ask))
        menu = stage.pilot.app.screen
        assert isinstance(menu, Ask)
        box = menu.query_one("#dialog").region
        assert (box.x, box.y) == (20, stage.runs.region.y + 3)
        text = menu.query_one(QuestionText)
        assert "vit" in text.line_text(1)
        row = next(row for row in range(20) if "pause" in text.line_text(row))
        await stage.pilot.click(QuestionText, offset=(3, row))
        await stage.pilot.pause()
        assert stage.commands.calls == [("pause", "vit")]


@pytest.mark.parametrize("marked", [{"nano", "wait-1"}, {"nano", "vit"}])
async def test_the_menu_acts_on_the_marked_runs_only_if_its_row_is_marked(marked: set[str]) -> None:
    async with staged() as stage:
        stage.main.state.marked = set(marked)
        await stage.pilot.click(RunsTable, offset=(20, 2), button=3)
        await until(stage, lambda: isinstance(stage.pilot.app.screen, Ask))
        text = stage.pilot.app.screen.query_one(QuestionText).shown_text
        assert ("2 marked runs" in text) == ("vit" in marked)
        assert {"N", "S"} <= set(re.findall(r"\b\w\b", text))
        await stage.pilot.press("p")
        await stage.pilot.pause()
        assert stage.main.state.marked == marked
        assert stage.commands.calls == [("pause", "nano", "vit") if "vit" in marked else ("pause", "vit")]


async def test_the_menu_of_a_row_stays_on_the_screen() -> None:
    async with staged(size=(80, 24)) as stage:
        await stage.pilot.click(RunsTable, offset=(78, 2), button=3)
        await until(stage, lambda: isinstance(stage.pilot.app.screen, Ask))
        box = stage.pilot.app.screen.query_one("#dialog").region
        assert stage.pilot.app.screen.region.contains_region(box)


@pytest.mark.parametrize("key", ["s", "N", "v", "e", "D"])
async def test_a_click_beside_a_dialog_leaves_it(key: str) -> None:
    async with staged() as stage:
        await stage.pilot.press(key)
        await stage.pilot.pause()
        if key == "D":
            stage.main.show_digest(AbsenceDigest(since=NOW.wall - 60, until=NOW.wall), opens=True)
            await stage.pilot.pause()
        dialog = stage.pilot.app.screen
        assert isinstance(dialog, ModalScreen)
        box = dialog.query("#dialog, #form").first().region
        await stage.pilot.click(offset=(box.x + 1, box.y))
        await stage.pilot.pause()
        assert stage.pilot.app.screen is dialog
        await stage.pilot.click(offset=(1, 1))
        await until(stage, lambda: stage.pilot.app.screen is stage.main)


async def test_the_wheel_scrolls_the_runs_without_moving_the_cursor() -> None:
    many = [ended(f"run-{place:02}", ago=60.0 + place) for place in range(40)]
    async with staged(snapshot(*RUNS, *many, ended("last", Status.STOPPED, ago=200))) as stage:
        first = stage.runs.line_text(1)
        await wheel(stage, down=True)
        assert stage.runs.line_text(1) != first
        assert stage.runs.selected == "nano"
        await wheel(stage, down=False)
        assert stage.runs.line_text(1) == first


async def test_rows_that_the_wheel_scrolled_to_stay_when_the_pane_grows() -> None:
    many = [ended(f"run-{place:02}", ago=60.0 + place) for place in range(40)]
    async with staged(snapshot(*RUNS, *many)) as stage:
        await wheel(stage, down=True)
        first = stage.runs.line_text(1)
        for height in (36, 44):
            await stage.pilot.resize_terminal(120, height)
            await stage.pilot.pause(0.1)
            assert stage.runs.line_text(1) == first


async def test_a_drag_selects_text_and_ctrl_c_copies_it() -> None:
    async with staged() as stage:
        pilot, table = stage.pilot, stage.runs
        row = table.line_text(2)
        start = row.index("vit")
        await pilot.mouse_down(RunsTable, offset=(start, 2))
        await pilot.hover(RunsTable, offset=(start + 3, 2))
        await pilot.mouse_up(RunsTable, offset=(start + 3, 2))
        await pilot.pause()
        assert stage.main.get_selected_text() == "vit"
        await pilot.press("ctrl+c")
        await pilot.pause()
        assert pilot.app.clipboard == "vit"
        assert stage.main.get_selected_text() is None
        assert pilot.app.return_value is None


async def test_a_drag_over_several_rows_selects_their_visible_text() -> None:
    async with staged() as stage:
        pilot = stage.pilot
        await pilot.mouse_down(RunsTable, offset=(0, 2))
        await pilot.hover(RunsTable, offset=(12, 3))
        await pilot.mouse_up(RunsTable, offset=(12, 3))
        await pilot.pause()
        rows = [stage.runs.line_text(2).rstrip(), stage.runs.line_text(3)[:12].rstrip()]
        assert stage.main.get_selected_text() == "\n".join(rows)


HINT = re.compile(r"(?<![\w(])(esc|enter|tab|del|space|ctrl\+\w) (?=[\w$])")
KEY_NAMES = {"esc": "escape", "del": "delete"}
SCREENS = (
    *("question_mark", "question_mark slash", "comma", "comma enter", "comma slash", "n", "e", "s", "v", "D"),
    *("tab", "tab slash", "slash", "slash x x x enter", "space j space c"),
)


def hints(stage: Stage) -> list[tuple[int, int, str]]:
    """Where the screen shows a key with what it does, as in `esc back`."""
    rows = [strip.text for strip in stage.pilot.app.screen._compositor.render_strips()]
    return [(match.start(), y, match[1]) for y, row in enumerate(rows) for match in HINT.finditer(row)]


async def test_a_click_on_a_hint_presses_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    async with staged(size=(80, 24)) as stage:
        pressed: list[str] = []
        monkeypatch.setattr(stage.pilot.app, "simulate_key", pressed.append)

        def press(_: FooterBar, key: str) -> None:
            pressed.append(KEY_NAMES.get(key, key))

        monkeypatch.setattr(FooterBar, "action_press", press)
        for keys in SCREENS:
            await stage.pilot.press(*keys.split())
            await stage.pilot.pause()
            shown = hints(stage)
            assert shown, keys
            for x, y, key in shown:
                await stage.pilot.click(offset=(x, y))
                await stage.pilot.pause()
                assert pressed == [KEY_NAMES.get(key, key)], (keys, x, y, key)
                pressed.clear()
            await stage.pilot.press("escape", "escape", "escape")
            assert stage.pilot.app.screen is stage.main


async def click_on(stage: Stage, text: str) -> None:
    rows = [strip.text for strip in stage.pilot.app.screen._compositor.render_strips()]
    [(x, y)] = [(row.index(text), y) for y, row in enumerate(rows) if text in row][-1:]
    await stage.pilot.click(offset=(x, y))
    await stage.pilot.pause()


async def test_help_and_settings_can_be_left_with_the_mouse() -> None:
    async with staged() as stage:
        for key in ("question_mark", "comma"):
            await stage.pilot.press(key)
            await until(stage, lambda: stage.pilot.app.screen is not stage.main)
            await click_on(stage, "esc back")
            await until(stage, lambda: stage.pilot.app.screen is stage.main)


async def test_a_click_in_the_help_does_what_its_row_says() -> None:
    async with staged() as stage:
        theme = stage.pilot.app.theme
        asked: list[bool] = []
        stage.main._bridge.request_digest = lambda: asked.append(True)  # type: ignore[method-assign]
        for text, is_done in (
            ("hold or release the queue", lambda: stage.commands.calls == [("hold",)]),
            ("next theme", lambda: stage.pilot.app.theme != theme),
            ("what happened", lambda: asked == [True]),
            ("go to that line", lambda: isinstance(stage.pilot.app.screen, Palette)),
            ("settings", lambda: isinstance(stage.pilot.app.screen, SettingsScreen)),
            ("command palette", lambda: isinstance(stage.pilot.app.screen, Palette)),
        ):
            await click_on(stage, "all keys")
            await until(stage, lambda: isinstance(stage.pilot.app.screen, Help))
            await click_on(stage, text)
            await until(stage, is_done)
            if stage.pilot.app.screen is not stage.main:
                await stage.pilot.press("escape")
                await until(stage, lambda: stage.pilot.app.screen is stage.main)


async def test_a_run_can_be_queued_with_the_mouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gen.py").touch()
    (tmp_path / "other.py").touch()
    monkeypatch.chdir(tmp_path)
    async with staged() as stage:
        await stage.pilot.press("n")
        await until(stage, lambda: "gen.py" in str(stage.pilot.app.screen.query_one("#hint", LineWidget).shown_text))
        await click_on(stage, "gen.py")
        await click_on(stage, "enter queue")
        await until(stage, lambda: any(call[0] == "run" for call in stage.commands.calls))
        assert stage.commands.calls[-1][-1] == "gen.py"
