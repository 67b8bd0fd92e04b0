"""How a cause is made: whatever came from outside is made harmless and bounded."""

from __future__ import annotations

from typing import Protocol

from backprop_tui.domain.run import Cause
from backprop_tui.domain.sanitize import sanitize

_LONGEST = 300
NAN_ADVICE = "lower the learning rate, clip gradients, or use bf16 instead of fp16; resume from a checkpoint before it"


class Line(Protocol):
    """A line of a log; its number may not be known."""

    @property
    def text(self) -> str: ...

    @property
    def number(self) -> int | None: ...


def made(
    kind: str,
    *,
    summary: str,
    advice: str,
    at: Line | None = None,
    evidence: str | None = None,
    retryable: bool = False,
) -> Cause:
    """A cause, with everything in it that came from outside made harmless and bounded."""
    said = evidence if at is None else at.text.strip()
    return Cause(
        kind=kind,
        evidence=None if said is None else sanitize(said)[:_LONGEST],
        advice=sanitize(advice)[:_LONGEST],
        summary=sanitize(summary)[:_LONGEST],
        line=None if at is None else at.number,
        retryable=retryable,
    )
