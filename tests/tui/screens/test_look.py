"""The settings of the dashboard's look: background, colors, characters and curves."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from rich.style import Style

from backprop_tui.tui.app import Dashboard
from backprop_tui.tui.glyphs import UNICODE, Curves
from backprop_tui.tui.theme import DARK, LIGHT, TERMINAL, Preferences
from tests.tui.doubles import FakeBridge, FakeCommands
from tests.tui.scene import scene

Row = list[tuple[str, Style]]


def painted(preferences: Preferences, *keys: str) -> list[Row]:
    """Return the texts of each row with their styles, of a busy machine on a screen of 120 columns, after the keys."""

    async def show() -> list[Row]:
        app = Dashboard(FakeBridge(scene()), FakeCommands(), preferences)
        async with app.run_test(size=(120, 40)) as pilot:
            await pilot.pause()
            for key in keys:
                await pilot.press(key)
                await pilot.pause(0.1)
            update: Any = app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
            strips = [[segment for strip in row for segment in strip] for row in update.strips]
            return [[(text, style or Style.null()) for text, style, _ in strip] for strip in strips]

    return asyncio.run(show())


def cursor_row(rows: list[Row]) -> Row:
    return next(row for row in rows if any(text.startswith("▌") for text, _ in row))


def backgrounds(row: Row) -> set[str]:
    return {"none" if style.bgcolor is None or style.bgcolor.is_default else style.bgcolor.name for _, style in row}


@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_the_background_of_the_terminal_is_kept(theme: str) -> None:
    rows = painted(Preferences(theme=theme, paints_background=False))
    header, footer, cursor = rows[0], rows[-1], cursor_row(rows)
    others = [row for row in rows if not any(row is excluded for excluded in (header, footer, cursor))]
    chosen = backgrounds(cursor)  # the chosen tab has the background of the cursor
    assert {background for row in others for background in backgrounds(row)} - chosen == {"none"}
    assert all("none" not in backgrounds(row) for row in (header, footer, cursor))
    colours = {style.color.name for row in rows for _, style in row if style.color is not None}
    assert any(name.startswith("#") for name in colours)  # colors of the theme, not the sixteen of the terminal


def test_otherwise_the_theme_paints_every_cell() -> None:
    assert all("none" not in backgrounds(row) for row in painted(Preferences(theme=DARK)))


def test_without_colours_the_selection_is_reversed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    rows = painted(Preferences())
    assert all(style.reverse for text, style in cursor_row(rows) if text.strip())
    assert {style.color for row in rows for _, style in row if style.color} <= _greys(rows)


def _greys(rows: list[Row]) -> set[object]:
    colors = {style.color for row in rows for _, style in row if style.color}
    return {color for color in colors if color.is_default or len(set(color.get_truecolor())) == 1}


@pytest.mark.parametrize(
    ("curves", "seen", "unseen"),
    [(Curves.BLOCKS, "▇", "⠉"), (Curves.BRAILLE, "⠉", "▇"), (Curves.ASCII, "falling", "⠉")],
)
def test_curves_are_drawn_in_the_configured_style(curves: Curves, seen: str, unseen: str) -> None:
    rows = painted(Preferences(glyphs=replace(UNICODE, curves=curves)))
    text = "\n".join("".join(text for text, _ in row) for row in rows)
    assert seen in text
    assert unseen not in text


@pytest.mark.parametrize("theme", [DARK, TERMINAL])
def test_the_screen_stays_visible_behind_a_dialog(theme: str) -> None:
    rows = painted(Preferences(theme=theme), "s")
    text = "\n".join("".join(part for part, _ in row) for row in rows)
    assert "Stop nano-lm-768?" in text
    assert "wav2vec-ft" in text


def test_the_marked_command_of_the_palette_can_be_read_in_the_colors_of_the_terminal() -> None:
    rows = painted(Preferences(theme=TERMINAL), "ctrl+p")
    row = next(row for row in rows if "Show all keys" in "".join(text for text, _ in row))
    style = next(style for text, style in row if "Show all keys" in text)
    assert style.color is not None
    assert style.bgcolor is not None
    assert (style.color.name, style.bgcolor.name) == ("color(0)", "color(7)")


@pytest.mark.parametrize("theme", [DARK, LIGHT, TERMINAL])
@pytest.mark.parametrize("key", ["n", "ctrl+p"])
def test_without_colors_nothing_has_one(monkeypatch: pytest.MonkeyPatch, theme: str, key: str) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    rows = painted(Preferences(theme=theme), key)
    styles = [style for row in rows for text, style in row if text.strip()]
    assert any(style.reverse for row in rows for text, style in row if len(text) == 1)  # the cursor
    colors = [color for style in styles for color in (style.color, style.bgcolor) if color is not None]
    assert all(color.is_default for color in colors)
