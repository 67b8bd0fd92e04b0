"""The sandbox of every end-to-end test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sandbox import HOST, Sandbox


@pytest.fixture
def sandbox(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A store of the test's own; its processes are killed at the end."""
    monkeypatch.setenv("BACKPROP_HOST", HOST)
    sandbox = Sandbox(str(home))
    yield sandbox
    sandbox.close()
