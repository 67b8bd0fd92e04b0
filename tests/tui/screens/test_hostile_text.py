"""Hostile text in every field that is shown: no control character reaches the terminal, and widths add up."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from backprop_tui.domain.governor.governor_state import GovernorMode
from backprop_tui.domain.governor.reasons import Check, HoldReason
from backprop_tui.domain.live import Pause, Stopping
from backprop_tui.domain.run import Cause, Checkpoint, Git
from backprop_tui.domain.status import Status
from backprop_tui.domain.telemetry import GpuHealth, GpuProcess
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.tui.app import Dashboard
from backprop_tui.tui.background_calls import CommandResult
from backprop_tui.tui.charts.source import ChartData
from backprop_tui.tui.snapshot import OpenRun, Snapshot
from backprop_tui.tui.theme import Preferences
from tests.tui.charts.runs import chart_data, falling, series
from tests.tui.doubles import FakeBridge, FakeCommands
from tests.tui.snapshots import NOW, ended, governor, gpu, queued, running, sample, snapshot

HOSTILE = (
    "a\x1b]52;c;UFdORUQ=\x07b\x1b[2J\x1b[31;5mc\x1b]8;;http://x\x1b\\d\x9b3Jd\x90q\x9cE\x85f\u202egpj\u2066\u200b\u200d"
    "\ufeff\x00\x08\x7f\r\n\ttwo 日本語 wide \uff46\uff55 e\u0301\u0308 \U0001f469\u200d\U0001f4bb \U000e0041 \ue000"
    "[b]markup[/b]"
)
LOG = HOSTILE.replace("\r\n", "") + "\nTraceback (most recent call last):\nValueError: " + HOSTILE + "\n"
SCREENS = (
    (),
    ("2",),
    ("3",),
    ("4",),
    ("5",),
    ("4", "tab", "plus"),
    ("5", "tab", "plus"),
    ("s",),
    ("t",),
    ("e",),
    ("y",),
    ("v",),
    ("d",),
    ("N",),
    ("n",),
    ("comma",),
    ("question_mark",),
    ("space", "space", "c"),
    ("slash", "w", "i", "d", "e"),
    ("ctrl+p", *"go to run"),
)


class HostileCharts:
    async def read(self, run_ids: Sequence[str]) -> list[ChartData]:
        metrics = {name: series(name, falling()) for name in ("loss", HOSTILE)}
        return [chart_data(run_id, metrics) for run_id in run_ids]

    async def export(self, run_id: str, path: str) -> str:
        return path

    def close(self) -> None:
        """Nothing is open."""


REFUSED = CommandResult(done=False, message="refused")


def _fields() -> dict[str, Any]:
    return {"name": HOSTILE, "tags": (HOSTILE, "b"), "note": HOSTILE, "git": Git(commit=HOSTILE, dirty=True)}


def _runs(log: str) -> Iterator[KnownRun]:
    saved = Checkpoint(path=f"/out/{HOSTILE}", step=3, saved_at=NOW.wall - 5, size_bytes=9)
    metrics = {"loss": 2.0, HOSTILE: 1.0}
    cause = Cause(kind="python_error", evidence=HOSTILE, advice=HOSTILE)
    hold = {"check": HOSTILE, "message": HOSTILE, "figure": HOSTILE, "limit": HOSTILE}
    heat = {"check": "gpu_temperature", "message": HOSTILE, "figure": 84.0, "limit": 80.0, "gpu": 1}
    spec = {"python_origin": HOSTILE}
    runs = [
        running("r1", step=3, total_steps=9, metrics=metrics, checkpoints=(saved,), spec=dict(spec), **_fields()),
        running("r2", pause=Pause(since=NOW.wall, by=HOSTILE, reason=HOSTILE), group=HOSTILE, **_fields()),
        running(
            "r3",
            stopping=Stopping(status=Status.STOPPED, by=HOSTILE, reason=HOSTILE, since=0, stage=1, deadline=1e4 + 9),
            group=HOSTILE,
            **_fields(),
        ),
        running("r4", problem=HOSTILE, **_fields()),
        queued("q1", queue_position=1, holds=(hold, heat), **_fields()),
        ended("f1", Status.FAILED, cause=cause, checkpoints=(saved,), metrics=metrics, **_fields()),
        ended("f2", Status.LOST, ago=9.0, **_fields()),
    ]
    outside = {"log_path": log, "cwd": HOSTILE, "command": [HOSTILE, "x"], "host": HOSTILE}
    for known in runs:
        by_index_alone = {"reason": HOSTILE, "signal": HOSTILE} if known.run is None else {}
        yield replace(known, record=known.record | outside | by_index_alone)


def _snapshot(log: str, **fields: Any) -> Snapshot:
    strange = GpuProcess(pid=1, owner=HOSTILE, memory_bytes=10**9)
    gpus = (
        gpu(0, name=HOSTILE, processes=(strange,)),
        gpu(1, name=HOSTILE, health=GpuHealth.LOST, problem=HOSTILE, age_seconds=9.0),
    )
    reasons = (HoldReason(check=Check.RAM, message=HOSTILE), HoldReason(check=Check.DISK, message=HOSTILE))
    events = tuple({"event": kind, "time": HOSTILE, "message": HOSTILE} for kind in ("started", HOSTILE, "checkpoint"))
    known: dict[str, Any] = {
        "host": HOSTILE,
        "sample": sample(*gpus, probe=HOSTILE),
        "governor": governor(state=GovernorMode.HOLDING, reasons=reasons),
        "opened": OpenRun(run_id="r1", events=events),
    }
    return snapshot(*_runs(log), **(known | fields))


def _strips(app: Dashboard) -> list[str]:
    update: Any = app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
    return ["".join(segment.text for strip in row for segment in strip) for row in update.strips]


def _assert_harmless(app: Dashboard) -> None:
    rows = _strips(app)
    width, height = app.size
    assert len(rows) == height
    for row in rows:
        harmful = [
            hex(ord(character))
            for character in row
            if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn")
        ]
        assert not harmful, row
        assert cell_len(row) == width, row
        assert "UFdORUQ" not in row
        assert "[31;5m" not in row


@pytest.mark.parametrize("keys", SCREENS, ids="-".join)
async def test_no_field_of_any_pane_or_dialog_reaches_the_terminal_raw(keys: tuple[str, ...], tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    log.write_text(LOG * 5, encoding="utf-8", errors="surrogateescape")

    app = Dashboard(
        FakeBridge(_snapshot(str(log))),
        FakeCommands(REFUSED),
        Preferences(),
        charts=HostileCharts(),
    )
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause(0.2)
        for key in keys:
            await pilot.press(key)
        await pilot.pause(0.2)
        _assert_harmless(app)
        for size in ((80, 24), (200, 50), (61, 19)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            _assert_harmless(app)


async def test_selecting_any_row_shows_only_harmless_text(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    log.write_text(LOG, encoding="utf-8", errors="surrogateescape")

    app = Dashboard(
        FakeBridge(_snapshot(str(log))),
        FakeCommands(REFUSED),
        Preferences(),
        charts=HostileCharts(),
    )
    async with app.run_test(size=(120, 40)) as pilot:
        for _ in range(9):
            for tab in ("1", "4"):
                await pilot.press(tab)
                await pilot.pause(0.05)
                _assert_harmless(app)
            await pilot.press("j")


async def test_messages_of_a_broken_probe_and_a_failing_store_are_harmless_too(tmp_path: Path) -> None:
    broken = sample(probe=HOSTILE, probe_problem=HOSTILE)
    now = _snapshot(str(tmp_path / HOSTILE[:5]), sample=broken, problem=None)
    app = Dashboard(
        FakeBridge(now),
        FakeCommands(REFUSED),
        Preferences(),
        charts=HostileCharts(),
    )
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause(0.1)
        _assert_harmless(app)
        app.main.fail(HOSTILE)
        app.main.tell(HOSTILE)
        await pilot.pause(0.1)
        _assert_harmless(app)
