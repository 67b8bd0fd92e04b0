"""Sets one key in the text of a TOML file and keeps the rest, including comments, unchanged."""

from __future__ import annotations

import re
from collections.abc import Iterator

from backprop_tui.config.files import Tree, flatten
from backprop_tui.config.keys import Key
from backprop_tui.config.kinds import NONE, Value
from backprop_tui.config.places import key_lines_in_toml, names_in_toml

# A key whose value ends on the same line, and a comment after it.
_TEXT = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*')"""
_LINE = re.compile(
    rf"""(?P<key>[^=]*=\s*)(?P<value>{_TEXT}|\[(?:[^\]"'#]|{_TEXT})*\]|[^"'#\[]*?)(?P<comment>\s*(?:\#.*)?)$"""
)
_EXACT = 1e15  # up to here a float represents every whole number exactly


def with_key(content: str, key: Key, value: Value) -> str | None:
    """Returns the text with the key set; None if the text is too complicated to be edited line by line."""
    lines = content.rstrip("\n").split("\n") if content.strip() else []
    before = _flat_toml(content)
    if before is None:
        return None
    expected = before | {key.name: toml_value(value)}
    edits = _replacements(content, lines, key, value) if key.name in before else _insertions(content, lines, key, value)
    texts = ("\n".join(edit) + "\n" for edit in edits)
    # Keys are recognised by the look of a line, which a multi-line string can imitate, so the result is parsed again.
    return next((text for text in texts if _flat_toml(text) == expected), None)


def toml_value(value: Value) -> object:
    """Converts a value to the type it has in TOML."""
    match value:
        case None:
            return NONE
        case tuple():
            return list(value)
        case float() if value.is_integer() and abs(value) < _EXACT:
            return int(value)
        case _:
            return value


def _replacements(content: str, lines: list[str], key: Key, value: Value) -> Iterator[list[str]]:
    """The texts with the value replaced on each line that may be the key."""
    literal = _edited_literal(key, value)
    for start in (number - 1 for number in key_lines_in_toml(content, key.name)):
        on_one_line = _LINE.match(lines[start])
        if on_one_line is not None:
            yield [
                *lines[:start],
                f"{on_one_line['key']}{literal}{on_one_line['comment']}",
                *lines[start + 1 :],
            ]
            continue
        left_side = lines[start][: lines[start].index("=") + 1]
        ends = range(start + 2, len(lines) + 1)
        end = next((end for end in ends if _flat_toml("\n".join(lines[start:end])) is not None), None)
        if end is not None:
            yield [*lines[:start], f"{left_side} {literal}", *lines[end:]]


def _insertions(content: str, lines: list[str], key: Key, value: Value) -> Iterator[list[str]]:
    """The texts with the key added: at the start of its table, in a new table at the end, or next to dotted keys."""
    assignment = f"{key.leaf} = {_edited_literal(key, value)}"
    headers = [index for index, line in enumerate(lines) if re.match(r"\s*\[", line)]
    if not key.section:
        yield [*lines[: headers[0]], assignment, "", *lines[headers[0] :]] if headers else [*lines, assignment]
        yield [assignment, *lines]
        return
    for index in headers:
        if re.match(rf"""\s*\[\s*["']?{key.section}["']?\s*\]""", lines[index]):
            yield [*lines[: index + 1], assignment, *lines[index + 1 :]]
    yield [*lines, *([""] if lines else []), f"[{key.section}]", assignment]
    for number, name in names_in_toml(content):
        if name.startswith(f"{key.section}."):
            yield [*lines[: number - 1], f"{key.section}.{assignment}", *lines[number - 1 :]]


def _edited_literal(key: Key, value: Value) -> str:
    import tomli_w

    if isinstance(value, tuple):
        return "[" + ", ".join(_edited_literal(key, item) for item in value) + "]"
    return tomli_w.dumps({key.leaf: toml_value(value)}).partition("=")[2].strip()


def _flat_toml(content: str) -> dict[str, object] | None:
    import tomllib

    try:
        tree: Tree = tomllib.loads(content)
    except tomllib.TOMLDecodeError:
        return None
    return dict(flatten(tree))
