"""The bridge: posts messages about changes, and keeps a supervisor and a sampler when they are needed."""

from __future__ import annotations

import asyncio
import gc
import os
from glob import glob
from pathlib import Path

import pytest
from textual.message import Message

from backprop_tui.domain.errors import StateUnavailable
from backprop_tui.domain.status import Status
from backprop_tui.launchers.sampler_process import SamplerProcess
from backprop_tui.launchers.supervisor_process import SupervisorProcess
from backprop_tui.probes.logout import LogoutEffect
from backprop_tui.store.failures import SUPERVISOR, note_failure
from backprop_tui.store.home import Home
from backprop_tui.tui import Mode
from backprop_tui.tui import bridge as bridge_module
from backprop_tui.tui.absence import WindowFocus
from backprop_tui.tui.bridge import UNFOCUSED_SECONDS, Bridge, EventsRead, StoreFailed, StoreRead
from backprop_tui.tui.notifications import EndCommand
from tests.support.runs import Runs
from tests.tui.snapshots import ended, running, snapshot


@pytest.fixture
def store(home: Path) -> Home:
    store = Home(str(home / "backprop"), "this-host")
    store.prepare()
    return store


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The processes that would have been started."""
    called: list[str] = []
    monkeypatch.setattr(SupervisorProcess, "ensure", lambda _: called.append("supervisor"))
    monkeypatch.setattr(SamplerProcess, "ensure", lambda _, __: called.append("sampler"))
    return called


async def _posted(bridge: Bridge, count: int) -> list[Message]:
    """The first messages."""
    posted: list[Message] = []
    enough = asyncio.Event()

    def post(message: Message) -> None:
        posted.append(message)
        if len(posted) >= count:
            enough.set()

    following = asyncio.create_task(bridge.follow(post))
    await asyncio.wait_for(enough.wait(), 10)
    following.cancel()
    bridge.close()
    return posted


def _bridge(store: Home) -> Bridge:
    return Bridge(store, os.path.join(store.root, "config.toml"), 0.01)


def test_unfinished_work_without_a_supervisor_gets_one(store: Home, calls: list[str]) -> None:
    Runs(store).queued("a")
    posted = asyncio.run(_posted(_bridge(store), 3))
    assert all(isinstance(message, StoreRead) for message in posted)
    assert calls.count("supervisor") == 1


def test_a_supervisor_that_keeps_failing_is_shown_and_not_started_in_its_pause(store: Home, calls: list[str]) -> None:
    Runs(store).queued("a")
    for _ in range(5):
        note_failure(store, SUPERVISOR, "ValueError: x")
    posted = asyncio.run(_posted(_bridge(store), 2))
    assert "supervisor" not in calls
    assert isinstance(posted[0], StoreRead)
    assert posted[0].snapshot.problem == "the supervisor keeps failing, ValueError: x: backprop-tui doctor"


def test_a_read_only_dashboard_starts_nothing_and_writes_nothing(store: Home, calls: list[str]) -> None:
    Runs(store).queued("a")
    before = {path: os.stat(path).st_mtime_ns for path in glob(f"{store.root}/**", recursive=True)}
    bridge = Bridge(store, os.path.join(store.root, "config.toml"), 0.01, mode=Mode.READ_ONLY)
    posted = asyncio.run(_posted(bridge, 1))
    assert calls == []
    assert isinstance(posted[0], StoreRead)
    assert posted[0].snapshot.is_read_only
    assert {path: os.stat(path).st_mtime_ns for path in glob(f"{store.root}/**", recursive=True)} == before


@pytest.mark.parametrize(("mode", "ends_handled"), [(Mode.NORMAL, 1), (Mode.READ_ONLY, 0)])
def test_a_read_only_dashboard_reports_ends_without_the_command_for_them(
    store: Home, mode: Mode, ends_handled: int
) -> None:
    focus = WindowFocus()
    focus.set_focused(focused=False)
    path = os.path.join(store.root, "config.toml")
    bridge = Bridge(store, path, 0.01, focus, mode=mode, end_command=EndCommand(store, "true"))
    bridge._last = snapshot(running("a"))
    (message,) = bridge._end_messages(snapshot(ended("a", Status.FAILED)))
    assert (len(message.ends), message.problem) == (1, None)
    handled = Path(store.notified_ends)
    assert (len(handled.read_text().splitlines()) if handled.exists() else 0) == ends_handled


def test_no_supervisor_is_started_for_runs_of_another_machine(store: Home, calls: list[str]) -> None:
    Runs(store).queued("a", host="another")
    asyncio.run(_posted(_bridge(store), 2))
    assert "supervisor" not in calls


def test_without_a_supervisor_the_bridge_runs_a_sampler(store: Home, calls: list[str]) -> None:
    asyncio.run(_posted(_bridge(store), 1))
    assert calls
    assert set(calls) == {"sampler"}


def test_nothing_is_posted_if_nothing_changed(store: Home, calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    Runs(store).ended("a")

    async def play() -> int:
        looked_often = asyncio.Event()
        loop = asyncio.get_running_loop()

        def ensure(_: SamplerProcess, __: float) -> None:
            calls.append("sampler")
            if len(calls) == 20:
                loop.call_soon_threadsafe(looked_often.set)

        monkeypatch.setattr(SamplerProcess, "ensure", ensure)
        posted: list[Message] = []
        bridge = _bridge(store)
        bridge.first()
        following = asyncio.create_task(bridge.follow(posted.append))
        await asyncio.wait_for(looked_often.wait(), 10)
        following.cancel()
        bridge.close()
        return len(posted)

    assert asyncio.run(play()) <= 1  # the minute may have turned


@pytest.mark.usefixtures("calls")
def test_selecting_a_run_reads_its_events_and_nothing_else(store: Home) -> None:
    Runs(store).queued("a")

    async def play() -> list[Message]:
        posted: asyncio.Queue[Message] = asyncio.Queue()
        bridge = Bridge(store, "none", 60.0)
        following = asyncio.create_task(bridge.follow(posted.put_nowait))
        messages = [await asyncio.wait_for(posted.get(), 10)]
        bridge.select("a")
        messages.append(await asyncio.wait_for(posted.get(), 10))
        bridge.look()
        messages.append(await asyncio.wait_for(posted.get(), 10))
        following.cancel()
        bridge.close()
        return messages

    first, events, second = asyncio.run(play())
    assert isinstance(first, StoreRead)
    assert isinstance(events, EventsRead)
    assert events.opened is not None
    assert [event["event"] for event in events.opened.events] == ["queued"]
    assert isinstance(second, StoreRead)
    assert second.snapshot.opened == events.opened


class Typist(WindowFocus):
    """A user who types until the test clears `is_typing`."""

    is_typing = True


@pytest.mark.usefixtures("calls")
def test_polls_and_collections_of_garbage_wait_while_keys_are_pressed(
    store: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    collected: list[int] = []
    monkeypatch.setattr(gc, "collect", collected.append)
    monkeypatch.setattr(bridge_module, "_NEW_OBJECTS", 0)
    for run_id in "abc":
        Runs(store).queued(run_id)

    async def play() -> tuple[list[type[Message]], int]:
        posted: asyncio.Queue[Message] = asyncio.Queue()
        focus = Typist()
        bridge = Bridge(store, "none", 0.0, focus)
        following = asyncio.create_task(bridge.follow(posted.put_nowait))
        messages = [await asyncio.wait_for(posted.get(), 10)]
        for run_id in "abc":
            bridge.select(run_id)
            messages.append(await asyncio.wait_for(posted.get(), 10))
        before = len(collected)
        focus.is_typing = False
        messages.append(await asyncio.wait_for(posted.get(), 10))
        following.cancel()
        bridge.close()
        return list(map(type, messages)), before

    messages, before = asyncio.run(play())
    assert messages == [StoreRead, EventsRead, EventsRead, EventsRead, StoreRead]
    assert before == 0 < len(collected)


@pytest.mark.usefixtures("calls")
def test_a_poll_does_not_wait_for_keys_without_an_end(store: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    collected: list[int] = []
    monkeypatch.setattr(gc, "collect", collected.append)
    monkeypatch.setattr(bridge_module, "_NEW_OBJECTS", 0)
    monkeypatch.setattr(bridge_module, "MOST_PUT_OFF_SECONDS", 0.0)
    Runs(store).queued("a")
    assert len(asyncio.run(_posted(Bridge(store, "none", 0.01, Typist()), 3))) == 3
    assert collected == []


def test_a_supervisor_that_cannot_be_started_is_reported_and_the_bridge_continues(
    store: Home, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: SupervisorProcess) -> None:
        raise StateUnavailable("held by another machine")

    monkeypatch.setattr(SupervisorProcess, "ensure", refuse)
    Runs(store).queued("a")
    first, second = asyncio.run(_posted(_bridge(store), 2))
    assert isinstance(first, StoreFailed)
    assert first.reason == "held by another machine"
    assert isinstance(second, StoreRead)
    assert calls == [] or set(calls) == {"sampler"}


def test_the_effect_of_a_logout_is_asked_once_and_not_in_the_first_poll(
    store: Home, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    logout = LogoutEffect(survives=True, reason="linger is on")

    def answer(user: str) -> LogoutEffect:
        asked.append(user)
        return logout

    monkeypatch.setattr("backprop_tui.probes.logout.logout_effect", answer)
    Runs(store).queued("a")
    first, second, third = asyncio.run(_posted(_bridge(store), 3))
    assert isinstance(first, StoreRead)
    assert isinstance(second, StoreRead)
    assert isinstance(third, StoreRead)
    assert [message.snapshot.logout for message in (first, second, third)] == [None, logout, logout]
    assert len(asked) == 1


def test_a_window_without_focus_is_polled_less_often(store: Home) -> None:
    focus = WindowFocus()
    slow = Bridge(store, "none", 1.0, focus)
    focus.set_focused(focused=False)
    assert slow.pause_seconds == UNFOCUSED_SECONDS
    focus.set_focused(focused=True)
    assert slow.pause_seconds == 1.0
    slow.close()


def test_the_traceback_of_an_internal_error_is_saved(
    store: Home, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(_: SupervisorProcess) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(SupervisorProcess, "ensure", break_down)
    Runs(store).queued("a")
    (posted,) = asyncio.run(_posted(_bridge(store), 1))
    assert isinstance(posted, StoreFailed)
    assert "faults.log" in posted.reason
    assert "ZeroDivisionError" in Path(store.root, "faults.log").read_text()


@pytest.mark.usefixtures("calls")
def test_failures_that_the_screen_shows_are_stored(store: Home) -> None:
    Runs(store).ended("a", Status.FAILED, exit_code=1)
    bridge = _bridge(store)
    bridge.first()
    bridge.seen_failures.add("a")
    asyncio.run(_posted(bridge, 1))
    following = _bridge(store)
    following.first()
    assert following.seen_failures == {"a"}


@pytest.mark.usefixtures("calls")
def test_the_garbage_collector_leaves_out_what_was_read_while_the_dashboard_is_open(
    store: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then it looks at thousands of runs whenever it looks at everything, and keys wait for that."""
    before, threshold = gc.get_freeze_count(), gc.get_threshold()
    left_out: list[int] = []
    close = Bridge.close

    def closing(bridge: Bridge) -> None:
        left_out.append(gc.get_freeze_count())
        close(bridge)

    monkeypatch.setattr(Bridge, "close", closing)
    try:
        asyncio.run(_posted(_bridge(store), 1))
    finally:
        gc.set_threshold(*threshold)
    assert left_out[0] > before
    assert gc.get_freeze_count() <= before
    assert gc.isenabled()
