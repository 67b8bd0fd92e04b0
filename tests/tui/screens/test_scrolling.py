"""The list of runs: what is scrolled out of it, and that its cursor stays in sight."""

from __future__ import annotations

from tests.tui.screens.test_main import staged
from tests.tui.snapshots import ended, queued, running, snapshot


async def test_a_list_says_how_many_rows_are_above_and_below() -> None:
    runs = [*(running(f"run-{index}") for index in range(30)), *(ended(f"end-{index}") for index in range(30))]
    async with staged(snapshot(*runs), size=(120, 24)) as stage:
        for key in ("home", *["pagedown"] * 7, "G"):
            await stage.pilot.press(key)
            heading, *rows = stage.runs.shown_text.splitlines()
            counts = {arrow: int((heading.partition(f"{arrow} ")[2] or "0").split()[0]) for arrow in "▴▾"}
            shown = sum("run-" in row or "end-" in row for row in rows)
            total = len(stage.runs.view.rows)
            assert counts["▴"] + shown + counts["▾"] == total
            assert stage.runs.view.id_at(counts["▴"]) in next(row for row in rows if "-" in row)


async def test_the_list_follows_its_cursor_when_the_run_moves_or_is_shown_again() -> None:
    runs = [running(f"run-{index}") for index in range(30)]
    async with staged(snapshot(*runs), size=(80, 24)) as stage:
        await stage.becomes(snapshot(*runs[1:], ended("run-0")))
        assert "run-0" in next(row for row in stage.runs.shown_text.splitlines() if row.startswith("▌"))
        await stage.becomes(snapshot())
        await stage.becomes(snapshot(ended("run-0"), *runs[1:]))
        await stage.becomes(snapshot())
        await stage.becomes(snapshot(*runs[1:], ended("run-0")))
        assert "▌" in stage.runs.shown_text


async def test_a_list_that_the_wheel_has_scrolled_stays_there() -> None:
    runs = [running(f"run-{index}") for index in range(30)]
    async with staged(snapshot(*runs), size=(80, 24)) as stage:
        stage.runs.turn_wheel(10)
        before = stage.runs.shown_text
        await stage.becomes(snapshot(*runs, queued("later")))
        assert stage.runs.shown_text.splitlines()[1:3] == before.splitlines()[1:3]
