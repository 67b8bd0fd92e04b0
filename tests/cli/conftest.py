"""A session on a store of the test's own, for which nobody supervises unless a test asks for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from backprop_tui.cli.session import Session, open_session
from backprop_tui.store.locks import try_lock
from tests.support.commands import Commands
from tests.support.runs import Runs


@pytest.fixture
def session(home: Path) -> Iterator[Session]:
    """The lease is held by the test: commands find a supervisor that never does anything."""
    opened = open_session(config=None)
    opened.home.prepare()
    lease = try_lock(opened.home.supervisor_lock)
    assert lease is not None
    with lease:
        yield opened


@pytest.fixture
def runs(session: Session) -> Runs:
    """Runs in any state, written straight into the store."""
    return Runs(session.home)


@pytest.fixture
def workplace(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory the commands are given in, with no environment active."""
    place = home / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(variable, raising=False)
    assert os.getcwd() == str(place)
    return place


@pytest.fixture
def obey(session: Session, workplace: Path, capsys: pytest.CaptureFixture[str]) -> Commands:
    """Commands on the store of `session`, given in `workplace`."""
    return Commands(capsys)
