"""Fixtures of the guardian's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runner.scanned import Scanned


@pytest.fixture
def watched(tmp_path: Path) -> Scanned:
    return Scanned(tmp_path)
