"""Files of the first release stay readable."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from backprop_tui.domain.run import Run
from backprop_tui.store.home import Home
from backprop_tui.store.index import read_all, read_newest, read_recent, update
from backprop_tui.store.run_directory import RunDirectory
from tests.store import golden_schema_1 as golden


@pytest.fixture
def kept(tmp_path: Path) -> Home:
    """A copy of the golden files, so that no test changes them."""
    shutil.copytree(golden.FOLDER, tmp_path / "store")
    return Home(str(tmp_path / "store"), "box")


@pytest.mark.parametrize("run", golden.RUNS, ids=lambda run: str(run.id))
def test_a_record_reads_as_it_was_written(kept: Home, run: Run) -> None:
    assert RunDirectory(kept.run_folder(run.id)).read() == run


def test_a_live_record_reads_as_it_was_written(kept: Home) -> None:
    directory = RunDirectory(kept.run_folder(golden.RUNNING.id))
    assert directory.read_live() == golden.LIVE
    assert directory.script_identity() == (1, 1001, 987654)


def test_requests_read_as_they_were_written(kept: Home) -> None:
    directory = RunDirectory(kept.run_folder(golden.RUNNING.id))
    requests, offset = directory.requests_after(0)
    assert tuple(requests) == golden.REQUESTS
    assert offset == os.stat(directory.file("requests.jsonl")).st_size


def test_a_captured_environment_reads_as_it_was_written(kept: Home) -> None:
    assert RunDirectory(kept.run_folder(golden.QUEUED.id)).read_environment() == {"A": "\udcff"}


def test_an_index_reads_as_it_was_written_and_can_be_updated(kept: Home) -> None:
    ids = {run.id for run in golden.RUNS}
    assert set(read_newest(kept)) == set(read_all(kept)) == ids
    assert set(read_recent(kept)) == {golden.ENDED.id}
    ended = read_newest(kept)[golden.ENDED.id]
    assert (ended["status"], ended["signal"], ended["step"]) == ("failed", "SIGKILL", 200)
    update(kept, {})
    assert set(read_newest(kept)) == ids
    assert not [name for name in os.listdir(kept.root) if "broken" in name]
