"""What is rendered for a change: the rows that changed, and nothing that is hidden; a dialog is painted once."""

from __future__ import annotations

from collections.abc import Callable
from queue import Queue
from typing import Any

import pytest
from textual._compositor import Compositor, LayoutUpdate
from textual._styles_cache import StylesCache
from textual.app import App
from textual.css.styles import RenderStyles
from textual.geometry import Region, Size
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from backprop_tui.tui.screens.help import Help
from backprop_tui.tui.textual_patches.rendering import paint_key, paint_when_sent, render_chops, render_line
from backprop_tui.tui.textual_patches.sent_rows import Changes
from backprop_tui.tui.widgets.filter_input import FilterInput
from tests.tui.screens.test_main import staged
from tests.tui.screens.test_new_run import until

_original = Compositor._render_chops


class Rendered:
    """Counts the rows that widgets render."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows: dict[str, int] = {}
        monkeypatch.setattr(Widget, "render_lines", self._counting(Widget.render_lines))

    def _counting(self, render: Callable[[Widget, Region], list[Strip]]) -> Callable[[Widget, Region], list[Strip]]:
        def render_lines(widget: Widget, crop: Region) -> list[Strip]:
            name = type(widget).__name__
            self.rows[name] = self.rows.get(name, 0) + crop.height
            return render(widget, crop)

        return render_lines


async def test_the_screen_looks_the_same() -> None:
    async with staged() as stage:
        for key in ("", "j", "2", "question_mark", "escape", "v"):
            await stage.pilot.press(*filter(None, [key]))
            compositor = stage.pilot.app.screen._compositor
            everything = compositor.size.region
            for due in (lambda _: True, lambda y: y % 3 == 0):
                shown = [list(chop.values()) for chop in render_chops(compositor, everything, due)]
                assert shown == [list(chop.values()) for chop in _original(compositor, everything, due)]


async def test_a_row_looks_the_same_with_and_without_something_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    original = StylesCache.render_line
    compared: set[bool] = set()

    def both(cache: StylesCache, styles: RenderStyles, y: int, size: Size, content: Size, *others: Any) -> Strip:
        strip = render_line(cache, styles, y, size, content, *others)
        cache._simple_strip = None  # of the padding
        assert list(strip) == list(original(cache, styles, y, size, content, *others))
        compared.add(size == content)
        return strip

    monkeypatch.setattr(StylesCache, "render_line", both)
    async with staged(size=(160, 50)) as stage:
        for key in ("", "2", "slash", "escape", "v", "escape", "n"):
            await stage.pilot.press(*filter(None, [key]))
            stage.pilot.app.screen._compositor.render_full_update()
    assert compared == {True, False}


async def test_a_change_of_a_row_renders_that_row_and_nothing_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Compositor, "_render_chops", render_chops)
    async with staged() as stage:
        rendered = Rendered(monkeypatch)
        compositor = stage.main._compositor
        compositor._dirty_regions.add(Region(0, stage.runs.region.y + 2, 120, 1))
        compositor.render_partial_update()
        assert rendered.rows == {"RunsTable": 1}


async def test_a_screen_is_painted_once_when_it_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    painted: list[Screen[object]] = []

    def display(app: App[int], screen: Screen[object], update: object) -> None:
        if isinstance(update, Changes) and isinstance(update.update, LayoutUpdate) and not app._batch_count:
            painted.append(screen)

    async with staged() as stage:
        monkeypatch.setattr(App, "_display", display)
        await stage.pilot.press("question_mark")
        await stage.pilot.pause()
        screen = stage.pilot.app.screen
        assert isinstance(screen, Help)
        assert painted == [screen]
        await stage.becomes(stage.bridge.now)  # what is behind an opaque screen changes
        assert painted == [screen]


class StoppedTimer:
    """The timer of a screen between two frames."""

    def resume(self) -> None:
        """The next frame does not come."""

    def pause(self) -> None:
        """Nothing to pause."""


async def test_a_key_is_painted_without_waiting_for_the_next_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    painted: list[str | None] = []
    async with staged() as stage:

        def display(app: App[int], screen: Screen[object], update: object) -> None:
            if update is not None:
                painted.append(stage.runs.selected)

        monkeypatch.setattr(Screen, "_on_idle", paint_key)
        monkeypatch.setattr(Screen, "_update_timer", StoppedTimer())
        monkeypatch.setattr(App, "_display", display)
        await stage.pilot.press("j")
        assert painted == ["vit"]


async def test_typing_asks_for_no_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def refresh(line: FilterInput, *regions: Region, layout: bool = False, **options: bool) -> Widget:
        asked.append(layout)
        return Widget.refresh(line, *regions, layout=layout, **options)

    async with staged() as stage:
        await stage.pilot.press("slash")
        stage.main.set_filter("go" * 70)
        await stage.pilot.pause()
        line = stage.main.filter_input
        monkeypatch.setattr(FilterInput, "refresh", refresh)
        await stage.pilot.press("end", "x")
        assert line.scroll_x
        assert line.render_line(0).text.rstrip().endswith("gox")
        await stage.pilot.press("home")
        assert not line.scroll_x
        assert asked
        assert not any(asked)


class Behind:
    """A driver's thread whose terminal takes nothing until `take`."""

    def __init__(self) -> None:
        self._queue: Queue[str] = Queue()
        for _ in range(3):
            self._queue.put("a frame")

    def take(self) -> None:
        self._queue.get()


async def test_nothing_is_painted_while_the_terminal_has_not_taken_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Screen, "_on_timer_update", paint_when_sent)
    monkeypatch.setattr(Screen, "_on_idle", paint_key)
    async with staged() as stage:
        painted: list[Screen[Any]] = []
        monkeypatch.setattr(Screen, "_compositor_refresh", lambda screen: painted.append(screen))  # noqa: PLW0108 - is bound
        thread = Behind()
        monkeypatch.setattr(stage.pilot.app._driver, "_writer_thread", thread, raising=False)
        for key in "jjk":
            await stage.pilot.press(key)
        assert painted == []
        thread.take()
        await until(stage, lambda: bool(painted))
