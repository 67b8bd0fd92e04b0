"""Only what is shown is acted upon; menus; completed runs; borrowed tabs; zoom; failures that were seen; undo."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from backprop_tui.domain.errors import UsageError
from backprop_tui.domain.run import Dependency
from backprop_tui.domain.status import Status
from backprop_tui.tui.background_calls import CommandResult
from backprop_tui.tui.lines import Line
from backprop_tui.tui.panes import runs
from backprop_tui.tui.panes.footer import FooterBar
from backprop_tui.tui.panes.run_row import RunRow
from backprop_tui.tui.panes.run_table import draw_run
from backprop_tui.tui.panes.selected_run import DETAILS, LOG, METRICS, RESOURCES
from backprop_tui.tui.run_requests import RunSource
from backprop_tui.tui.screens.new_run import NewRun
from backprop_tui.tui.screens.questions import QuestionText
from backprop_tui.tui.widgets.line_widget import LineWidget
from tests.tui.doubles import FakeCommands
from tests.tui.screens.test_main import HELD_RUN, RUNS, Stage, staged
from tests.tui.snapshots import ended, queued, running, snapshot


async def press(stage: Stage, *keys: str) -> None:
    for key in keys:
        await stage.pilot.press(key)
        await stage.pilot.pause()


def messages(stage: Stage) -> list[str]:
    return [notification.message for notification in stage.pilot.app._notifications]


def question(stage: Stage) -> str:
    return stage.pilot.app.screen.query_one(QuestionText).shown_text


def footer(stage: Stage) -> str:
    return stage.main.query_one(FooterBar).shown_text.strip()


async def test_a_filter_that_hides_everything_leaves_nothing_to_act_upon() -> None:
    async with staged() as stage:
        await press(stage, "slash", *"nomatch", "enter", "p", "d", "space", "N")
        assert stage.commands.calls == []
        assert set(messages(stage)) == {"Nothing is shown: esc clears the filter"}
        assert stage.selected.view is None
        await press(stage, "escape", "p")
        assert stage.commands.calls == [("pause", "nano")]


async def test_marked_runs_that_the_filter_hides_are_left_alone() -> None:
    async with staged() as stage:
        await press(stage, "space", "space", "slash", *"vit", "enter")
        assert footer(stage).startswith("1 marked, 1 hidden")
        await press(stage, "p")
        assert stage.commands.calls == [("pause", "vit")]
        await press(stage, "slash", "ctrl+u", *"good", "enter", "p")
        assert messages(stage)[-1] == "2 marked runs not shown: esc clears the filter"
        assert len(stage.commands.calls) == 1


async def test_the_row_of_a_group_stands_for_the_members_that_match_the_filter() -> None:
    members = [
        running(f"m{number}", name=f"sweep {number}", group="sweep", tags=(f"t{number}",)) for number in (1, 2, 3)
    ]
    async with staged(snapshot(*members)) as stage:
        stage.runs.select("group:sweep")
        await press(stage, "h", "p")
        assert stage.commands.calls == [("pause", "m1", "m2", "m3")]
        await press(stage, "slash", *"t[12]", "enter")
        stage.runs.select("group:sweep")
        await press(stage, "s")
        assert "Stop 2 runs of sweep?" in question(stage)
        await press(stage, "enter")
        assert stage.commands.calls[1:] == [("stop", "m1", "m2")]


async def test_an_asterisk_marks_all_that_are_shown_and_unmarks_them() -> None:
    async with staged() as stage:
        await press(stage, "slash", *"wait", "enter", "asterisk")
        assert stage.main.state.marked == {"wait-1", "wait-2"}
        await press(stage, "asterisk")
        assert stage.main.state.marked == set()


async def test_marking_row_after_row_stops_at_the_last_one() -> None:
    async with staged() as stage:
        last = stage.runs.view.ids[-1]
        await press(stage, "G", "k", "space", "space", "space")
        assert len(stage.main.state.marked) == 2
        assert messages(stage)[-1] == "That was the last row; k goes back up"
        await press(stage, "k", "j", "space")
        assert last not in stage.main.state.marked
        await press(stage, "space", "escape", "space", "space")
        assert stage.main.state.marked == set()


async def test_on_the_last_row_space_marks_and_unmarks_it() -> None:
    async with staged() as stage:
        await stage.pilot.press("G")
        last = stage.runs.selected
        for marked in ({last}, set(), {last}, set()):
            await stage.pilot.press("space")
            assert stage.main.state.marked == marked


async def test_a_mark_draws_only_its_row_and_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: set[str] = set()

    def draw(row: RunRow, *arguments: Any, **options: Any) -> Line:
        drawn.add(row.run_id)
        return draw_run(row, *arguments, **options)

    async with staged() as stage:
        monkeypatch.setattr(runs, "draw_run", draw)
        before = stage.runs.selected
        await press(stage, "space")
        assert drawn == {before, stage.runs.selected}


async def test_messages_say_which_runs_and_how_many_of_them() -> None:
    async with staged() as stage:
        await press(stage, "asterisk", "s")
        assert "Stop 4 of 6 marked runs?" in question(stage)
        await press(stage, "escape", "asterisk", "space", "space", "r")
        assert messages(stage)[-1] == "Resume applies to none of 2 marked runs: 2 running"


async def test_runs_that_wait_for_another_are_named_before_it_is_removed() -> None:
    commands = FakeCommands()
    waiting = queued("evaluate", spec={"after": (Dependency(run="a", any_end=True),)})
    async with staged(snapshot(waiting, ended("a"), ended("b")), commands=commands) as stage:
        stage.runs.select("a")
        await press(stage, "d")
        assert messages(stage)[-1] == "a: not removed, because evaluate waits for it. s stops what waits"
        await press(stage, "asterisk", "d")
        assert "1 run left: evaluate waits for it." in question(stage)
        await press(stage, "y")
        assert commands.calls == [("remove", "b")]


@pytest.mark.parametrize(("any_end", "is_lost"), [(False, True), (True, False)])
async def test_runs_that_wait_for_a_success_are_named_before_it_is_stopped(*, any_end: bool, is_lost: bool) -> None:
    waiting = queued("evaluate", spec={"after": (Dependency(run="first", any_end=any_end),)})
    async with staged(snapshot(running("first"), waiting)) as stage:
        for key in ("s", "S"):
            await press(stage, key)
            assert ("evaluate waits for it and will be stopped too." in question(stage)) is is_lost
            await press(stage, "escape")


async def test_marks_of_removed_runs_are_forgotten() -> None:
    async with staged() as stage:
        await press(stage, "space", "space")
        await stage.becomes(snapshot(*RUNS[1:]))
        assert footer(stage).startswith("1 marked ")


# Menus


async def test_a_menu_has_a_cursor_and_enter_does_what_is_marked() -> None:
    async with staged() as stage:
        await press(stage, "s", "j", "enter")
        assert stage.commands.calls == [("stop", "nano", "after_checkpoint")]
        await press(stage, "s", "G", "enter")  # cancel
        await press(stage, "s", "down", "down", "k", "up", "enter")
        assert stage.commands.calls[1:] == [("stop", "nano")]


async def test_a_click_on_an_answer_does_it() -> None:
    async with staged() as stage:
        await press(stage, "s")
        row = next(row for row, line in enumerate(question(stage).splitlines()) if "kill now" in line)
        await stage.pilot.click(QuestionText, offset=(10, row))
        await stage.pilot.pause()
        assert stage.commands.calls == [("stop", "nano", "now")]


@pytest.mark.parametrize("key", ["S", "d"])
async def test_where_something_is_lost_cancel_is_marked(key: str) -> None:
    async with staged() as stage:
        stage.runs.select("good" if key == "d" else "nano")
        await press(stage, key, "enter")
        assert stage.commands.calls == []
        await press(stage, key, "k", "enter")
        assert len(stage.commands.calls) == 1


@pytest.mark.parametrize("line", ["ssh host", "scp 5 x:", "sleep 5", "stop", "dark", "tail -n 60"])
async def test_a_line_for_another_window_answers_no_question(line: str) -> None:
    keys = {" ": "space", "-": "minus", ":": "colon"}
    async with staged() as stage:
        if line[0] == "d":
            stage.runs.select("good")
        await press(stage, *(keys.get(character, character) for character in line), "enter")
        assert stage.commands.calls == []
        assert stage.pilot.app.screen is stage.main


async def test_after_a_stray_letter_the_arrows_choose_again() -> None:
    async with staged() as stage:
        await press(stage, "s", "x", "j", "up", "up", "up", "enter")
        assert stage.commands.calls == [("stop", "nano")]


async def test_a_menu_larger_than_the_screen_scrolls_to_its_cursor() -> None:
    async with staged(size=(60, 10)) as stage:
        await press(stage, "t", "G")
        assert "cancel" in question(stage)
        await press(stage, "g")
        assert "+10m" in question(stage)


@pytest.mark.parametrize("key", ["s", "t", "n"])
async def test_a_dialog_leaves_no_dead_keys_in_the_footer(key: str) -> None:
    async with staged() as stage:
        before = footer(stage)
        await press(stage, key)
        assert footer(stage) == ""
        await stage.becomes(snapshot(*RUNS))
        assert footer(stage) == ""
        await press(stage, "escape")
        assert footer(stage) == before


# Completed runs


async def test_a_completed_run_is_run_again_as_a_new_run_after_a_question() -> None:
    async with staged() as stage:
        stage.runs.select("good")
        await press(stage, "r")
        assert "good has completed. Run it again?" in question(stage)
        await press(stage, "escape")
        assert stage.commands.calls == []
        await press(stage, "r", "enter")
        assert stage.commands.calls == [("run_again", "good")]
        await press(stage, "r", "I")
        assert stage.commands.calls[1:] == [("resume", "good")]


async def test_of_several_runs_it_says_how_many_are_resumed_and_how_many_run_again() -> None:
    mixed = [ended("a"), ended("b"), ended("c", Status.FAILED), ended("d", Status.TIMEBOXED), ended("e", Status.LOST)]
    async with staged(snapshot(*mixed)) as stage:
        await press(stage, "asterisk", "r")
        assert "Resume 5 marked runs? 3 ended early, 2 completed." in question(stage)
        await press(stage, "enter")
        assert stage.commands.calls == [("resume", "c"), ("resume", "d"), ("resume", "e"), ("run_again", "a", "b")]
        assert "3 of 3 runs: queued again" in messages(stage)
        stage.commands.calls.clear()
        await press(stage, "r", "e")
        assert stage.commands.calls == [("resume", "c"), ("resume", "d"), ("resume", "e")]


class NoOptions(FakeCommands):
    """Of a store whose runs cannot be copied."""

    async def run_source(self, run_id: str, *, to_edit: bool = False) -> RunSource:
        raise UsageError(f"run {run_id} was recorded by the original Backprop")


async def test_a_run_that_cannot_be_read_is_not_copied_and_the_reason_is_shown() -> None:
    async with staged(commands=NoOptions()) as stage:
        await press(stage, "N")
        assert messages(stage) == ["run nano was recorded by the original Backprop"]
        assert not isinstance(stage.pilot.app.screen, NewRun)


async def test_a_waiting_run_is_not_killed_but_taken_out_of_the_queue() -> None:
    async with staged() as stage:
        stage.runs.select("wait-1")
        await press(stage, "S")
        assert "Take wait-1 out of the queue?" in question(stage)


async def test_every_press_counts_while_a_run_is_being_moved() -> None:
    commands = FakeCommands()
    free = asyncio.Event()
    move = commands.move

    async def slow(run_ids: Sequence[str], by: int) -> CommandResult:
        await free.wait()
        return await move(run_ids, by)

    commands.move = slow  # type: ignore[method-assign]
    async with staged(commands=commands) as stage:
        await press(stage, "j", "j", *"JJJJJ", "K", *"JJ")
        free.set()
        await stage.pilot.pause()
        assert commands.calls == [("move", "wait-1", 1), ("move", "wait-1", 5)]
        await press(stage, "K")
        assert commands.calls[2:] == [("move", "wait-1", -1)]


async def test_marked_waiting_runs_are_moved_together() -> None:
    async with staged() as stage:
        stage.runs.select("wait-1")
        await press(stage, "space", "space", "K")
        assert [sorted(map(str, call[1:3])) for call in stage.commands.calls] == [["wait-1", "wait-2"]]
        assert [call[3] for call in stage.commands.calls] == [-1]


async def test_capital_u_undoes() -> None:
    async with staged() as stage:
        await press(stage, "U")
        assert stage.commands.calls == [("undo",)]


# Tabs and zoom


async def test_the_details_are_borrowed_for_a_waiting_row_only() -> None:
    held = queued("held", holds=HELD_RUN.record["hold_reasons"])
    async with staged(snapshot(running("first"), held, ended("last"))) as stage:
        await press(stage, "2")
        tabs = []
        for key in ("j", "j", "k", "3", "j", "k"):
            await press(stage, key)
            tabs.append(stage.selected.tab)
        assert tabs == [DETAILS, METRICS, DETAILS, RESOURCES, RESOURCES, DETAILS]


async def test_the_log_of_a_failure_is_borrowed_the_first_time() -> None:
    async with staged() as stage:
        await press(stage, "2", "exclamation_mark")
        assert (stage.runs.cursor, stage.selected.tab) == ("bad", LOG)
        await press(stage, "j", "k")
        assert (stage.runs.cursor, stage.selected.tab) == ("bad", METRICS)


async def test_enter_in_the_zoomed_runs_zooms_the_run_and_esc_goes_back() -> None:
    async with staged() as stage:
        await press(stage, "plus")
        assert not stage.selected.display
        await press(stage, "enter")
        assert (stage.runs.display, stage.selected.display) == (False, True)
        assert stage.selected.has_focus_within
        await press(stage, "escape")
        assert (stage.runs.display, stage.selected.display) == (True, False)
        assert stage.runs.has_focus
        await press(stage, "escape")
        assert stage.selected.display


async def test_failures_that_were_looked_at_are_known_to_the_next_dashboard() -> None:
    async with staged() as stage:
        assert "bad failed" in stage.main.query_one("#problem", LineWidget).shown_text
        await press(stage, "escape")
        assert stage.bridge.seen_failures == {"bad"}
