"""Reads settings files: our TOML and the JSON of the original tool, with the line of each key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from backprop_tui.config.keys import HELP_TEXTS, JSON_NAMES, KEYS, ORIGINAL_ARGUMENTS, ORIGINAL_VALUES, Key, key_in_json
from backprop_tui.config.kinds import Value, WrongValue
from backprop_tui.domain.errors import ConfigError, unknown_key
from backprop_tui.domain.formatting import shortened
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.processes.regular_files import read_regular

MAX_BYTES = 1 << 20
_HEADER = r"\s*\[\[?([^\[\]]+)\]"
_KEY = r"\s*([^\s#\[=][^#=]*?)\s*="
_QUOTES_AND_SPACES = r"[\"'\s]"


def line_in_toml(content: str, name: str) -> int | None:
    """Returns the line, counted from 1, of a key such as "gpu.max_temp_c" or of a table, else of its inline table."""
    table_line = None
    for line, defined in names_in_toml(content):
        if defined == name:
            return line
        if table_line is None and defined == name.rpartition(".")[0]:
            table_line = line
    return table_line


def line_of_item(content: str, name: str, item: str | int) -> int | None:
    """Returns the line of a key in a table, or of one of several tables of the same name, counted from 0."""
    if isinstance(item, str):
        return line_in_toml(content, f"{name}.{_unquoted(item)}")
    lines = [line for line, defined in names_in_toml(content) if defined == name]
    return lines[item] if item < len(lines) else None


def names_in_toml(content: str) -> Iterator[tuple[int, str]]:
    """Yields each line that defines a table or a key, with the full name."""
    table = ""
    for number, line in enumerate(content.split("\n"), start=1):
        header, key = re.match(_HEADER, line), re.match(_KEY, line)
        if header:
            table = _unquoted(header[1])
            yield number, table
        elif key:
            yield number, f"{table}.{_unquoted(key[1])}" if table else _unquoted(key[1])


def _unquoted(name: str) -> str:
    return re.sub(_QUOTES_AND_SPACES, "", name)


def line_in_json(content: str, name: str) -> int | None:
    """Returns the first line, counted from 1, that has the last part of the name as a key."""
    leaf = name.rpartition(".")[2]
    match = re.search(rf'"{re.escape(leaf)}"\s*:', content)
    return None if match is None else content.count("\n", 0, match.start()) + 1


SECTIONS = frozenset(key.section for key in KEYS.values()) - {""}

Tree = Mapping[str, object]


@lazy_dataclass(frozen=True, slots=True)
class Setting:
    """A value, and where it was set: "/path/config.toml:12"."""

    value: Value
    origin: str


@lazy_dataclass(frozen=True, slots=True)
class _Entry:
    """A setting in a file, before validation; `name` is its name in the file."""

    key: Key
    name: str
    raw: object
    where: str


def read_file(path: str) -> dict[str, Setting]:
    """Reads the settings in a file by key, none if it is missing; raises ConfigError for the first error in it."""
    settings, errors = read_valid(path)
    if errors:
        raise errors[0]
    return settings


def read_valid(path: str) -> tuple[dict[str, Setting], list[ConfigError]]:
    """Reads the valid settings in a file by key, and all errors in it; no settings if it is unreadable as a whole."""
    settings: dict[str, Setting] = {}
    errors: list[ConfigError] = []
    try:
        for item in _settings_in(path):
            if isinstance(item, ConfigError):
                errors.append(item)
            else:
                settings[item[0]] = item[1]
    except ConfigError as error:
        errors.append(error)
    return settings, errors


def original_arguments_in(path: str) -> list[str]:
    """Returns the arguments of a run in a file of the original tool; they are no settings and have no effect."""
    if not path.endswith(".json"):
        return []
    content = read_text(path)
    return [] if content is None else sorted(ORIGINAL_ARGUMENTS & set(_parse_json(path, content)))


def _settings_in(path: str) -> Iterator[tuple[str, Setting] | ConfigError]:
    """Yields each setting of a file, or the error in it; raises ConfigError if the file as a whole is unreadable."""
    content = read_text(path)
    if content is None:
        return
    for entry in (_json_entries if path.endswith(".json") else _toml_entries)(path, content):
        if isinstance(entry, ConfigError):
            yield entry
            continue
        try:
            value = entry.key.kind.read(entry.raw)
        except WrongValue as error:
            is_table = bool(entry.key.sample) and not isinstance(entry.raw, str)  # too long to be repeated
            shown = entry.name if is_table else f"{entry.name} = {shortened(entry.raw)}"
            repair = None if entry.key.sample else _set(entry.key.name)
            yield ConfigError(entry.where, f"{shown}: {error}", key=entry.key.name, repair=repair)
        else:
            yield entry.key.name, Setting(value, entry.where)


def read_text(path: str) -> str | None:
    """Returns the text of a file, None if it is missing; raises ConfigError if it cannot be read or is not UTF-8."""
    try:
        content = read_regular(path, MAX_BYTES).decode("utf-8-sig")
        return content.replace("\r\n", "\n").replace("\r", "\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(path, f"cannot be read: {error.strerror}", "make it readable, or move it away") from error
    except UnicodeDecodeError as error:
        raise ConfigError(path, f"not UTF-8 text: {error.reason} at byte {error.start}") from error


def _toml_entries(path: str, content: str) -> Iterator[_Entry | ConfigError]:
    for name, raw in flatten(parse_toml(path, content)):
        where = location(path, line_in_toml(content, name))
        if name in KEYS:
            yield _Entry(KEYS[name], name, raw, where)
        elif name in SECTIONS:
            hint = f"its keys belong below a line [{name}]"
            yield ConfigError(where, f"{name} is a table", hint, repair=unset_words(name))
        else:
            is_table = isinstance(raw, dict) and "." not in name
            known = dict.fromkeys(SECTIONS, "") if is_table else HELP_TEXTS
            yield unknown_key(where, name, known, repair=unset_words(name))


def _set(name: str) -> str:
    return f"set {name} VALUE"


def unset_words(name: str) -> str:
    """The words after `config` that remove a key."""
    import shlex

    return f"unset {shlex.quote(name)}"


def _json_entries(path: str, content: str) -> Iterator[_Entry | ConfigError]:
    names: dict[str, str] = {}
    for name, raw in flatten(_parse_json(path, content)):
        if name in ORIGINAL_ARGUMENTS:
            continue
        where = location(path, line_in_json(content, name))
        key = key_in_json(name)
        if key is None:
            yield unknown_key(where, name, {name: key.help for name, key in JSON_NAMES.items()})
        elif key.name in names:
            yield ConfigError(
                where, f"{name} sets the same as {names[key.name]!r}", "keep one of the two", key=key.name
            )
        else:
            names[key.name] = name
            value = ORIGINAL_VALUES.get(key.name, {}).get(raw, raw) if isinstance(raw, str) else raw
            yield _Entry(key, name, value, where)


def parse_toml(path: str, content: str) -> Tree:
    """Parses text that was read from `path`; raises ConfigError if it is not TOML."""
    import tomllib

    try:
        return tomllib.loads(content)
    except ValueError as error:  # not only TOMLDecodeError: a number of thousands of digits raises ValueError itself
        line = _line_in_message(str(error), content)
        is_duplicate = str(error).startswith(("Cannot overwrite", "Cannot declare", "Cannot redefine", "Cannot mutate"))
        hint = "a key or a table is defined twice" if is_duplicate else None
        key = next((name for number, name in names_in_toml(content) if number == line and name in KEYS), None)
        is_repaired = key is not None and line is not None and not is_duplicate and _is_toml_without(line, content)
        repair = _set(key) if key is not None and is_repaired and not KEYS[key].sample else None
        raise ConfigError(location(path, line), f"not valid TOML: {error}", hint, key=key, repair=repair) from error
    except RecursionError as error:
        raise ConfigError(path, "not valid TOML: nested too deeply") from error


def _is_toml_without(line: int, content: str) -> bool:
    import tomllib

    lines = content.split("\n")
    try:
        tomllib.loads("\n".join([*lines[: line - 1], *lines[line:]]))
    except (ValueError, RecursionError):  # as in `parse_toml`
        return False
    return True


def _line_in_message(message: str, content: str) -> int | None:
    if "at end of document" in message:
        return content.rstrip().count("\n") + 1
    match = re.search(r"at line (\d+)", message)
    return int(match[1]) if match else None


def _parse_json(path: str, content: str) -> Tree:
    import json

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        tree: dict[str, object] = {}
        for name, value in pairs:
            if name in tree:
                raise ConfigError(location(path, line_in_json(content, name)), f"{name!r} is defined twice")
            tree[name] = value
        return tree

    try:
        tree = json.loads(content, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise ConfigError(location(path, error.lineno), f"not valid JSON: {error}") from error
    except ValueError as error:  # a number of thousands of digits
        raise ConfigError(path, f"not valid JSON: {error}") from error
    except RecursionError as error:
        raise ConfigError(path, "not valid JSON: nested too deeply") from error
    if not isinstance(tree, dict):
        raise ConfigError(path, "must be a JSON object")
    return tree


def flatten(tree: Tree) -> Iterator[tuple[str, object]]:
    """Yields keys as "table.key" with their values; unknown tables are not flattened."""
    for name, value in tree.items():
        if isinstance(value, dict) and name in SECTIONS:
            yield from ((f"{name}.{leaf}", raw) for leaf, raw in value.items())
        else:
            yield name, value


def location(path: str, line: int | None) -> str:
    return path if line is None else f"{path}:{line}"
