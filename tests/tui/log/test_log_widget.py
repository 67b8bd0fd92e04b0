"""The log view in a screen, operated by keys."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from backprop_tui.tui.theme import DARK, THEMES, theme_colours
from backprop_tui.tui.widgets.log import LogView

Given = ParamSpec("Given")
LOOK_SECONDS = 0.02


def in_a_loop(test: Callable[Given, Coroutine[Any, Any, None]]) -> Callable[Given, None]:
    """Runs an asynchronous test."""

    @wraps(test)
    def run(*arguments: Given.args, **named: Given.kwargs) -> None:
        asyncio.run(test(*arguments, **named))

    return run


class LogApp(App[None]):
    CSS_PATH = "../../../backprop_tui/tui/dashboard.tcss"
    CSS = "LogView { height: 1fr; }"

    def __init__(self, path: Path | None) -> None:
        super().__init__()
        self._path = path
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = DARK

    def get_css_variables(self) -> dict[str, str]:
        variables = super().get_css_variables()
        return theme_colours(variables) | variables

    def compose(self) -> ComposeResult:
        yield LogView(None if self._path is None else str(self._path), look_seconds=LOOK_SECONDS)

    def on_mount(self) -> None:
        self.query_one(LogView).focus()

    @property
    def log_view(self) -> LogView:
        return self.query_one(LogView)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.write_bytes(b"".join(b"line %d\n" % number for number in range(1, 101)))
    return path


async def until(pilot: Pilot[None], true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline, pilot.app.query_one(LogView).shown_text
        await pilot.pause()
        await asyncio.sleep(0.005)


@in_a_loop
async def test_keys_search_and_follow(log: Path) -> None:
    app = LogApp(log)
    async with app.run_test(size=(60, 12)) as pilot:
        view = app.log_view
        await until(pilot, lambda: "line 100\n" in view.shown_text)
        view.move_to(0)
        await until(pilot, lambda: view.line_text(0) == " line 1")
        await pilot.press("slash", *"line 7.", "enter")
        await until(pilot, lambda: "1 of 10" in view.shown_text)
        await pilot.press("n")
        await until(pilot, lambda: "2 of 10" in view.shown_text)
        await pilot.press("N")
        await until(pilot, lambda: "1 of 10" in view.shown_text)
        await pilot.press("escape")
        await until(pilot, lambda: view.page_shown.search is None)
        await pilot.press("n")
        await until(pilot, lambda: "of 10" in view.shown_text)
        await pilot.press("escape")
        await until(pilot, lambda: view.page_shown.search is None)
        await pilot.press("f")
        await until(pilot, lambda: "▾ following" in view.shown_text)


@in_a_loop
async def test_new_output_appears(log: Path) -> None:
    app = LogApp(log)
    async with app.run_test(size=(60, 12)) as pilot:
        await until(pilot, lambda: "line 100\n" in app.log_view.shown_text)
        with log.open("ab") as end:
            end.write(b"\x1b[31mnews\x1b[2J\n")
        await until(pilot, lambda: " news\n" in app.log_view.shown_text)


@in_a_loop
async def test_nothing_is_read_while_it_is_hidden(log: Path) -> None:
    app = LogApp(log)
    async with app.run_test(size=(60, 12)) as pilot:
        await until(pilot, lambda: "line 100\n" in app.log_view.shown_text)
        app.log_view.display = False
        await until(pilot, lambda: app.log_view._thread._resting)
        await pilot.pause(4 * LOOK_SECONDS)  # so that a poll that had started is over
        known = app.log_view.page_shown.size
        with log.open("ab") as end:
            end.write(b"news\n")
        await pilot.pause(4 * LOOK_SECONDS)
        assert app.log_view.page_shown.size == known
        app.log_view.display = True
        await until(pilot, lambda: " news\n" in app.log_view.shown_text)


@in_a_loop
async def test_long_lines_can_be_scrolled_sideways(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"begin " + b"x" * 100 + b" end\n")
    app = LogApp(path)
    async with app.run_test(size=(40, 5)) as pilot:
        view = app.log_view
        await until(pilot, lambda: "begin" in view.render_line(0).text)
        assert view.render_line(0).text.endswith("… ")
        await pilot.press("dollar_sign")
        assert view.render_line(0).text.endswith(" end ")
        await pilot.press("0")
        assert view.render_line(0).text.startswith("►begin")
        await pilot.press("w")
        await until(pilot, lambda: len(view.page_shown.rows) == 3)


@in_a_loop
async def test_another_path_shows_another_log_and_none_says_so(log: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"of the other run\n")
    app = LogApp(log)
    async with app.run_test(size=(60, 12)) as pilot:
        app.log_view.watch_path(str(other))
        await until(pilot, lambda: "of the other run" in app.log_view.shown_text)
        app.log_view.watch_path(None)
        await until(pilot, lambda: app.log_view.shown_text.strip() == "no log yet")


@pytest.mark.parametrize("size", [(1, 1), (20, 5), (3, 2)])
@in_a_loop
async def test_no_size_is_too_small(log: Path, size: tuple[int, int]) -> None:
    app = LogApp(log)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.log_view.page_shown.total == 100)
        await pilot.resize_terminal(60, 12)
        await until(pilot, lambda: "line 100\n" in app.log_view.shown_text)


@in_a_loop
async def test_lines_that_look_as_those_before_are_not_painted_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"the same\n" * 50)
    app = LogApp(path)
    async with app.run_test(size=(60, 12)) as pilot:
        view = app.log_view
        view.can_focus = False
        app.screen.set_focus(None)
        await until(pilot, lambda: view.page_shown.total == 50)
        await pilot.pause()
        painted: list[object] = []
        view.refresh = lambda *regions, **_named: painted.append(regions)  # type: ignore[method-assign,assignment]
        with path.open("ab") as end:
            end.write(b"the same\n" * 3)
        await until(pilot, lambda: view.page_shown.total == 53)
        rows = [region.y for regions in painted for region in regions]  # type: ignore[attr-defined]
        assert () not in painted
        assert set(rows) <= {11}  # the status row
