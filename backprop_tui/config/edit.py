"""Changes one key in the text of a TOML file and leaves the rest, comments too, as a person wrote it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backprop_tui.config.files import Tree, flattened
from backprop_tui.config.keys import Key
from backprop_tui.config.kinds import NONE, Value
from backprop_tui.config.places import key_lines_in_toml, written_in_toml

# A key with a value that ends on its line, and the comment behind it.
_TEXT = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*')"""
_LINE = re.compile(
    rf"""(?P<key>[^=]*=\s*)(?P<value>{_TEXT}|\[(?:[^\]"'#]|{_TEXT})*\]|[^"'#\[]*?)(?P<comment>\s*(?:\#.*)?)$"""
)
_EXACT = 1e15  # up to here a number with a fraction holds every whole number


def with_key(content: str, key: Key, value: Value) -> str | None:
    """The text with that value; None where it is written in a way that only a TOML writer masters."""
    lines = content.rstrip("\n").split("\n") if content.strip() else []
    before = _parsed(content)
    if before is None:
        return None
    wanted = before | {key.name: plain(value)}
    attempts = _replaced(content, lines, key, value) if key.name in before else _inserted(content, lines, key, value)
    texts = ("\n".join(attempt) + "\n" for attempt in attempts)
    # Lines are told apart by their looks, which a text of several lines can imitate: so the result is read again.
    return next((text for text in texts if _parsed(text) == wanted), None)


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


def _replaced(content: str, lines: list[str], key: Key, value: Value) -> Iterator[list[str]]:
    """The ways to put another value where the key may stand."""
    literal = _literal(key, value)
    for start in (number - 1 for number in key_lines_in_toml(content, key.name)):
        on_one_line = _LINE.match(lines[start])
        if on_one_line is not None:
            yield [
                *lines[:start],
                f"{on_one_line['key']}{literal}{on_one_line['comment']}",
                *lines[start + 1 :],
            ]
            continue
        beginning = lines[start][: lines[start].index("=") + 1]
        ends = range(start + 2, len(lines) + 1)
        end = next((end for end in ends if _parsed("\n".join(lines[start:end])) is not None), None)
        if end is not None:
            yield [*lines[:start], f"{beginning} {literal}", *lines[end:]]


def _inserted(content: str, lines: list[str], key: Key, value: Value) -> Iterator[list[str]]:
    """The ways to add the key: at the beginning of its table, as a new table at the end, beside its dotted sisters."""
    assignment = f"{key.leaf} = {_literal(key, value)}"
    headers = [place for place, line in enumerate(lines) if re.match(r"\s*\[", line)]
    if not key.section:
        yield [*lines[: headers[0]], assignment, "", *lines[headers[0] :]] if headers else [*lines, assignment]
        yield [assignment, *lines]
        return
    for place in headers:
        if re.match(rf"""\s*\[\s*["']?{key.section}["']?\s*\]""", lines[place]):
            yield [*lines[: place + 1], assignment, *lines[place + 1 :]]
    yield [*lines, *([""] if lines else []), f"[{key.section}]", assignment]
    for number, written in written_in_toml(content):
        if written.startswith(f"{key.section}."):
            yield [*lines[: number - 1], f"{key.section}.{assignment}", *lines[number - 1 :]]


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
