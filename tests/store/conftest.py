"""An empty store, and runs written straight into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprop_tui.store.home import Home
from tests.support.runs import Runs


@pytest.fixture
def store(tmp_path: Path) -> Home:
    store = Home(str(tmp_path / "state"), "h")
    store.prepare()
    return store


@pytest.fixture
def runs(store: Home) -> Runs:
    return Runs(store)
