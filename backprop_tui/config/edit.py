"""Changes one key in the text of a TOML file and leaves the rest, comments too, as a person wrote it."""

from __future__ import annotations

import re

from backprop_tui.config.files import Tree, flattened
from backprop_tui.config.keys import Key
from backprop_tui.config.kinds import NONE, Value
from backprop_tui.config.places import key_line_in_toml

# A key with a value that ends on its line, and the comment behind it.
_TEXT = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*')"""
_LINE = re.compile(
    rf"""(?P<key>[^=]*=\s*)(?P<value>{_TEXT}|\[(?:[^\]"'#]|{_TEXT})*\]|[^"'#\[]*?)(?P<comment>\s*(?:\#.*)?)$"""
)
_EXACT = 1e15  # up to here a number with a fraction holds every whole number


def with_key(content: str, key: Key, value: Value) -> str | None:
    """The text with that value; None where it is written in a way that only a TOML writer masters."""
    lines = content.rstrip("\n").split("\n") if content.strip() else []
    number = key_line_in_toml(content, key.name)
    if number is None:
        _insert(lines, key, _assignment(key, value))
    else:
        written = _LINE.match(lines[number - 1])
        if written is None:
            return None
        lines[number - 1] = f"{written['key']}{_literal(key, value)}{written['comment']}"
    changed = "\n".join(lines) + "\n"
    before, after = _parsed(content), _parsed(changed)
    if before is None or after is None:
        return None
    return changed if after == before | {key.name: plain(value)} else None


def plain(value: Value) -> object:
    """The value as TOML has it."""
    match value:
        case None:
            return NONE
        case tuple():
            return list(value)
        case float() if value.is_integer() and abs(value) < _EXACT:
            return int(value)
        case _:
            return value


def _insert(lines: list[str], key: Key, assignment: str) -> None:
    """At the beginning of its table, which is made at the end where there is none."""
    headers = [place for place, line in enumerate(lines) if re.match(r"\s*\[", line)]
    if not key.section:
        place = headers[0] if headers else len(lines)
        lines[place:place] = [assignment, ""] if headers else [assignment]
        return
    of_table = [place for place in headers if re.match(rf"\s*\[\s*{key.section}\s*\]", lines[place])]
    if of_table:
        lines.insert(of_table[0] + 1, assignment)
    else:
        lines += [*([""] if lines else []), f"[{key.section}]", assignment]


def _assignment(key: Key, value: Value) -> str:
    return f"{key.leaf} = {_literal(key, value)}"


def _literal(key: Key, value: Value) -> str:
    import tomli_w

    if isinstance(value, tuple):
        return "[" + ", ".join(_literal(key, item) for item in value) + "]"
    return tomli_w.dumps({key.leaf: plain(value)}).partition("=")[2].strip()


def _parsed(content: str) -> dict[str, object] | None:
    import tomllib

    try:
        tree: Tree = tomllib.loads(content)
    except tomllib.TOMLDecodeError:
        return None
    return dict(flattened(tree))
