"""The registry of keys."""

from __future__ import annotations

from backprop_tui.domain.status import Status
from backprop_tui.tui.actions import _TITLES, ACTIONS, BY_ID, by_shown, footer_keys
from backprop_tui.tui.glyphs import UNICODE
from backprop_tui.tui.lines import text_of
from backprop_tui.tui.screens.help import draw_help


def test_no_key_does_two_things() -> None:
    keys = [key for one in ACTIONS for key in one.keys]
    assert len(keys) == len(set(keys))
    assert len(BY_ID) == len(ACTIONS)


def test_the_footer_has_what_applies_to_each_status() -> None:
    for status in Status:
        keys = dict(footer_keys(status))
        assert keys
        for key in keys:
            assert by_shown(key) is not None
    assert dict(footer_keys(Status.PAUSED))["p"] == "continue"
    assert "r" in dict(footer_keys(Status.FAILED))
    assert "J" in dict(footer_keys(Status.QUEUED))


def test_the_help_has_the_keys_that_do_something_and_no_others() -> None:
    for width in (120, 80, 40):
        shown = "\n".join(text_of(line) for line in draw_help(width, UNICODE))
        for one in ACTIONS:
            assert (f"  {one.shown:<12}{one.help[: width - 20]}"[:24] in shown) == one.built, one.id


def test_the_palette_names_what_is_done_to_what() -> None:
    titles = {action.id: action.title for action in ACTIONS}
    assert titles["export"] == "Export metrics as CSV"
    assert titles["pager"] == "Open the log in $PAGER"
    assert titles["remove"] == "Remove what has ended"
    built = [action.title for action in ACTIONS if action.built and action.keys]
    assert len(set(built)) == len(built)
    assert _TITLES.keys() <= titles.keys()
