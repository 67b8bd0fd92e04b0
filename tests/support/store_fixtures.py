"""Fixtures of a store of the test's own, for the tests of the client and of the commands."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from backprop_tui.cli.session import Session, open_session
from backprop_tui.store.locks import try_lock
from tests.support.runs import Runs


@pytest.fixture
def session(home: Path) -> Iterator[Session]:
    """The test holds the lease: commands find a supervisor that never does anything."""
    opened = open_session(config=None)
    opened.home.prepare()
    lease = try_lock(opened.home.supervisor_lock)
    assert lease is not None
    with lease:
        yield opened


@pytest.fixture
def runs(session: Session) -> Runs:
    """Runs in any state, written directly into the store."""
    return Runs(session.home)


@pytest.fixture
def workplace(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory of the commands, with no environment active."""
    place = home / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(variable, raising=False)
    assert os.getcwd() == str(place)
    return place
