"""The index: bounded, rebuilt when broken; the original tool's file is kept."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backprop_tui.store import creation, index
from backprop_tui.store.home import Home
from tests.domain.runs import queued

ORIGINAL = {
    "id": "exp-1",
    "name": "old",
    "scriptPath": "/w/train.py",
    "status": "running",
    "lastCheckpoint": "/w/c.pt",
    "checkpoints": [{"path": "/w/c.pt", "step": 5, "timestamp": 1_700_000_100_000}],
    "lastStep": 5,
    "lastLoss": 0.25,
    "startTime": 1_700_000_000_000,
    "endTime": None,
}


def record(number: int, status: str = "completed") -> dict[str, Any]:
    return {
        "id": f"r{number:05}",
        "status": status,
        "created_at": f"2026-{1 + number % 12:02}-01T00:00:00.{number:06}Z",
    }


def records(count: int) -> dict[str, Any]:
    return {f"r{number:05}": record(number) for number in range(count)}


def test_the_index_stays_bounded_and_older_runs_move_to_monthly_files(store: Home) -> None:
    count = index.KEPT + index.SLACK + 1
    index.update(store, records(count))
    assert len(index.read_newest(store)) == index.KEPT
    assert len(index.read_all(store)) == count
    assert len(index.read_recent(store)) == index.RECENT


def test_unfinished_runs_never_leave_the_index(store: Home) -> None:
    waiting = {**record(0, "queued"), "created_at": "2020-01-01T00:00:00Z", "id": "old"}
    index.update(store, {**records(index.KEPT + index.SLACK + 1), "old": waiting})
    assert "old" in index.read_newest(store)


def test_a_removed_run_leaves_the_monthly_files_too(store: Home) -> None:
    index.update(store, records(index.KEPT + index.SLACK + 1))
    gone = next(iter(index.read_all(store).keys() - index.read_newest(store).keys()))
    index.update(store, {}, removed=[gone])
    assert gone not in index.read_all(store)


def test_a_broken_index_is_copied_and_rebuilt_from_the_runs(store: Home) -> None:
    creation.create(store, queued("a"), {}, time=1.0)
    Path(store.index).write_bytes(b'{"schema_version": 1, "experi')
    index.update(store, {})
    assert list(index.read_newest(store)) == ["a"]
    kept = [name for name in os.listdir(store.root) if name.startswith("experiments.broken-")]
    assert [(Path(store.root) / name).read_bytes() for name in kept] == [b'{"schema_version": 1, "experi']


def test_an_index_of_a_later_version_is_copied_and_rebuilt_from_the_runs(store: Home) -> None:
    creation.create(store, queued("a"), {}, time=1.0)
    Path(store.index).write_text(json.dumps({"schema_version": 99, "experiments": {"b": record(1)}}))
    assert list(index.read_newest(store)) == ["a"]
    index.update(store, {})
    assert list(index.read_newest(store)) == ["a"]
    assert [name for name in os.listdir(store.root) if name.startswith("experiments.broken-")]


@pytest.mark.parametrize(
    "layout",
    [[ORIGINAL], {"experiments": [ORIGINAL]}, {"exp-1": ORIGINAL}, {"experiments": {"exp-1": ORIGINAL}}],
    ids=["array", "array inside", "object", "object inside"],
)
def test_records_of_the_original_tool_are_read_and_its_file_is_kept_byte_for_byte(store: Home, layout: object) -> None:
    content = json.dumps(layout, indent=1).encode()
    Path(store.index).write_bytes(content)
    shown = index.read_newest(store)["exp-1"]
    assert (shown["status"], shown["step"], shown["metrics"]) == ("lost", 5, {"loss": 0.25})
    assert shown["started_at"] == "2023-11-14T22:13:20.000Z"
    assert [checkpoint["path"] for checkpoint in shown["checkpoints"]] == ["/w/c.pt"]
    assert Path(store.index).read_bytes() == content
    index.update(store, records(1))
    assert (Path(store.root) / "experiments.original.json").read_bytes() == content
    assert set(index.read_newest(store)) == {"exp-1", "r00000"}


def _edit(path: str, run_id: str, **values: object) -> None:
    document = json.loads(Path(path).read_text())
    document["experiments"][run_id] |= values
    Path(path).write_text(json.dumps(document))


def test_an_unreadable_record_is_left_out_with_its_reason_and_kept_by_updates(store: Home) -> None:
    index.update(store, records(3))
    _edit(store.index, "r00001", tags=5)
    assert set(index.read_newest(store)) == {"r00000", "r00002"}
    assert store.unreadable_report() == f"1 unreadable record: {store.index}: 'r00001': tags cannot be 5"
    index.update(store, {"r00003": record(3)})
    kept = json.loads(Path(store.index).read_text())["experiments"]
    assert set(kept) == {"r00000", "r00001", "r00002", "r00003"}
    assert kept["r00001"]["tags"] == 5
    index.update(store, {}, removed=["r00001"])
    assert set(index.read_newest(store)) == {"r00000", "r00002", "r00003"}
    assert store.unreadable_report() is None


def test_an_unreadable_record_is_read_again_from_its_directory(store: Home) -> None:
    creation.create(store, queued("a"), {}, time=1.0)
    index.update(store, index.scan_runs(store))
    _edit(store.index, "a", metrics=[1], status="newer")
    assert index.read_newest(store)["a"]["status"] == "queued"
    assert store.unreadable == {}


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink(path, path)])
def test_what_is_no_file_in_place_of_the_index_is_set_aside(store: Home, make: Callable[[str], None]) -> None:
    creation.create(store, queued("a"), {}, time=1.0)
    make(store.index)
    index.update(store, {})
    assert list(index.read_newest(store)) == ["a"]
    assert os.path.lexists(f"{store.index}.set-aside")


def test_the_records_of_the_original_tool_survive_a_lost_index(store: Home) -> None:
    Path(store.index).write_text(json.dumps([ORIGINAL]))
    index.update(store, {})
    os.unlink(store.index)
    assert list(index.read_newest(store)) == ["exp-1"]
    index.update(store, records(1))
    assert set(index.read_newest(store)) == {"exp-1", "r00000"}


@pytest.mark.parametrize("odd", [{"id": ".."}, {"startTime": 1e308}, {"lastStep": 10**400}, {"name": ["x"]}])
def test_an_odd_record_of_the_original_tool_hides_no_other(store: Home, odd: dict[str, object]) -> None:
    Path(store.index).write_text(json.dumps([ORIGINAL, ORIGINAL | {"id": "odd"} | odd, ORIGINAL]))
    assert "exp-1" in index.read_newest(store)
    assert ".." not in index.read_newest(store)
    index.update(store, records(1))
    assert {"exp-1", "r00000"} <= set(index.read_newest(store))
