"""In which line of a file a key stands: parsers do not say, so a plain scan looks for it."""

from __future__ import annotations

import re
from collections.abc import Iterator

_HEADER = re.compile(r"\s*\[\[?([^\[\]]+)\]")
_KEY = re.compile(r"\s*([^\s#\[=][^#=]*?)\s*=")
_QUOTES_AND_SPACES = re.compile(r"[\"'\s]")


def line_in_toml(content: str, name: str) -> int | None:
    """The line, counted from 1, of a key such as "gpu.max_temp_c" or of a table; else that of its inline table."""
    around = None
    for line, written in written_in_toml(content):
        if written == name:
            return line
        if around is None and written == name.rpartition(".")[0]:
            around = line
    return around


def key_lines_in_toml(content: str, name: str) -> list[int]:
    """The lines in which the key itself seems to stand; a text of several lines may look like one."""
    return [line for line, written in written_in_toml(content) if written == name]


def written_in_toml(content: str) -> Iterator[tuple[int, str]]:
    """Each line that names a table or a key, with the full name of that."""
    table = ""
    for number, line in enumerate(content.split("\n"), start=1):
        header, key = _HEADER.match(line), _KEY.match(line)
        if header:
            table = _plain(header[1])
            yield number, table
        elif key:
            yield number, f"{table}.{_plain(key[1])}" if table else _plain(key[1])


def _plain(name: str) -> str:
    return _QUOTES_AND_SPACES.sub("", name)


def line_in_json(content: str, name: str) -> int | None:
    """The first line, counted from 1, in which the last part of a name stands as a key."""
    leaf = name.rpartition(".")[2]
    found = re.search(rf'"{re.escape(leaf)}"\s*:', content)
    return None if found is None else content.count("\n", 0, found.start()) + 1
