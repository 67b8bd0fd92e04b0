"""Sets of words, for lists that are too long to quote each word."""

from __future__ import annotations


def word_set(text: str) -> frozenset[str]:
    """Returns the words of a text."""
    return frozenset(text.split())
