"""Removes a key or a table from the text of a TOML file, and keeps the other lines and all comments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from backprop_tui.config.files import Tree, names_in_toml

_COMMENT = re.compile(r"""(?:[^"'#]|"(?:[^"\\]|\\.)*"|'[^']*')*(#.*)""")


def is_in_text(content: str, name: str) -> bool:
    """Whether a key or a table is in a text; of one that is not TOML, whether a line looks like it."""
    tree = _parsed(content)
    if tree is not None:
        return _without(tree, name) != tree
    return any(_belongs(defined, name) for _, defined in names_in_toml(content))


def without_key(content: str, name: str) -> str | None:
    """Returns the text without the key or table; None if it is too complicated to be edited line by line.

    A text that is not TOML is edited if that is what is wrong with it.
    """
    before, text = _parsed(content), "\n".join(_kept_lines(content, name))
    after = _parsed(text)
    if after is None or (before is not None and _filled(after) != _filled(_without(before, name))):
        return None
    return text


def _kept_lines(content: str, name: str) -> Iterator[str]:
    """The lines that are not of the key; a comment behind its value stays."""
    lines = content.split("\n")
    end = 0
    for number, defined in names_in_toml(content):
        if number <= end:  # a line of a string over several lines, which only looks like a key
            continue
        yield from lines[end : number - 1]
        start, end = number - 1, _end(lines, number - 1)
        if not _belongs(defined, name):
            yield from lines[start:end]
        elif (comment := _COMMENT.fullmatch(lines[end - 1])) is not None:
            yield comment[1]
    yield from lines[end:]


def _end(lines: list[str], start: int) -> int:
    """The end of what begins on a line: the next one, or where a value over several lines ends."""
    is_complete = (end for end in range(start + 1, len(lines) + 1) if _parsed("\n".join(lines[start:end])) is not None)
    return next(is_complete, start + 1)


def _belongs(defined: str, name: str) -> bool:
    return defined == name or defined.startswith(f"{name}.")


def _without(tree: Tree, name: str) -> Tree:
    if name in tree:
        return {key: value for key, value in tree.items() if key != name}
    for key, value in tree.items():
        if isinstance(value, Mapping) and name.startswith(f"{key}."):
            return {**tree, key: _without(value, name.removeprefix(f"{key}."))}
    return tree


def _filled(tree: Tree) -> Tree:
    """Without empty tables, which mean nothing."""
    return {key: value for key, value in tree.items() if value != {}}


def _parsed(content: str) -> Tree | None:
    import tomllib

    try:
        return tomllib.loads(content)
    except (ValueError, RecursionError):  # as in `parse_toml`
        return None
