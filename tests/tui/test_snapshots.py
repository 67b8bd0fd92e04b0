"""What the dashboard looks like: a busy scene at a fixed size, theme and clock.

What changed on purpose is taken anew by `pytest tests/tui/test_snapshots.py --snapshot-update`, and looked at.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from backprop_tui.tui.app import Dashboard
from backprop_tui.tui.charts.source import NoCharts
from backprop_tui.tui.commands import CommandRunner
from backprop_tui.tui.glyphs import ASCII, UNICODE, Glyphs
from backprop_tui.tui.screens.main import MainScreen
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.start_verdict import StartVerdict
from backprop_tui.tui.theme import Preferences
from backprop_tui.tui.widgets.log import LogView
from tests.tui.doubles import FakeBridge, FakeCommands
from tests.tui.scene import SceneCharts, scene
from tests.tui.screens.test_settings import FakeConfig
from tests.tui.snapshots import gpu, sample, snapshot

LOOKS_SECONDS = 20.0


class HeldCommands(FakeCommands):
    """Returns for every draft that it would wait."""

    def __init__(self) -> None:
        super().__init__()
        python = "/home/anna/nanoGPT/.venv/bin/python: the .venv above the script"
        self.verdict = StartVerdict(starts=0, runs=1, message="GPU 1 too hot, 84 °C, starts below 80", python=python)


@dataclass(frozen=True, kw_only=True)
class Look:
    """A screen and the keys that open it."""

    name: str
    size: tuple[int, int] = (120, 40)
    gpus: int = 4
    keys: tuple[str, ...] = ()
    theme: str = "backprop-dark"
    glyphs: Glyphs = UNICODE
    commands: Callable[[], CommandRunner] = FakeCommands


LOOKS = (
    Look(name="main-120x40"),
    Look(name="main-80x24", size=(80, 24), gpus=2),
    Look(name="main-200x50", size=(200, 50), gpus=8),
    Look(name="main-60x20", size=(60, 20), gpus=2),
    Look(name="light-100x30", size=(100, 30), gpus=2, theme="backprop-light"),
    Look(name="ascii-80x24", size=(80, 24), gpus=1, glyphs=ASCII),
    Look(name="failed-100x30", size=(100, 30), gpus=2, keys=("exclamation_mark",)),
    Look(name="held-100x30", size=(100, 30), gpus=2, keys=("j",) * 10),
    Look(name="paused-80x24", size=(80, 24), gpus=2, keys=("j", "4")),
    Look(name="details-120x40", keys=("4", "tab", "plus")),
    Look(name="metrics-100x30", size=(100, 30), gpus=2, keys=("2", "tab", "plus")),
    Look(name="resources-80x24", size=(80, 24), gpus=2, keys=("3", "tab", "plus")),
    Look(name="compare-100x30", size=(100, 30), gpus=2, keys=("space", "space", "c")),
    Look(name="events-80x24", size=(80, 24), gpus=2, keys=("5", "tab", "plus")),
    Look(name="sorted-100x30", size=(100, 30), gpus=12, keys=("v", "l")),
    Look(name="new-run-100x30", size=(100, 30), gpus=2, keys=("n", *"train.py"), commands=HeldCommands),
    Look(name="stop-80x24", size=(80, 24), gpus=2, keys=("s",)),
    Look(name="help-120x40", keys=("question_mark",)),
    Look(name="settings-100x30", size=(100, 30), keys=("comma",), commands=FakeConfig),
)


@pytest.fixture(autouse=True)
def same_everywhere() -> Iterator[None]:
    """Time zone and terminal are the same wherever the test runs."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("NO_COLOR", "COLUMNS", "LINES", "TEXTUAL_COLOR_SYSTEM", "TEXTUAL_THEME"):
            patch.delenv(name, raising=False)
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def _waits(pilot: Pilot[Any]) -> bool:
    """Whether something that is read in the background is not on the screen yet."""
    main = next(screen for screen in pilot.app.screen_stack if isinstance(screen, MainScreen))
    log = main.query_one(LogView)
    return log.path is not None and log.is_on_screen and not (log.page_shown.is_read and log.page_shown.counted >= 1.0)


def settling(keys: tuple[str, ...]) -> Callable[[Pilot[Any]], Awaitable[None]]:
    """Presses the keys; returns when nothing changes any more."""

    async def settle(pilot: Pilot[Any]) -> None:
        await pilot.pause()
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        deadline = time.monotonic() + LOOKS_SECONDS
        before: object = None
        still = 0
        while (still < 3 or _waits(pilot)) and time.monotonic() < deadline:
            await pilot.pause(0.15)
            now = pilot.app.export_screenshot()
            still, before = (still + 1 if now == before else 0), now

    return settle


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_it_looks_as_it_did(look: Look, snap_compare: Callable[..., bool], tmp_path: Path) -> None:
    shows_paths = "details" in look.name
    now = scene(gpus=look.gpus, logs=None if shows_paths else tmp_path)
    app = _app(now, look)
    assert snap_compare(app, terminal_size=look.size, run_before=settling(look.keys))


def test_an_empty_store_looks_as_it_did(snap_compare: Callable[..., bool]) -> None:
    look = Look(name="empty")
    app = _app(snapshot(sample=sample(gpu(0), gpu(1))), look)
    assert snap_compare(app, terminal_size=(100, 30), run_before=settling(()))


def _app(now: Snapshot, look: Look) -> Dashboard:
    preferences = Preferences(theme=look.theme, glyphs=look.glyphs)
    charts = SceneCharts() if now.runs else NoCharts()
    return Dashboard(FakeBridge(now), look.commands(), preferences, charts=charts)
