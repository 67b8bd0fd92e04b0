"""The registry of actions."""

from __future__ import annotations

import pytest

from backprop_tui.config.keys import KEYS
from backprop_tui.domain.governor.governor_state import GovernorMode
from backprop_tui.domain.governor.reasons import Check
from backprop_tui.domain.status import Status
from backprop_tui.presentation.glossary import GLOSSARY
from backprop_tui.presentation.machine import HELD
from backprop_tui.presentation.states import status_word
from backprop_tui.tui import Mode
from backprop_tui.tui.actions import (
    ACTIONS,
    BY_ID,
    CHANGING_COMMANDS,
    GROUP,
    LOG,
    MAIN_ACTIONS,
    METRICS,
    MOVE,
    RUNS,
)
from backprop_tui.tui.background_calls import READ_ONLY
from backprop_tui.tui.footer_actions import footer_actions, footer_now, log_footer
from backprop_tui.tui.glossary import glossary
from backprop_tui.tui.glyphs import _GLYPHS, UNICODE
from backprop_tui.tui.lines import piece_at, text_of
from backprop_tui.tui.panes.footer import draw_footer, footer_texts
from backprop_tui.tui.panes.waiting import _NAMES
from backprop_tui.tui.screens.help import Help, draw_help
from backprop_tui.tui.screens.main import MainScreen
from backprop_tui.tui.screens.palette import help_entries, main_entries, setting_entries
from backprop_tui.tui.user_commands import UserCommand
from backprop_tui.tui.widgets.line_widget import LineWidget, Page
from tests.tui.screens.test_main import staged
from tests.tui.screens.test_new_run import until
from tests.tui.snapshots import ended, running, snapshot


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
        for group in (frozenset({status}), frozenset()):
            actions = footer_actions(status, group=group)
            assert actions
            assert all(status not in action.refusals for action in actions)
    shorts = {action.id: action.short for action in footer_actions(Status.PAUSED)}
    assert shorts["pause"] == "continue"


def test_the_footer_names_what_a_key_does_now() -> None:
    def texts(status: Status, *, held: bool = False, problem: str = "") -> dict[str, str]:
        return dict(footer_texts(footer_now(footer_actions(status), held=held, problem=problem)))

    assert texts(Status.QUEUED)["H"] == "hold queue"
    assert texts(Status.QUEUED, held=True)["H"] == "release"
    assert "!" not in texts(Status.COMPLETED)
    assert texts(Status.COMPLETED, problem="train failed")["!"] == "next problem"


def test_the_footer_offers_what_applies_to_the_marked_runs_first_to_compare_them() -> None:
    completed, running = Status.COMPLETED, Status.RUNNING
    for status, group in ((completed, set()), (completed, {completed}), (Status.QUEUED, set())):
        keys = footer_texts(footer_actions(status, group=group, marked=(completed, completed, running)))
        assert keys[0] == ("c", "compare")
        assert "c compare" in text_of(draw_footer(keys, 80, note="3 marked"))
    assert "stop" in {action.id for action in footer_actions(running, marked=(running, completed))}
    assert "stop" not in {action.id for action in footer_actions(running, marked=(completed,))}


@pytest.mark.parametrize("group", [True, False])
@pytest.mark.parametrize("status", [*Status, None])
def test_in_80_columns_the_footer_names_the_keys_that_filter_and_leave(status: Status | None, *, group: bool) -> None:
    keys = footer_texts(footer_actions(status, group={status} if group and status is not None else set()))
    shown = text_of(draw_footer(keys, 80))
    assert ("/ filter" in shown) == (("/", "filter") in keys)
    assert shown.endswith("? all keys ")
    assert "q leave" in shown
    assert piece_at(draw_footer(keys, 80), shown.index("q leave")).click == "press('q')"
    assert not piece_at(draw_footer(keys, 80), shown.index("q leave") - 1).click


def test_in_120_columns_the_footer_of_the_log_names_the_key_that_goes_to_a_line() -> None:
    keys = footer_texts(log_footer(searching=False, escapable=False))
    assert "   : line   " in text_of(draw_footer(keys, 120))
    assert ": line" not in text_of(draw_footer(keys, 80))


