"""The table in docs/dashboard.md of what each key does to a run in each status, compared with what happens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from backprop_tui.domain.smoothed_curve import Extreme
from backprop_tui.domain.status import Status
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.tui.app import Dashboard
from backprop_tui.tui.panes.run_entries import OLDER
from backprop_tui.tui.screens.main import MainScreen
from backprop_tui.tui.screens.questions import Ask
from backprop_tui.tui.snapshot import Snapshot
from tests.tui.screens.test_main import Stage, staged
from tests.tui.snapshots import ended, queued, running, snapshot

_PAGE = Path(__file__).parents[3] / "docs" / "dashboard.md"
_HEADING = "## What each key does"
_WAITING = "waiting"  # on the page, Status.QUEUED
_GROUP_ROW, _OLDER_ROW, _NO_ROW = "group", "older runs", "no row"
_TEXTUAL_NAMES = {"*": "asterisk", "space": "space"}
_DAYS = 2 * 86400.0
METRICS = {"val_loss": 1.0}


class Table(NamedTuple):
    """Cells by key and column; the sentences that cells refer to by their numbers."""

    cells: dict[str, dict[str, str]]
    sentences: dict[str, str]


def read_table(text: str) -> Table:
    """Reads the table and the numbered list below it."""
    section = text.partition(_HEADING)[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    columns = rows[0][1:]
    cells: dict[str, dict[str, str]] = {}
    for row in rows[2:]:
        expanded = {name: cell for head, cell in zip(columns, row[1:], strict=True) for name in head.split(", ")}
        for key in re.findall(r"`([^`]+)`", row[0]):
            cells[key] = expanded
    return Table(cells, dict(re.findall(r"^(\d+)\. `(.+)`$", section, re.MULTILINE)))


TABLE = read_table(_PAGE.read_text(encoding="utf-8"))
_COLUMNS = [*next(iter(TABLE.cells.values()))]


def in_status(status: Status, logs: Path, **fields: Any) -> KnownRun:
    """A run in this status; all but those that wait have a log."""
    run_id = f"{fields.get('group', '')}{status.value}"
    if status is Status.QUEUED:
        return queued(run_id, **fields)
    is_active = status in (Status.STARTING, Status.RUNNING, Status.PAUSED, Status.STOPPING)
    best = {"val_loss": Extreme(1.0, 9)}
    run = running(run_id, **fields) if is_active else ended(run_id, status, best=best, metrics=METRICS, **fields)
    log = logs / "output.log"
    log.write_text("a line\n", encoding="ascii")
    return replace(run, record=run.record | {"status": status.value, "log_path": str(log)})


def all_rows(logs: Path) -> Snapshot:
    """A run in each status, a group of such runs, and older runs that are not listed."""
    runs = [in_status(status, logs) for status in Status]
    members = [in_status(status, logs, group="sweep") for status in Status]
    return snapshot(*runs, *members, *(ended(f"old-{number}", ago=_DAYS) for number in range(3)))


async def go_to(stage: Stage, column: str) -> str:
    """Puts the cursor into a row of the column; returns the name that messages use."""
    if column == _NO_ROW:
        if not stage.main.state.filter:
            stage.main.set_filter("nothing matches this")
            await stage.pilot.pause()
        return ""
    status = Status.QUEUED.value if column == _WAITING else column
    row = {_GROUP_ROW: "group:sweep", _OLDER_ROW: OLDER}.get(column, status)
    if stage.runs.cursor != row:
        stage.runs.select(row)
        await stage.pilot.pause()
    assert stage.runs.cursor == row
    return row


async def effect(stage: Stage, key: str) -> str:
    """What a key does: `yes`, `asks`, `opens`, or what it says instead."""
    main, app = stage.main, stage.pilot.app

    def seen() -> tuple[object, ...]:
        return (
            main.state.marked.copy(),
            main.state.older,
            stage.runs.cursor,
            app.clipboard,
            len(suspensions),
            main.selected.shown_tab,
        )

    before = seen()
    await stage.pilot.press(_TEXTUAL_NAMES.get(key, key))
    await stage.pilot.pause()
    messages = [notification.message for notification in app._notifications]
    if isinstance(app.screen, Ask):
        return "asks"
    if not isinstance(app.screen, MainScreen):
        return "opens"
    return "yes" if stage.commands.calls or before != seen() else ". ".join(messages)


async def reset(stage: Stage) -> None:
    while not isinstance(stage.pilot.app.screen, MainScreen):
        await stage.pilot.press("escape")
        await stage.pilot.pause()
    stage.main.state.marked.clear()
    stage.pilot.app.copy_to_clipboard("")
    stage.pilot.app.clear_notifications()
    stage.commands.calls.clear()
    stage.main.paint()


suspensions: list[bool] = []


@pytest.fixture
def pager(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pager that ends at once."""

    @contextmanager
    def suspend(_: Dashboard) -> Iterator[None]:
        suspensions.append(True)
        yield

    monkeypatch.setenv("PAGER", "true")
    monkeypatch.setattr(Dashboard, "suspend", suspend)


@pytest.mark.usefixtures("pager")
@pytest.mark.parametrize("column", _COLUMNS)
async def test_every_key_does_what_the_table_says(column: str, tmp_path: Path) -> None:
    wrong: list[str] = []
    async with staged(all_rows(tmp_path), size=(100, 30)) as stage:
        for key, cells in TABLE.cells.items():
            name = await go_to(stage, column)
            expected = TABLE.sentences.get(cells[column], cells[column]).replace("NAME", name)
            actual = await effect(stage, key)
            if actual != expected:
                wrong.append(f"{key}: {actual!r} instead of {expected!r}")
            await reset(stage)
    assert not wrong


def test_the_table_has_every_status_and_every_action_that_depends_on_it() -> None:
    from backprop_tui.tui.actions import MAIN_ACTIONS

    assert {_WAITING, *(status.value for status in Status if status is not Status.QUEUED)} < set(_COLUMNS)
    depend = {action.shown for action in MAIN_ACTIONS if action.refusals}
    assert depend <= set(TABLE.cells)
