"""Ends of runs: one message, and a bell when nobody is looking."""

from __future__ import annotations

import asyncio

import pytest
from textual.events import AppBlur, AppFocus

from backprop_tui.domain.status import Status
from backprop_tui.tui.app import Dashboard
from backprop_tui.tui.bridge import RunsEnded
from backprop_tui.tui.notifications import RunEnd, TerminalNotifier, ends_between
from backprop_tui.tui.theme import Preferences
from tests.tui.doubles import FakeBridge, FakeCommands
from tests.tui.snapshots import ended, running, snapshot


def ends(*statuses: Status) -> tuple[RunEnd, ...]:
    ids = [f"run-{number}" for number in range(len(statuses))]
    after = [ended(one, status) for one, status in zip(ids, statuses, strict=True)]
    return ends_between(snapshot(*map(running, ids)), snapshot(*reversed(after)))


def shown(app: Dashboard) -> list[str]:
    return [one.message for one in app._notifications]


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
        return shown(app), "".join(one for one in written if "\x07" in one)


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
