"""Options for running these tests for longer."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rounds", type=int, default=12, help="how many stores are damaged")
    parser.addoption("--seed", type=int, default=0, help="the number of the first round")
