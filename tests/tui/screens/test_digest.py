"""The digest on the screen: when it opens, and what its keys do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from textual import events
from textual.pilot import Pilot

from backprop_tui.domain.requests import BY_HEAT
from backprop_tui.domain.run import Cause
from backprop_tui.domain.status import Status
from backprop_tui.tui.absence import AbsenceDigest, DigestRun
from backprop_tui.tui.app import Dashboard
from backprop_tui.tui.bridge import DigestReady
from backprop_tui.tui.panes.digest import Digest
from backprop_tui.tui.panes.runs import RunsTable
from backprop_tui.tui.screens.help import Help
from backprop_tui.tui.screens.main import MainScreen
from backprop_tui.tui.theme import Preferences
from backprop_tui.tui.widgets.line_widget import ScrollView
from tests.tui.doubles import FakeBridge, FakeCommands
from tests.tui.snapshots import NOW, ended, running, snapshot

KILLED = Cause(kind="killed_by_signal", evidence="SIGKILL", advice="look in dmesg", retryable=True)
RUNS = (running("nano"), ended("bad", Status.FAILED, cause=KILLED, ago=600), ended("good", ago=300))
MISSED = AbsenceDigest(
    since=NOW.wall - 4000,
    until=NOW.wall,
    back_at=NOW.wall,
    runs=tuple(DigestRun(run=run) for run in RUNS),
)


@dataclass
class Stage:
    """A dashboard that will get a digest."""

    pilot: Pilot[int]
    bridge: FakeBridge
    commands: FakeCommands

    async def remembers(self, *, opens: bool = True) -> None:
        self.pilot.app.post_message(DigestReady(MISSED, opens=opens))
        await self.pilot.pause()

    @property
    def is_open(self) -> bool:
        return isinstance(self.pilot.app.screen, Digest)


@asynccontextmanager
async def staged(size: tuple[int, int] = (120, 40)) -> AsyncIterator[Stage]:
    bridge, commands = FakeBridge(snapshot(*RUNS)), FakeCommands()
    async with Dashboard(bridge, commands, Preferences()).run_test(size=size, notifications=True) as pilot:
        await pilot.pause()
        yield Stage(pilot, bridge, commands)


async def test_it_shows_what_was_missed_and_enter_goes_to_the_first_failure() -> None:
    async with staged() as stage:
        await stage.remembers()
        assert stage.is_open
        shown = stage.pilot.app.screen.query_one(ScrollView).shown_text
        assert "killed by SIGKILL" in shown
        assert "good" in shown
        await stage.pilot.press("enter")
        main = stage.pilot.app.screen
        assert isinstance(main, MainScreen)
        assert main.query_one(RunsTable).selected == "bad"


async def test_retry_resumes_only_runs_that_a_retry_can_help() -> None:
    async with staged() as stage:
        await stage.remembers()
        await stage.pilot.press("R")
        await stage.pilot.pause()
        assert stage.commands.calls == [("resume", "bad")]
        assert not stage.is_open


async def test_keys_that_are_typed_while_it_opens_are_for_it() -> None:
    async with staged() as stage:
        app = stage.pilot.app
        for key in "DR":
            app.post_message(events.Key(key, key))
        await stage.pilot.pause()
        await stage.pilot.pause(0.1)
        assert stage.commands.calls == [("resume", "bad")]


async def test_d_opens_it_at_once_and_completes_it_when_the_events_are_read() -> None:
    async with staged() as stage:
        await stage.pilot.press("D")
        await stage.pilot.pause()
        assert stage.is_open
        assert stage.bridge.recalls == 1
        assert "for heat" not in stage.pilot.app.screen.query_one(ScrollView).shown_text
        pause = {"time": NOW.wall - 50, "event": "paused", "by": BY_HEAT}
        read = replace(MISSED, runs=(*MISSED.runs, DigestRun(run=running("hot"), events=(pause,))))
        stage.pilot.app.post_message(DigestReady(read, opens=False, is_answer=True))
        await stage.pilot.pause()
        assert "once for heat" in stage.pilot.app.screen.query_one(ScrollView).shown_text
        await stage.pilot.press("escape")
        assert isinstance(stage.pilot.app.screen, MainScreen)
        stage.pilot.app.post_message(DigestReady(read, opens=False, is_answer=True))
        await stage.pilot.pause()
        assert isinstance(stage.pilot.app.screen, MainScreen), "it was closed before"
        assert not stage.pilot.app._notifications
        assert not stage.commands.calls


async def test_it_does_not_open_over_another_screen_or_after_a_key() -> None:
    async with staged() as stage:
        await stage.remembers(opens=False)
        assert isinstance(stage.pilot.app.screen, MainScreen)
        await stage.pilot.press("question_mark")
        await stage.remembers()
        assert isinstance(stage.pilot.app.screen, Help)
        assert [notification.message for notification in stage.pilot.app._notifications] == [
            "2 runs ended while you were away. D shows them"
        ] * 2


async def test_it_fits_small_screens_and_scrolls_there() -> None:
    for size in ((80, 24), (40, 10), (20, 5)):
        async with staged(size) as stage:
            await stage.remembers()
            assert stage.is_open
            await stage.pilot.press("j", "j", "k")
            await stage.pilot.resize_terminal(120, 40)
            await stage.pilot.pause()
            assert "killed by SIGKILL" in stage.pilot.app.screen.query_one(ScrollView).shown_text
