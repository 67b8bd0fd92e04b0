"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Rounds of what is measured in turns, and the longest history of runs that is tried."""

    rounds: int = 31
    longest_history: int = 100_000
    footprint_seconds: float = 20.0
