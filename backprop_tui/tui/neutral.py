"""Text from outside made harmless, as every view wants it."""

from __future__ import annotations

from backprop_tui.domain.neutral import neutral, neutral_or_none

__all__ = ["neutral", "neutral_or_none"]
