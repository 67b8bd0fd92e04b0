"""The cause of a lost run, whose exit status is unknown."""

from __future__ import annotations

from backprop_tui.domain.causes.clues import Clues
from backprop_tui.domain.causes.making import made
from backprop_tui.domain.causes.registry import cause_of_failure
from backprop_tui.domain.run import Cause


def cause_of_loss(reason: str, clues: Clues) -> Cause:
    """Returns the cause shown in the log; otherwise the last line shows how far the run got."""
    if clues.exceptions:
        return cause_of_failure(clues)
    if clues.facts.memory_kill is not None:
        evidence = clues.facts.memory_kill
        summary = "perhaps out of host memory: the kernel killed a process of its control group"
        return made("unknown", evidence=evidence, summary=summary, advice="check dmesg, then resume it", retryable=True)
    last = clues.last[-1] if clues.last else None
    return made(
        "unknown",
        at=last,
        evidence=reason,
        summary=reason,
        advice="dmesg or last -x may show more; resume continues from the newest checkpoint",
        retryable=True,
    )
