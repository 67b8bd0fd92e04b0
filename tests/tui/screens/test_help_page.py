"""The help page, driven by keys."""

from __future__ import annotations

from backprop_tui.tui.actions import ACTIONS
from backprop_tui.tui.widgets.line_widget import LineWidget
from tests.tui.screens.test_main import staged


async def test_the_help_page_lists_every_action() -> None:
    async with staged(size=(200, 80)) as stage:
        await stage.pilot.press("question_mark")
        await stage.pilot.pause()
        text = stage.pilot.app.screen.query_one("#help", LineWidget).shown_text
        missing = [action.id for action in ACTIONS if action.help and f"{action.shown:<12}{action.help}" not in text]
        assert not missing
        assert "timeboxed" in text


async def test_the_help_finds_keys_by_text_and_esc_shows_all_again() -> None:
    async with staged(size=(120, 60)) as stage:
        await stage.pilot.press("question_mark", "slash", *"zebra")
        await stage.pilot.pause()
        page = stage.pilot.app.screen.query_one("#help", LineWidget)
        assert "Nothing matches zebra." in page.shown_text
        await stage.pilot.press("ctrl+u", *"timbox")
        await stage.pilot.pause()
        assert "Nothing matches timbox. Did you mean timebox?" in page.shown_text
        await stage.pilot.press("ctrl+u", *"what is a slice")
        await stage.pilot.pause()
        assert "a part of a long training" in page.shown_text
        await stage.pilot.press("ctrl+u", *"queue")
        await stage.pilot.pause()
        assert "hold or release the queue" in page.shown_text
        assert "logarithmic scale" not in page.shown_text
        await stage.pilot.press("ctrl+u", "J", "enter")
        await stage.pilot.pause()
        assert "later in the queue" in page.shown_text
        assert "earlier" not in page.shown_text
        await stage.pilot.press("escape")
        await stage.pilot.pause()
        assert "logarithmic scale" in page.shown_text
        await stage.pilot.press("escape")
        assert stage.pilot.app.screen is stage.main
