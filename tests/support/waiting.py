"""Waits for a condition, with a limit and a message that says what was waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

ValueT = TypeVar("ValueT")

LOOK_SECONDS = 0.005
# Generous: a slow machine under load must not fail a test that is right.
PATIENCE_SECONDS = 20.0


def wait_until(
    condition: Callable[[], ValueT | None],
    what: str,
    *,
    seconds: float = PATIENCE_SECONDS,
    report: Callable[[], str] = str,
) -> ValueT:
    """The first truthy answer of the condition; `report` adds to the message when there is none in time."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds:g} seconds still not: {what}\n{report()}")
        time.sleep(LOOK_SECONDS)