def test_the_footer_of_a_group_has_what_applies_to_a_member() -> None:
    def ids(*group: Status) -> list[str]:
        return [action.id for action in footer_actions(group[0], group=set(group))]

    assert {"resume", "retry_group"}.isdisjoint(ids(Status.COMPLETED))
    assert {"resume", "retry_group"} <= set(ids(Status.COMPLETED, Status.FAILED))
    assert "retry_group" not in ids(Status.COMPLETED, Status.STOPPED)


def test_an_empty_store_offers_the_example_and_the_demo() -> None:
    ids = [action.id for action in footer_actions(None, empty=True)]
    assert ids[:3] == ["new", "example", "demo"]


def test_the_help_has_every_action_with_a_help_text() -> None:
    for width in (120, 80, 40):
        shown = "\n".join(text_of(line) for line in draw_help(width, UNICODE))
        for action in ACTIONS:
            if action.help:
                assert f"  {action.shown:<12}{action.help[: width - 20]}"[:24] in shown, action.id


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_no_text_of_the_help_is_cut(width: int) -> None:
    lines = [text_of(line) for line in draw_help(width, UNICODE)]
    assert [line for line in lines if "…" in line] == []


def test_the_palette_says_what_is_done_to_what() -> None:
    titles = {action.id: action.title for action in MAIN_ACTIONS if action.title}
    assert titles["export"] == "Export metrics as CSV"
    assert titles["pager"] == "Open the log in $PAGER"
    assert titles["remove"] == "Remove ended runs"
    assert len(set(titles.values())) == len(titles)


def test_the_help_explains_every_state_and_mark() -> None:
    shown = [text_of(line).split() for line in draw_help(120, UNICODE)]
    for state in Status:
        assert any(line[:2] == [UNICODE.state(state), status_word(state)] and len(line) > 4 for line in shown), state
    assert ["◆", "checkpoint"] in [line[:2] for line in shown]


def words_of_the_screens() -> list[str]:
    """Every state, mark, check and setting."""
    drawn = {
        "bar_full",
        "bar_half",
        "bar_track",
        "rule",
        "rule_focused",
        "between",
        "divider",
        "times",
        "clipped",
    }  # lines, text
    marks = [getattr(UNICODE, name) for name in _GLYPHS if name not in drawn]
    states = [word for state in Status for word in (state.value, status_word(state), UNICODE.state(state))]
    queue = [word for state in (*GovernorMode, HELD) for word in (state, UNICODE.state(state)) if word.strip()]
    checks = [_NAMES.get(check, check.value) for check in Check]
    settings = [name for name, key in KEYS.items() if not key.sample]
    return [*marks, *states, *queue, *checks, *settings, "slots", "remedy", "unclaimed", "~", "±", "heat", "log out"]


def test_the_help_finds_every_word_and_symbol_of_the_screens() -> None:
    for search in words_of_the_screens():
        shown = [text_of(line) for line in draw_help(80, UNICODE, search=search)]
        assert not any("Nothing matches" in line for line in shown), search
        if search in ("waiting", "queued"):
            assert any(line.split()[:3] == ["◌", "waiting", "waits;"] for line in shown)


async def test_the_palette_finds_every_word_and_symbol_of_the_screens() -> None:
    async with staged() as stage:
        main = stage.main
        entries = [*main_entries(main), *setting_entries(main, ""), *help_entries(main)]
        missing = [search for search in words_of_the_screens() if not any(entry.score(search) for entry in entries)]
        assert missing == []


async def test_an_explanation_in_the_palette_opens_the_help_at_it() -> None:
    async with staged() as stage:
        entry = max(help_entries(stage.main), key=lambda entry: entry.score("unclaimed"))
        entry.call()
        await until(stage, lambda: isinstance(stage.pilot.app.screen, Help))
        await until(stage, lambda: "less what runs that just" in stage.pilot.app.screen.query_one(Page).shown_text)
        assert "esc all keys" in stage.pilot.app.screen.query_one("#footer", LineWidget).shown_text


async def test_the_help_says_that_there_is_more_below_and_goes_to_its_end() -> None:
    async with staged(size=(80, 24)) as stage:
        await stage.pilot.press("question_mark")
        await until(stage, lambda: isinstance(stage.pilot.app.screen, Help))
        page = stage.pilot.app.screen.query_one(Page)
        rows = len(draw_help(80, UNICODE))
        assert page.shown_text.splitlines()[-1] == f"  {rows - page.size.height + 1} more rows below"
        await stage.pilot.press("G")
        assert GLOSSARY[-1].text in page.shown_text.splitlines()[-1]
        await stage.pilot.press("g")
        assert "more rows below" in page.shown_text.splitlines()[-1]


