"""Corrects misspelled words."""

from __future__ import annotations

from collections.abc import Iterable

_LEAST = 0.75  # below that a suggestion is a guess


def nearest(word: str, known: Iterable[str], *, least: float = _LEAST) -> str | None:
    """Returns the known word that is most similar, None if none is `least` similar; case and dashes do not count."""
    import difflib  # only needed to correct a mistake

    names = {_folded(name): name for name in sorted(known)}
    typed = _folded(word)
    swapped = (name for name in names if sorted(name) == sorted(typed))
    near = next(swapped, None) or next(iter(difflib.get_close_matches(typed, names, n=1, cutoff=least)), None)
    return None if near is None else names[near]


def _folded(word: str) -> str:
    return word.lower().lstrip("-").replace("_", "-")
