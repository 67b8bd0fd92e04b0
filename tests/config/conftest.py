"""Fixtures: a machine with settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.settings_files import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine.below(tmp_path)
