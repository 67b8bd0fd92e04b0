"""Reads the files of settings: TOML of ours, JSON of the original."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from backprop_tui.config.errors import ConfigError, unknown_key
from backprop_tui.config.keys import KEYS, ORIGINAL_NAMES, Key
from backprop_tui.config.kinds import Value, WrongValue

PROJECT_FILES = ("backprop.toml", "backprop.config.json", ".backprop.json")


@dataclass(frozen=True, slots=True)
class Setting:
    """A value, and where it was read: "/path/config.toml:12"."""

    value: Value
    origin: str


def read_file(path: str) -> dict[str, Setting]:
    """The settings in a file, by the name of their key; a file that is not there has none.

    Raises:
        ConfigError: it cannot be read or understood, or has an unknown key or a wrong value.
    """
    content = _content(path)
    if content is None:
        return {}
    pairs = _original_pairs if path.endswith(".json") else _toml_pairs
    return {key.name: Setting(_read(key, raw, where), where) for key, raw, where in pairs(path, content)}


def _content(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(path, f"not UTF-8 text: {error.reason} at byte {error.start}") from error


def _read(key: Key, raw: object, where: str) -> Value:
    try:
        return key.kind.read(raw)
    except WrongValue as error:
        raise ConfigError(where, f"{key.name} = {raw!r}: {error}") from error


def _toml_pairs(path: str, content: str) -> Iterator[tuple[Key, object, str]]:
    import tomllib

    try:
        tree = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(path, f"not TOML: {error}") from error
    for name, raw in _flattened(tree):
        where = _place(path, content, name)
        if name not in KEYS:
            raise unknown_key(where, name, KEYS)
        yield KEYS[name], raw, where


def _flattened(tree: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Keys with their table before them; only tables that are ours are looked into."""
    sections = {key.section for key in KEYS.values()}
    for name, value in tree.items():
        if isinstance(value, dict) and name in sections:
            yield from ((f"{name}.{leaf}", raw) for leaf, raw in value.items())
        else:
            yield name, value


def _place(path: str, content: str, name: str) -> str:
    """The file and, where a plain scan finds it, the line of a key."""
    section, _, leaf = name.rpartition(".")
    current = ""
    for number, line in enumerate(content.splitlines(), start=1):
        header = re.match(r"\s*\[([^\[\]]+)\]", line)
        if header:
            current = header.group(1).strip()
            if current == name:
                return f"{path}:{number}"
        elif re.match(rf"\s*[\"']?{re.escape(leaf)}[\"']?\s*=", line) and current == section:
            return f"{path}:{number}"
    return path


def _original_pairs(path: str, content: str) -> Iterator[tuple[Key, object, str]]:
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ConfigError(path, f"not JSON: {error}") from error
    if not isinstance(tree, dict):
        raise ConfigError(path, "must be a JSON object")
    for name, raw in tree.items():
        key = ORIGINAL_NAMES.get(name)
        if key is None:
            raise unknown_key(path, name, ORIGINAL_NAMES)
        yield key, raw, path
