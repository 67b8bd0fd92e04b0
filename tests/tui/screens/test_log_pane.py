"""The log on the main screen: its keys, its footer, copying, the editor and the mouse."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import RenderableType
from textual._compositor import LayoutUpdate
from textual.screen import Screen

from backprop_tui.domain.run import Cause
from backprop_tui.domain.status import Status
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.tui.app import Dashboard
from backprop_tui.tui.log.file import FileChange, LogFile
from backprop_tui.tui.panes.footer import FooterBar
from backprop_tui.tui.widgets.line_widget import LineWidget
from backprop_tui.tui.widgets.log import LogView
from tests.tui.screens.test_main import Stage, staged
from tests.tui.snapshots import ended, running, snapshot


def logged(run: KnownRun, log: Path, **fields: object) -> KnownRun:
    return replace(run, record=run.record | {"log_path": str(log), "cwd": str(log.parent)} | fields)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "output.log"
    path.write_text("".join(f"line {number}\n" for number in range(1, 201)))
    return path


def opened(log: Path) -> AbstractAsyncContextManager[Stage]:
    return staged(snapshot(logged(running("nano"), log)))


async def until(stage: Stage, true: Callable[[], bool]) -> None:
    for _ in range(200):
        if true():
            return
        await stage.pilot.pause(0.02)
    raise AssertionError(stage.selected.log_view.shown_text)


def copied(stage: Stage) -> str:
    return stage.pilot.app.clipboard


def _paints(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The text of each update of the whole screen, in the order in which they are painted."""
    paints: list[str] = []
    display = Dashboard._display

    def noting(app: Dashboard, screen: Screen[object], update: RenderableType | None) -> None:
        if isinstance(update, LayoutUpdate):
            paints.append("\n".join("".join(strip.text for strip in row) for row in update.strips))
        display(app, screen, update)

    monkeypatch.setattr(Dashboard, "_display", noting)
    return paints


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
async def test_the_first_paint_has_the_log(log: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    paints = _paints(monkeypatch)
    async with staged(snapshot(logged(running("nano"), log)), size):
        first = next(paint for paint in paints if "nano" in paint)
        assert re.search(r"line 199 +\S?\s*\n.*line 200 +\S?\s*\n.*following  line 200  ", first), first


async def test_the_first_paint_does_not_wait_for_a_disk_that_hangs(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paints, answers, poll = _paints(monkeypatch), threading.Event(), LogFile.poll

    def hanging(file: LogFile) -> FileChange:
        answers.wait()
        return poll(file)

    monkeypatch.setattr(LogFile, "poll", hanging)
    try:
        async with opened(log) as stage:
            assert any("nano" in paint for paint in paints)
            assert "line 200" not in stage.selected.log_view.shown_text
            answers.set()
            await until(stage, lambda: "line 200" in stage.selected.log_view.shown_text)
    finally:
        answers.set()


async def test_lines_are_marked_and_copied_by_keys(log: Path) -> None:
    async with opened(log) as stage:
        view = stage.selected.log_view
        await stage.pilot.press("tab")
        await until(stage, lambda: "line 200" in view.shown_text)
        assert " y copy" in stage.main.query_one(FooterBar).shown_text
        assert "s stop" not in stage.main.query_one(FooterBar).shown_text
        await stage.pilot.press("y")
        await until(stage, lambda: copied(stage) == "line 200")
        messages = [notice.message for notice in stage.pilot.app._notifications]
        assert messages == ["Sent 1 line to the terminal's clipboard"]
        await stage.pilot.press("k", "k", "k", "space", "J")
        await until(stage, lambda: "3 lines marked" in view.shown_text)
        await stage.pilot.press("y")
        await until(stage, lambda: copied(stage) == "line 197\nline 198\nline 199")
        await until(stage, lambda: "marked" not in view.shown_text)


async def test_the_row_of_the_cursor_is_visible_with_the_focus_and_without_colors(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened(log) as stage:
        view = stage.selected.log_view
        await until(stage, lambda: "line 200" in view.shown_text)
        row = view.size.height - 2

        def is_reversed() -> bool:
            return any(segment.style is not None and segment.style.reverse for segment in [*view.render_line(row)][:2])

        assert not is_reversed()
        await stage.pilot.press("tab")
        await stage.pilot.pause()
        assert is_reversed()


async def test_a_number_in_the_palette_goes_to_a_line(log: Path) -> None:
    async with opened(log) as stage:
        view = stage.selected.log_view
        await until(stage, lambda: "line 200" in view.shown_text)
        await stage.pilot.press("colon")
        await stage.pilot.pause()
        await stage.pilot.press(*":12")
        for _ in range(100):
            await stage.pilot.pause(0.05)
            if stage.pilot.app.screen is stage.main:
                break
            await stage.pilot.press("enter")
        await until(stage, lambda: "line 12 of 200" in view.shown_text)


async def test_a_filter_is_typed_after_an_ampersand(log: Path) -> None:
    async with opened(log) as stage:
        view = stage.selected.log_view
        await stage.pilot.press("tab")
        await until(stage, lambda: "line 200" in view.shown_text)
        await stage.pilot.press("ampersand", *"line .7$", "enter")
        await until(stage, lambda: view.line_text(0) == " line 17" and "line 98" not in view.shown_text)
        await stage.pilot.press("escape")
        await until(stage, lambda: "line 188" in view.shown_text)


async def test_the_mouse_sets_the_cursor_and_its_selection_is_visible_while_the_log_grows(log: Path) -> None:
    async with opened(log) as stage:
        view = stage.selected.log_view
        await until(stage, lambda: "line 200" in view.shown_text)
        text = view.line_text(3).strip()
        await stage.pilot.mouse_down(LogView, offset=(1, 3))
        await stage.pilot.hover(LogView, offset=(6, 3))
        with log.open("a") as end:
            end.write("more\n" * 30)
        await until(stage, lambda: view.page_shown.total == 230)
        assert view.line_text(3).strip() == text
        assert not view.page_shown.following
        assert swapped(view) == [text[:6]] == [stage.main.get_selected_text()]
        await stage.pilot.mouse_up(LogView, offset=(6, 3))
        await until(stage, lambda: f"{text.split()[1]} of 230" in view.shown_text)


def swapped(view: LogView) -> list[str]:
    """What is highlighted on the screen, by row: its colors are swapped."""
    rows = [[(text, style) for text, style, _ in strip if style] for strip in view.render_lines(view.size.region)]
    return [text for row in rows if (text := "".join(text for text, style in row if style.reverse))]


async def test_a_drag_over_lines_copies_exactly_what_is_highlighted(log: Path) -> None:
    async with opened(log) as stage:
        view = stage.selected.log_view
        await until(stage, lambda: "line 200" in view.shown_text)
        number = int(view.line_text(3).split()[1])
        await stage.pilot.mouse_down(LogView, offset=(3, 3))
        await stage.pilot.hover(LogView, offset=(7, 5))
        await stage.pilot.mouse_up(LogView, offset=(7, 5))
        assert swapped(view) == [f"ne {number}", f"line {number + 1}", f"line {number + 2}"[:7]]
        await stage.pilot.press("ctrl+c")
        assert stage.pilot.app.clipboard.splitlines() == [
            f"ne {number}",
            f"line {number + 1}",
            f"line {number + 2}"[:7],
        ]
        assert swapped(view) == []


@pytest.fixture
def edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the editor was given."""
    result, editor = tmp_path / "edited", tmp_path / "bin" / "vim"
    editor.parent.mkdir()
    editor.write_text(f'#!/bin/sh\nprintf "%s " "$@" > {result}\n')
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    return result


def taken(edited: Path) -> str:
    words = edited.read_text()
    edited.unlink()
    return words


async def test_o_opens_the_line_of_a_traceback_in_the_editor(
    tmp_path: Path, edited: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, script = tmp_path / "output.log", tmp_path / "train.py"
    script.touch()
    log.write_text('Traceback (most recent call last):\n  File "train.py", line 8, in <module>\nValueError: x\n')
    cause = Cause(kind="python_error", evidence="ValueError: x", advice="fix train.py line 8, then resume")
    run = logged(ended("bad", Status.FAILED, cause=cause), log)
    async with staged(snapshot(run)) as stage:
        monkeypatch.setattr(stage.pilot.app, "suspend", nullcontext)
        await stage.pilot.press("O")
        await until(stage, edited.exists)
        assert taken(edited) == f"+8 {script} "
        await stage.pilot.press("tab")
        await until(stage, lambda: "ValueError" in stage.selected.log_view.shown_text)
        await stage.pilot.press("O")
        await until(stage, edited.exists)
        assert taken(edited) == f"+8 {script} "


async def test_o_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, script = tmp_path / "output.log", tmp_path / "train.py"
    log.write_text('  File "train.py", line 8, in <module>\n')
    monkeypatch.setenv("VISUAL", str(tmp_path / "gone"))
    async with staged(snapshot(logged(running("nano"), log))) as stage:
        monkeypatch.setattr(stage.pilot.app, "suspend", nullcontext)

        async def message(*keys: str) -> str:
            stage.pilot.app.clear_notifications()
            await stage.pilot.press(*keys)
            await until(stage, lambda: bool(len(stage.pilot.app._notifications)))
            return next(iter(stage.pilot.app._notifications)).message

        assert await message("O") == "Select a failed run, or a line of a log that names a file"
        await stage.pilot.press("tab")
        await until(stage, lambda: "train.py" in stage.selected.log_view.shown_text)
        assert await message("O") == "train.py does not exist here"
        script.touch()
        assert await message("O") == f"{tmp_path}/gone was not found. Set $EDITOR"
        await asyncio.sleep(0)


async def test_a_card_is_one_row_while_something_else_than_the_end_of_the_log_is_read(log: Path) -> None:
    with log.open("a") as file:
        file.write("ValueError: x\n")
    cause = Cause(kind="python_error", evidence="ValueError: x", advice="pass y")
    failed = logged(ended("bad", Status.FAILED, cause=cause), log)
    async with staged(snapshot(failed)) as stage:
        view, card = stage.selected.log_view, stage.main.query_one("#card", LineWidget)
        await until(stage, lambda: "ValueError: x" in view.shown_text)
        assert "pass y" in card.shown_text
        await stage.pilot.press("tab", "k", "k")
        await until(stage, lambda: card.size.height == 1)
        assert "pass y" not in card.shown_text
        await stage.pilot.press("G")
        await until(stage, lambda: "pass y" in card.shown_text)
