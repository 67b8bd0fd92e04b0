"""Regular expressions that are compiled when they are first used: a log needs few of them, and a start none."""

from __future__ import annotations

import re
from typing import Any, cast


def compiled(expression: str, flags: int = 0) -> re.Pattern[str]:
    """To be used as what `re.compile` gives; only a match's `re` is another object."""
    return cast("re.Pattern[str]", _Later(expression, flags))


class _Later:
    """Becomes the pattern with the first method that is asked of it."""

    __slots__ = ("__expression", "__flags", "findall", "finditer", "fullmatch", "match", "search", "split", "sub")

    def __init__(self, expression: str, flags: int) -> None:
        self.__expression = expression
        self.__flags = flags

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any method of a pattern
        pattern = re.compile(self.__expression, self.__flags)
        for method in ("findall", "finditer", "fullmatch", "match", "search", "split", "sub"):
            setattr(self, method, getattr(pattern, method))
        return getattr(pattern, name)
