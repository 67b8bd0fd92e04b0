"""What is wrong with the configuration, and where."""

from __future__ import annotations

from collections.abc import Iterable

from backprop_tui.domain.errors import UsageError


class ConfigError(UsageError):
    """Names the file (with line where it is known), variable or option, the key, what is wrong and what to do."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.where, self.problem = where, problem


def unknown_key(where: str, name: str, known: Iterable[str]) -> ConfigError:
    """The error for a key that nobody knows, with the nearest one that somebody does."""
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), n=1, cutoff=0.5)
    advice = f"; did you mean {near[0]!r}?" if near else "; `backprop-tui config show` lists all keys"
    return ConfigError(where, f"unknown key {name!r}{advice}")
