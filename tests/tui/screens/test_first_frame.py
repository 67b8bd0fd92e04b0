"""What the first frame says about stores as the reader finds them, before any supervisor has written its state."""

from __future__ import annotations

import pytest

from backprop_tui.cli.session import Session
from backprop_tui.tui.panes.governor import GovernorBar
from backprop_tui.tui.screens.main import MainScreen
from backprop_tui.tui.store_reader import StoreReader
from tests.support.runs import Runs
from tests.support.store_fixtures import runs, session, workplace
from tests.tui.screens.test_main import staged

__all__ = ["runs", "session", "workplace"]


@pytest.mark.parametrize(
    ("stored", "line", "rows"),
    [
        ("nothing", "✓ queue open  nothing is waiting", "No runs yet. Three ways to start:"),
        ("queued", "starting the background process …", "first-run"),
        ("ended", "✓ queue open  nothing is waiting", "first-run"),
    ],
)
async def test_the_first_frame_is_true(
    session: Session, runs: Runs, monkeypatch: pytest.MonkeyPatch, stored: str, line: str, rows: str
) -> None:
    if stored != "nothing":
        getattr(runs, stored)("abc", name="first-run")
    frames: list[str] = []
    paint = MainScreen.paint

    def note(screen: MainScreen) -> None:
        paint(screen)
        frames.append(screen.query_one(GovernorBar).shown_text)

    monkeypatch.setattr(MainScreen, "paint", note)
    async with staged(StoreReader(session.home, session.config_path).read(None), (80, 24)) as stage:
        assert rows in stage.runs.shown_text
    assert frames
    assert all(line in frame for frame in frames)
