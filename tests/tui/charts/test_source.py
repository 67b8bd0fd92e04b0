"""The data of charts is read from the files of a run as they grow."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprop_tui.domain.formatting import iso
from backprop_tui.store.files import append_line, dump
from backprop_tui.store.home import Home
from backprop_tui.tui.charts.source import ChartReader
from tests.support.runs import Runs


@pytest.mark.parametrize("end", ["continued", "ended"])
async def test_pauses_are_read_from_the_events(home: Path, end: str) -> None:
    store = Home(str(home / "backprop"), "this-host")
    store.prepare()
    Runs(store).queued("a")
    folder = store.run_folder("a")

    def record(kind: str, at: float) -> None:
        append_line(f"{folder}/events.jsonl", dump({"time": iso(at), "event": kind, "message": kind}))

    reader = ChartReader(store)
    try:
        record("started", 1000.0)
        record("paused", 1010.0)
        assert [data.pauses for data in await reader.read(["a"])] == [((1010.0, None),)]
        record(end, 1020.0)
        record(end, 1030.0)
        assert [data.pauses for data in await reader.read(["a"])] == [((1010.0, 1020.0),)]
    finally:
        reader.close()
