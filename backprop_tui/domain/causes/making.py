"""Builds causes, with foreign text sanitised and limited in length."""

from __future__ import annotations

from typing import Protocol

from backprop_tui.domain.run import Cause
from backprop_tui.domain.sanitize import sanitize

_MAX_TEXT_LENGTH = 300
NAN_ADVICE = "lower the learning rate, clip gradients, or use bf16 instead of fp16; resume from a checkpoint before it"


class Line(Protocol):
    """A line of a log; its number may be unknown."""

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
    """Builds a cause; the line `at`, if given, is its evidence."""
    text = evidence if at is None else at.text.strip()
    return Cause(
        kind=kind,
        evidence=None if text is None else sanitize(text)[:_MAX_TEXT_LENGTH],
        advice=sanitize(advice)[:_MAX_TEXT_LENGTH],
        summary=sanitize(summary)[:_MAX_TEXT_LENGTH],
        line=None if at is None else at.number,
        retryable=retryable,
    )
