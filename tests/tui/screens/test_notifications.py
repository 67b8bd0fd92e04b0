"""Ends of runs: one message, and a bell when nobody is looking."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from textual.app import App
from textual.events import AppBlur, AppFocus
from textual.pilot import Pilot

from backprop_tui.domain.status import Status
from backprop_tui.tui import app as app_module
from backprop_tui.tui.app import Dashboard
from backprop_tui.tui.bridge import RunsEnded
from backprop_tui.tui.notifications import RunEnd, TerminalNotifier, ends_between
from backprop_tui.tui.panes.footer import FooterBar, KeysFooter
from backprop_tui.tui.panes.selected_run import METRICS
from backprop_tui.tui.screens import panes_screen
from backprop_tui.tui.screens.help import Help
from backprop_tui.tui.screens.questions import Ask
from backprop_tui.tui.theme import Preferences
from tests.tui.doubles import FakeBridge, FakeCommands
from tests.tui.snapshots import ended, running, snapshot


def ends(*statuses: Status) -> tuple[RunEnd, ...]:
    ids = [f"run-{number}" for number in range(len(statuses))]
    after = [ended(run_id, status) for run_id, status in zip(ids, statuses, strict=True)]
    return ends_between(snapshot(*map(running, ids)), snapshot(*reversed(after)))


def shown(app: App[int]) -> list[str]:
    return [notification.message for notification in app._notifications]


async def announce(
    run_ends: tuple[RunEnd, ...], *, focused: bool | None, problem: str | None = None
) -> tuple[list[str], str]:
    """Return the notifications, and what was written to the terminal."""
    app = Dashboard(FakeBridge(snapshot()), FakeCommands(), Preferences(notices=TerminalNotifier(bell=True, osc=True)))
    written: list[str] = []
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        assert app._driver is not None
        app._driver.write = written.append  # type: ignore[method-assign, assignment]
        if focused is not None:
            app.post_message(AppFocus() if focused else AppBlur())
        await pilot.pause()
        app.post_message(RunsEnded(run_ends, problem=problem))
        await pilot.pause()
        return shown(app), "".join(part for part in written if "\x07" in part)


def test_an_unseen_end_rings_the_bell_once() -> None:
    toasts, written = asyncio.run(announce(ends(Status.COMPLETED, Status.FAILED), focused=False))
    assert toasts == ["run-0 completed · run-1 failed: exit code 1"]
    assert written.endswith("failed: exit code 1\x07\x07")
    assert written.count("]9;") == 2


@pytest.mark.parametrize("focused", [True, None])
def test_a_seen_end_is_only_shown_in_the_window(focused: bool | None) -> None:  # noqa: FBT001
    toasts, written = asyncio.run(announce(ends(Status.COMPLETED), focused=focused))
    assert toasts == ["run-0 completed"]
    assert not written


def test_a_run_stopped_by_the_user_is_not_announced() -> None:
    toasts, written = asyncio.run(announce(ends(Status.STOPPED), focused=False))
    assert not toasts
    assert not written


def test_several_ends_are_one_message() -> None:
    toasts, _ = asyncio.run(announce(ends(*[Status.COMPLETED] * 8), focused=True, problem="notify.command: mad: gone"))
    assert toasts == ["run-0 completed · run-1 completed · 6 more runs ended", "notify.command: mad: gone"]


@asynccontextmanager
async def small_screen() -> AsyncIterator[Pilot[int]]:
    app = Dashboard(FakeBridge(snapshot(running("nano"), ended("old"))), FakeCommands(), Preferences())
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.pause()
        yield pilot


async def last_row(pilot: Pilot[int], expected: str) -> None:
    """Waits until the last row of the screen begins with a text."""
    for _ in range(200):
        await pilot.pause(0.02)
        row = pilot.app.screen._compositor.render_strips()[-1].text
        if row.strip().startswith(expected):
            assert row.endswith("? all keys ")
            return
    raise AssertionError(row)


async def test_keys_are_shown_beside_a_message() -> None:
    """All that fit, at least those that leave and help; a click carries out what is shown there."""
    async with small_screen() as pilot:
        main = pilot.app.main  # type: ignore[attr-defined]
        main.tell("message " * 60, bad=True)
        await last_row(pilot, "message")
        assert main.query_one(FooterBar).line_text(0).split() == ["q", "leave", "?", "all", "keys"]
        main.tell("done")
        await last_row(pilot, "done   n new")
        column = main.query_one(FooterBar).line_text(0).index("s stop")
        await pilot.click(FooterBar, offset=(column, 0))
        await pilot.pause(0.1)
        assert isinstance(pilot.app.screen, Ask)


async def test_the_keys_take_the_line_again_when_the_message_expires() -> None:
    async with small_screen() as pilot:
        pilot.app.main.tell("done", seconds=0.1)  # type: ignore[attr-defined]
        await last_row(pilot, "done")
        await last_row(pilot, "n new")


async def test_an_end_that_the_problem_line_shows_is_not_announced() -> None:
    """Other ends are, for some seconds, though they are problems."""
    failed = ended("bad", Status.FAILED, ago=1)
    app = Dashboard(FakeBridge(snapshot(failed)), FakeCommands(), Preferences())
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.pause()
        app.post_message(RunsEnded(ends_between(snapshot(running("bad")), snapshot(failed))))
        await pilot.pause()
        assert not shown(app)
        app.post_message(RunsEnded(ends(Status.FAILED)))
        await pilot.pause()
        assert shown(app) == ["run-0 failed: exit code 1"]
        assert [notification.timeout for notification in app._notifications] == [6.0]


async def test_an_error_under_a_newer_message_is_seen_again_when_that_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panes_screen, "NEWS_SECONDS", 0.5)
    async with small_screen() as pilot:
        main = pilot.app.main  # type: ignore[attr-defined]
        main.tell("it went wrong", bad=True)
        main.tell("done")
        await last_row(pilot, "done")
        await last_row(pilot, "it went wrong")


async def test_an_end_does_not_hide_the_answer_to_a_key_and_is_shown_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panes_screen, "NEWS_SECONDS", 0.5)
    async with small_screen() as pilot:
        pilot.app.main.tell("baseline of grid")  # type: ignore[attr-defined]
        pilot.app.post_message(RunsEnded(ends(Status.COMPLETED)))
        await pilot.pause()
        await last_row(pilot, "baseline of grid")
        await last_row(pilot, "run-0 completed")
        pilot.app.main.tell("queue held")  # type: ignore[attr-defined]
        await last_row(pilot, "queue held")
        await last_row(pilot, "run-0 completed")


async def test_a_key_ends_an_error_that_could_be_read_and_not_a_newer_message(monkeypatch: pytest.MonkeyPatch) -> None:
    async with small_screen() as pilot:
        main = pilot.app.main  # type: ignore[attr-defined]
        main.tell("done")
        main.tell("it went wrong", bad=True)
        await pilot.press("j")
        await last_row(pilot, "it went wrong")
        monkeypatch.setattr(app_module, "_LEAST_SECONDS", 0.0)
        await pilot.press("k")
        await last_row(pilot, "done")


async def test_a_long_message_is_shown_as_a_whole_and_one_that_fills_the_screen_ends_with_an_ellipsis() -> None:
    async with small_screen() as pilot:
        main = pilot.app.main  # type: ignore[attr-defined]
        refusal = "--resume-from /data/out/step-1200: no checkpoint is there; give a file, or a folder with checkpoints"
        main.tell(refusal, bad=True)
        await last_row(pilot, "there; give a file")
        rows = [strip.text[:58].strip() for strip in pilot.app.screen._compositor.render_strips()[-2:]]
        assert " ".join(rows) == refusal
        main.tell("a long message " * 40, bad=True)
        await last_row(pilot, "message a long message a long")
        rows = [strip.text[:58].strip() for strip in pilot.app.screen._compositor.render_strips()[-4:]]
        assert all(row.startswith(("a long", "long", "message")) for row in rows)
        assert rows[-1].endswith("…")


async def test_an_unknown_key_is_reported() -> None:
    """Not while it is typed into a field, and not a modifier alone."""
    async with small_screen() as pilot:
        app = pilot.app
        await pilot.press("left_shift", "slash", "Z", "f7", "escape", "escape")
        await pilot.pause()
        assert not app._notifications
        await pilot.press("Z", "vertical_line")
        await pilot.pause()
        assert shown(app) == ["Z: no such key", "|: no such key"]


async def test_a_key_with_nothing_to_act_on_is_reported_in_place_of_an_unknown_key() -> None:
    async with small_screen() as pilot:
        for key in ("x", "i", "L", "z", "X", "u"):
            await pilot.press("Z", key)
            await pilot.pause()
            assert shown(pilot.app)[-1] == "no chart is shown that this key could change"
            assert not any("no such key" in message for message in shown(pilot.app))
        await pilot.press("i", "m")
        await pilot.pause()
        assert not shown(pilot.app), "the answer to i ends with m"
        assert pilot.app.main.selected.tab == METRICS  # type: ignore[attr-defined]
        assert not any("no such key" in message for message in shown(pilot.app))
        await pilot.press("u")
        await pilot.pause()
        assert shown(pilot.app)[-1] == "the chart is not zoomed in"
        await pilot.press("w")
        await pilot.pause()
        assert shown(pilot.app)[-1] == "no log is shown that this key could change"


async def test_a_message_during_a_dialog_is_still_there_after_it() -> None:
    async with small_screen() as pilot:
        await pilot.press("s")
        pilot.app.main.tell("done")  # type: ignore[attr-defined]
        await pilot.press("escape")
        await last_row(pilot, "done")
        assert pilot.app.screen is pilot.app.main  # type: ignore[attr-defined]


def test_a_message_leaves_the_last_key_of_the_help_page() -> None:
    async def footer_on_the_help_page() -> str:
        app = Dashboard(FakeBridge(snapshot()), FakeCommands(), Preferences())
        async with app.run_test(size=(80, 24), notifications=True) as pilot:
            app.main.tell("Queue held. Nothing is waiting, and this is a long message to the user", seconds=60)
            await pilot.press("question_mark")
            for _ in range(200):
                await pilot.pause(0.02)
                footers = list(app.screen.query(KeysFooter)) if isinstance(app.screen, Help) else []
                if footers and footers[0].shown_text.startswith(" " * 58):
                    return footers[0].shown_text
            return ""

    assert asyncio.run(footer_on_the_help_page()).split() == ["/", "find", "a", "key", "esc", "back"][-2:]
