"""Regular expressions that are compiled on first use: most logs need only a few of them, and start-up needs none."""

from __future__ import annotations

import re
from typing import Any, cast


def lazy_compile(expression: str, flags: int = 0) -> re.Pattern[str]:
    """Stand-in for `re.compile`; only the `re` attribute of a match is a different object."""
    return cast("re.Pattern[str]", _LazyPattern(expression, flags))


class _LazyPattern:
    """Compiles the expression on the first method access and then caches the bound methods."""

    __slots__ = ("__expression", "__flags", "findall", "finditer", "fullmatch", "match", "search", "split", "sub")

    def __init__(self, expression: str, flags: int) -> None:
        self.__expression = expression
        self.__flags = flags

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any method of a pattern
        pattern = re.compile(self.__expression, self.__flags)
        for method in ("findall", "finditer", "fullmatch", "match", "search", "split", "sub"):
            setattr(self, method, getattr(pattern, method))
        return getattr(pattern, name)
