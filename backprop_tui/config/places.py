"""Finds the line of a key in a settings file with a simple scan, since the parsers do not report lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

_HEADER = re.compile(r"\s*\[\[?([^\[\]]+)\]")
_KEY = re.compile(r"\s*([^\s#\[=][^#=]*?)\s*=")
_QUOTES_AND_SPACES = re.compile(r"[\"'\s]")


def line_in_toml(content: str, name: str) -> int | None:
    """Returns the line, counted from 1, of a key such as "gpu.max_temp_c" or of a table, else of its inline table."""
    table_line = None
    for line, defined in names_in_toml(content):
        if defined == name:
            return line
        if table_line is None and defined == name.rpartition(".")[0]:
            table_line = line
    return table_line


def key_lines_in_toml(content: str, name: str) -> list[int]:
    """Returns the lines that seem to define the key; one of them may be part of a multi-line string."""
    return [line for line, defined in names_in_toml(content) if defined == name]


def names_in_toml(content: str) -> Iterator[tuple[int, str]]:
    """Yields each line that defines a table or a key, with the full name."""
    table = ""
    for number, line in enumerate(content.split("\n"), start=1):
        header, key = _HEADER.match(line), _KEY.match(line)
        if header:
            table = _unquoted(header[1])
            yield number, table
        elif key:
            yield number, f"{table}.{_unquoted(key[1])}" if table else _unquoted(key[1])


def _unquoted(name: str) -> str:
    return _QUOTES_AND_SPACES.sub("", name)


def line_in_json(content: str, name: str) -> int | None:
    """Returns the first line, counted from 1, that has the last part of the name as a key."""
    leaf = name.rpartition(".")[2]
    match = re.search(rf'"{re.escape(leaf)}"\s*:', content)
    return None if match is None else content.count("\n", 0, match.start()) + 1
