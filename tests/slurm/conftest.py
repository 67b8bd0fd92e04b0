"""A Slurm cluster for the tests of this directory: one for each worker, in the same state before each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.cluster import SlurmCluster, missing_programs


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    """A running cluster; tests may kill its parts, and the next test finds them restarted."""
    missing = missing_programs()
    if missing:
        pytest.skip(f"Slurm is not installed here: no {', '.join(missing)} (Debian: apt-get install slurm-wlm)")
    cluster = SlurmCluster(tmp_path_factory.mktemp("slurm"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(autouse=True)
def _reset(request: pytest.FixtureRequest, home: Path) -> Iterator[None]:
    """Leaves no job to the next test, and none to the end of `home`, which looks for processes that are left."""
    cluster = request.getfixturevalue("cluster") if "cluster" in request.fixturenames else None
    yield
    if cluster is not None:
        cluster.reset()
