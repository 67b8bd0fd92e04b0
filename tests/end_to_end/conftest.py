"""The sandbox of every end-to-end test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sandbox import Sandbox


@pytest.fixture
def sandbox(home: Path) -> Iterator[Sandbox]:
    """A store of the test's own; at the end nothing of it lives."""
    made = Sandbox(str(home))
    yield made
    made.close()
