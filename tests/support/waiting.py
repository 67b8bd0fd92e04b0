"""Waits for a condition with a time limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

ValueT = TypeVar("ValueT")

POLL_SECONDS = 0.005
# Generous, so that a slow machine under load does not fail a correct test.
PATIENCE_SECONDS = 20.0


def wait_until(
    condition: Callable[[], ValueT | None],
    expected: str,
    *,
    seconds: float = PATIENCE_SECONDS,
    report: Callable[[], str] = str,
) -> ValueT:
    """The first truthy value of the condition; `report` adds to the error message when the time is up."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds:g} seconds still not: {expected}\n{report()}")
        time.sleep(POLL_SECONDS)
