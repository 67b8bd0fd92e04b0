"""Errors in the configuration."""

from __future__ import annotations

from collections.abc import Iterable

from backprop_tui.domain.errors import UsageError


class ConfigError(UsageError):
    """An error in a setting; `where` is the file (with the line, if known), the variable or the option."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.where, self.problem = where, problem


def unknown_key(where: str, name: str, known: Iterable[str]) -> ConfigError:
    """Builds the error for an unknown key, with the most similar known key."""
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), n=1, cutoff=0.5)
    advice = f"; did you mean {near[0]!r}?" if near else "; `backprop-tui config show` lists all keys"
    return ConfigError(where, f"unknown key {name!r}{advice}")