@pytest.mark.parametrize(
    ("keys", "section"), [("1", RUNS), ("1 tab", LOG), ("2 tab", METRICS), ("3 tab", METRICS), ("5 tab", MOVE)]
)
async def test_the_help_begins_with_the_keys_of_the_focused_pane(keys: str, section: str) -> None:
    async with staged(snapshot(ended("a"))) as stage:
        await stage.pilot.press(*keys.split(), "question_mark")
        await until(stage, lambda: isinstance(stage.pilot.app.screen, Help))
        page = stage.pilot.app.screen.query_one(Page)
        await until(stage, lambda: page.shown_text.splitlines()[2].strip().startswith(section))


async def test_the_help_of_a_focused_group_begins_with_its_keys() -> None:
    members = (ended("a", group="g"), ended("b", group="g"))
    async with staged(snapshot(*members)) as stage:
        stage.runs.select("group:g")
        await stage.pilot.press("tab", "question_mark")
        await until(stage, lambda: isinstance(stage.pilot.app.screen, Help))
        page = stage.pilot.app.screen.query_one(Page)
        await until(stage, lambda: page.shown_text.splitlines()[2].strip().startswith(GROUP))


def test_a_long_name_of_a_command_is_not_cut_in_the_help() -> None:
    command = UserCommand(name="a long command line " * 5, line="ls", key="f5", shown_key="f5")
    lines = [text_of(line) for line in draw_help(120, UNICODE, commands=[command])]
    assert sum("long" in line for line in lines) > 1
    assert [line for line in lines if "…" in line] == []


@pytest.mark.parametrize("first", [LOG, METRICS, RUNS])
def test_the_section_of_the_focused_pane_comes_first(first: str) -> None:
    assert text_of(draw_help(120, UNICODE, first=first)[2]).strip().startswith(first)


@pytest.mark.parametrize(
    "action_id", sorted(action.id for action in MAIN_ACTIONS if action.command in CHANGING_COMMANDS)
)
async def test_a_read_only_dashboard_refuses_every_action_that_changes_something(action_id: str) -> None:
    action = BY_ID[action_id]
    now = snapshot(running("a"), mode=Mode.READ_ONLY)
    async with staged(now) as stage:
        await stage.pilot.press(action.keys[0])
        await stage.pilot.pause()
        assert stage.commands.calls == []
        assert stage.pilot.app.screen is stage.main
        assert "READ-ONLY" in stage.main.query_one("#header", LineWidget).shown_text
        if action.with_runs is not False:
            assert READ_ONLY in [note.message for note in stage.pilot.app._notifications]


async def test_a_slash_in_the_help_searches_its_rows_and_esc_ends_the_search() -> None:
    async with staged(size=(80, 24)) as stage:
        app = stage.pilot.app
        await stage.pilot.press("question_mark", "slash", *"temperature")  # at once: keys belong to the help that opens
        await until(stage, lambda: isinstance(app.screen, Help))
        page = app.screen.query_one(Page)
        await until(stage, lambda: "gpu_temperature" in page.shown_text)
        assert "new run" not in page.shown_text
        await stage.pilot.press("enter", "escape")
        await until(stage, lambda: "new run" in page.shown_text)
        assert isinstance(app.screen, Help)
        await stage.pilot.press("escape")
        await until(stage, lambda: app.screen is stage.main)
        assert not stage.main.state.filter


@pytest.mark.parametrize("search", ["", "gpu"])
def test_the_meanings_of_words_begin_in_one_column(search: str) -> None:
    lines = [text_of(line) for line in draw_help(120, UNICODE, search=search)]
    for is_setting in (False, True):
        columns = set()
        for term in glossary(UNICODE):
            if term.setting == is_setting and term.matches(search):
                row = next(row for row in lines if row.startswith(f"  {term.glyph} {term.name} "))
                columns.add(row.index(f" {term.text[:12]}"))
        assert len(columns) <= 1


@pytest.mark.parametrize("search", ["timebox", "what is a timebox"])
def test_the_word_that_is_searched_for_is_explained_first(search: str) -> None:
    lines = [text_of(line) for line in draw_help(120, UNICODE, search=search)]
    title = lines.index("  States, symbols and terms")
    assert lines[title + 1].split()[0] == "timebox"
