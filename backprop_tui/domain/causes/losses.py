"""What can still be told of a run whose end nobody saw."""

from __future__ import annotations

from backprop_tui.domain.causes.clues import Clues
from backprop_tui.domain.causes.making import made
from backprop_tui.domain.causes.registry import cause_of_failure
from backprop_tui.domain.run import Cause


def cause_of_loss(reason: str, clues: Clues) -> Cause:
    """Its log may say it; else the last line shows how far it came."""
    if clues.failures:
        return cause_of_failure(clues)
    if clues.facts.memory_kill is not None:
        evidence = clues.facts.memory_kill
        summary = "out of host memory, perhaps: the kernel killed something of its control group"
        return made("unknown", evidence=evidence, summary=summary, advice="look in dmesg; resume it", retryable=True)
    last = clues.last[-1] if clues.last else None
    return made(
        "unknown",
        at=last,
        evidence=reason,
        summary=reason,
        advice="dmesg or last -x may tell more; resume goes on from the newest checkpoint",
        retryable=True,
    )
