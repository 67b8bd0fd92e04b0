"""Reads the files of settings: TOML of ours, JSON of the original."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from backprop_tui.config.errors import ConfigError, unknown_key
from backprop_tui.config.keys import JSON_NAMES, KEYS, ORIGINAL_ARGUMENTS, ORIGINAL_WORDS, Key, key_in_json
from backprop_tui.config.kinds import Value, WrongValue
from backprop_tui.config.places import line_in_json, line_in_toml
from backprop_tui.domain.values import dataclass

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
    called: dict[str, str] = {}
    for name, raw in flattened(_json_tree(path, content)):
        if name in ORIGINAL_ARGUMENTS:
            continue
        where = _at(path, line_in_json(content, name))
        key = key_in_json(name)
        if key is None:
            yield unknown_key(where, name, JSON_NAMES)
        elif key.name in called:
            yield ConfigError(where, f"{name} sets the same as {called[key.name]!r}; keep one of the two")
        else:
            called[key.name] = name
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
    except ValueError as error:  # not TOMLDecodeError alone: a number of thousands of digits raises a bare one
        line = _line_told(str(error), content)
        twice = str(error).startswith(("Cannot overwrite", "Cannot declare", "Cannot redefine", "Cannot mutate"))
        advice = "; a key or a table stands there twice" if twice else ""
        raise ConfigError(_at(path, line), f"not TOML: {error}{advice}") from error
    except RecursionError as error:
        raise ConfigError(path, "not TOML that anyone wrote: nested too deeply") from error


def _line_told(message: str, content: str) -> int | None:
    """Where tomllib's message puts the mistake; None where it does not say."""
    if "at end of document" in message:
        return content.rstrip().count("\n") + 1
    told = re.search(r"at line (\d+)", message)
    return int(told[1]) if told else None


def _json_tree(path: str, content: str) -> Tree:
    import json

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        tree: dict[str, object] = {}
        for name, value in pairs:
            if name in tree:
                raise ConfigError(_at(path, line_in_json(content, name)), f"{name!r} stands there twice")
            tree[name] = value
        return tree

    try:
        tree = json.loads(content, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        raise ConfigError(_at(path, error.lineno), f"not JSON: {error}") from error
    except ValueError as error:  # a number of thousands of digits
        raise ConfigError(path, f"not JSON that anyone wrote: {error}") from error
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
