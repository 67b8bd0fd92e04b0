"""The registry of actions."""

from __future__ import annotations

from backprop_tui.domain.status import Status
from backprop_tui.tui.actions import ACTIONS, BY_ID, MAIN_ACTIONS, footer_actions
from backprop_tui.tui.glyphs import UNICODE
from backprop_tui.tui.lines import text_of
from backprop_tui.tui.screens.help import draw_help
from backprop_tui.tui.screens.main import MainScreen


def test_a_key_of_the_main_screen_does_two_things_only_in_stores_with_and_without_runs() -> None:
    for with_runs in (True, False):
        keys = [key for action in MAIN_ACTIONS if action.with_runs in (None, with_runs) for key in action.keys]
        assert len(keys) == len(set(keys))
    assert len(BY_ID) == len(MAIN_ACTIONS)


def test_ids_are_unique_within_a_scope() -> None:
    ids = [(action.scope, action.id) for action in ACTIONS]
    assert len(ids) == len(set(ids))


def test_every_action_of_the_main_screen_has_a_method() -> None:
    for action in MAIN_ACTIONS:
        name = action.command.partition("(")[0]
        assert name.startswith("app.") or hasattr(MainScreen, f"action_{name}"), action.id


def test_the_footer_has_what_applies_to_each_status() -> None:
    for status in Status:
        for group in (True, False):
            actions = footer_actions(status, group=group)
            assert actions
            applicable = [status not in action.refusals for action in actions]
            assert group or all(applicable)
    shorts = {action.id: action.short for action in footer_actions(Status.PAUSED)}
    assert shorts["pause"] == "continue"


def test_an_empty_store_offers_the_example_and_the_demo() -> None:
    ids = [action.id for action in footer_actions(None, empty=True)]
    assert ids[:3] == ["new", "example", "demo"]


def test_the_help_has_every_action_with_a_help_text() -> None:
    for width in (120, 80, 40):
        shown = "\n".join(text_of(line) for line in draw_help(width, UNICODE))
        for action in ACTIONS:
            if action.help:
                assert f"  {action.shown:<12}{action.help[: width - 20]}"[:24] in shown, action.id


def test_the_palette_says_what_is_done_to_what() -> None:
    titles = {action.id: action.title for action in MAIN_ACTIONS if action.title}
    assert titles["export"] == "Export metrics as CSV"
    assert titles["pager"] == "Open the log in $PAGER"
    assert titles["remove"] == "Remove ended runs"
    assert len(set(titles.values())) == len(titles)
