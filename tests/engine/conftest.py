"""A host with two GPUs and room for ten runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.machines import Host, gpu


@pytest.fixture
def host(home: Path) -> Host:
    """Starts are not limited."""
    return Host(str(home), gpu(0), gpu(1), config="max_parallel = 10\n[governor]\nstarts_per_minute = 0")
