"""A Slurm cluster for the tests of this directory: one for each worker, in the same state before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.slurm.cluster import SlurmCluster, missing_programs


@pytest.fixture(scope="session")
def started_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    missing = missing_programs()
    if missing:
        pytest.skip(f"Slurm is not installed here: no {', '.join(missing)} (Debian: apt-get install slurm-wlm)")
    cluster = SlurmCluster(tmp_path_factory.mktemp("slurm"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def cluster(started_cluster: SlurmCluster) -> SlurmCluster:
    """A running cluster; tests may kill its parts, and the next test finds them restarted."""
    return started_cluster


@pytest.fixture(autouse=True)
def _reset(request: pytest.FixtureRequest, home: object) -> Iterator[None]:
    """Leaves no job to the next test; after `home`, which looks for processes that the test has left."""
    yield
    if "cluster" in request.fixturenames:
        request.getfixturevalue("cluster").reset()
