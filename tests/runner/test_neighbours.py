"""Runs that share a working directory."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from backprop_tui.domain.run import Queued, Run, Running, Spec, State
from backprop_tui.runner.outputs.files import DirectoryNeighbours
from backprop_tui.store.creation import create
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(str(tmp_path / "home"), "here")
    home.prepare()
    return home


def beside(home: Home, run_id: str, cwd: str, state: State) -> RunDirectory:
    spec = Spec(command=("true",), script=None, cwd=cwd)
    run = Run(id=run_id, name=run_id, host="here", created_at=1.0, position=1.0, spec=spec, state=Queued(since=1.0))
    directory = create(home, run, {}, time=time.time())
    directory.write(replace(run, state=state), durable=False)
    return directory


@pytest.mark.parametrize(
    ("cwd", "shared"), [("/data/exp", True), ("/data", True), ("/data/exp/a", True), ("/data/exp2", False)]
)
def test_an_active_run_above_or_below_shares_the_directory(home: Home, cwd: str, *, shared: bool) -> None:
    neighbours = DirectoryNeighbours(home, "mine", "/data/exp")
    assert not neighbours.is_shared()
    beside(home, "other", cwd, Running(since=1.0))
    assert neighbours.is_shared() is shared


def test_a_queued_run_shares_the_directory_only_once_it_starts(home: Home) -> None:
    neighbours = DirectoryNeighbours(home, "mine", "/data")
    directory = beside(home, "other", "/data", Queued(since=1.0))
    assert not neighbours.is_shared()
    directory.write(replace(directory.read(), state=Running(since=2.0)), durable=False)
    assert neighbours.is_shared()


def test_neither_the_run_itself_nor_a_broken_record_is_a_neighbour(home: Home) -> None:
    beside(home, "mine", "/data", Running(since=1.0))
    broken = beside(home, "broken", "/data", Running(since=1.0))
    Path(broken.file("run.json")).write_text("{")
    assert not DirectoryNeighbours(home, "mine", "/data").is_shared()
    os.unlink(broken.file("run.json"))
    assert not DirectoryNeighbours(home, "mine", "/data").is_shared()
