"""Rounds of the storm, as the options of ../conftest.py say."""

from __future__ import annotations

import pytest

from tests.end_to_end.conftest import sandbox

__all__ = ["sandbox"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A storm is a test of its own: rounds run in parallel with `-n`, and one that fails is run again by its seed."""
    if "storm_seed" in metafunc.fixturenames:
        first = metafunc.config.getoption("--seed")
        metafunc.parametrize("storm_seed", range(first, first + (metafunc.config.getoption("--rounds") or 1)))
