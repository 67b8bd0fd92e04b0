"""Reads the files of settings: TOML of ours, JSON of the original."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from backprop_tui.config.errors import ConfigError, unknown_key
from backprop_tui.config.keys import KEYS, ORIGINAL_ARGUMENTS, ORIGINAL_NAMES, ORIGINAL_WORDS, Key
from backprop_tui.config.kinds import Value, WrongValue
from backprop_tui.config.places import line_in_json, line_in_toml

PROJECT_FILES = ("backprop.toml", "backprop.config.json", ".backprop.json")
SECTIONS = frozenset(key.section for key in KEYS.values()) - {""}

Tree = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Setting:
    """A value, and where it was read: "/path/config.toml:12"."""

    value: Value
    origin: str


@dataclass(frozen=True, slots=True)
class _Written:
    """A key as it stands in a file; `name` is what it is called there."""

    key: Key
    name: str
    raw: object
    where: str


def read_file(path: str) -> dict[str, Setting]:
    """The settings in a file, by the name of their key; a file that is not there has none.

    Raises:
        ConfigError: it cannot be read or understood, or has an unknown key or a wrong value.
    """
    found: dict[str, Setting] = {}
    for one in _entries(path):
        if isinstance(one, ConfigError):
            raise one
        found[one[0]] = one[1]
    return found


def problems_in(path: str) -> list[ConfigError]:
    """Everything that is wrong with a file; nothing where it is not there."""
    try:
        return [one for one in _entries(path) if isinstance(one, ConfigError)]
    except ConfigError as error:
        return [error]


def arguments_in(path: str) -> list[str]:
    """What a file of the original says of one run, which is no setting here and has no effect."""
    if not path.endswith(".json"):
        return []
    content = _content(path)
    return [] if content is None else sorted(ORIGINAL_ARGUMENTS & set(_json_tree(path, content)))


def _entries(path: str) -> Iterator[tuple[str, Setting] | ConfigError]:
    """Each setting of a file, or what is wrong with it.

    Raises:
        ConfigError: the file as a whole cannot be read or understood.
    """
    content = _content(path)
    if content is None:
        return
    for written in (_in_json if path.endswith(".json") else _in_toml)(path, content):
        if isinstance(written, ConfigError):
            yield written
            continue
        try:
            value = written.key.kind.read(written.raw)
        except WrongValue as error:
            yield ConfigError(written.where, f"{written.name} = {written.raw!r}: {error}")
        else:
            yield written.key.name, Setting(value, written.where)


def _content(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8-sig") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(path, f"not UTF-8 text: {error.reason} at byte {error.start}") from error


def _in_toml(path: str, content: str) -> Iterator[_Written | ConfigError]:
    for name, raw in flattened(parse_toml(path, content)):
        where = _at(path, line_in_toml(content, name))
        if name in KEYS:
            yield _Written(KEYS[name], name, raw, where)
        elif name in SECTIONS:
            yield ConfigError(where, f"{name} is a table: its keys stand below a line [{name}]")
        else:
            yield unknown_key(where, name, SECTIONS if isinstance(raw, dict) and "." not in name else KEYS)


def _in_json(path: str, content: str) -> Iterator[_Written | ConfigError]:
    for name, raw in flattened(_json_tree(path, content)):
        if name in ORIGINAL_ARGUMENTS:
            continue
        where = _at(path, line_in_json(content, name))
        key = ORIGINAL_NAMES.get(name)
        if key is None:
            yield unknown_key(where, name, ORIGINAL_NAMES)
        else:
            yield _Written(key, name, _in_our_words(key, raw), where)


def _in_our_words(key: Key, raw: object) -> object:
    return ORIGINAL_WORDS.get(key.name, {}).get(raw, raw) if isinstance(raw, str) else raw


def parse_toml(path: str, content: str) -> Tree:
    """The tables of TOML text that was read from `path`.

    Raises:
        ConfigError: it is not TOML.
    """
    import tomllib

    try:
        return tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        raise ConfigError(_at(path, int(line[1]) if line else None), f"not TOML: {error}") from error


def _json_tree(path: str, content: str) -> Tree:
    try:
        tree = json.loads(content)
    except json.JSONDecodeError as error:
        raise ConfigError(_at(path, error.lineno), f"not JSON: {error}") from error
    except RecursionError as error:
        raise ConfigError(path, "not JSON that anyone wrote: nested too deeply") from error
    if not isinstance(tree, dict):
        raise ConfigError(path, "must be a JSON object")
    return tree


def flattened(tree: Tree) -> Iterator[tuple[str, object]]:
    """Keys with their table before them; only tables that are ours are looked into."""
    for name, value in tree.items():
        if isinstance(value, dict) and name in SECTIONS:
            yield from ((f"{name}.{leaf}", raw) for leaf, raw in value.items())
        else:
            yield name, value


def _at(path: str, line: int | None) -> str:
    return path if line is None else f"{path}:{line}"
