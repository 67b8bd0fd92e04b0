"""Writes the user's config.toml: one key at a time, or the whole example."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from backprop_tui.config.edit import plain, with_key
from backprop_tui.config.errors import ConfigError, unknown_key
from backprop_tui.config.files import read_file
from backprop_tui.config.keys import KEYS, Key
from backprop_tui.config.kinds import NONE, Value, WrongValue
from backprop_tui.domain.errors import StorageFailed

_FAULTS_OF_STORAGE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def set_key(path: str, name: str, word: str) -> Value:
    """Sets one key in a TOML file, which is made where there is none; the other keys and the comments stay.

    Comments within an old value of several lines go with it.

    Raises:
        ConfigError: there is no such key, the value is wrong, or the file is wrong or cannot be written.
        StorageFailed: the disk is full or broken.
    """
    value = checked(path, name, word)
    _write(path, _changed(path, KEYS[name], value))
    return value


def _changed(path: str, key: Key, value: Value) -> str:
    """The text of the file with that value.

    Raises:
        ConfigError: comments would be lost.
    """
    content = _text(path)
    changed = with_key(content, key, value)
    if changed is None and "#" in content:
        raise ConfigError(path, f"{key.name} cannot be set without losing comments; change it with an editor")
    values = {name: setting.value for name, setting in read_file(path).items()}
    return _toml(values | {key.name: value}) if changed is None else changed


def checked(path: str, name: str, word: str) -> Value:
    """The value that `set_key` would write; nothing is changed.

    Raises:
        ConfigError: as `set_key`.
    """
    if path.endswith(".json"):
        raise ConfigError(path, "is JSON of the original tool, which is only read; set keys in a .toml file")
    if name not in KEYS:
        raise unknown_key("config set", name, KEYS)
    try:
        value = KEYS[name].kind.read(word)
    except WrongValue as error:
        raise ConfigError("config set", f"{name} = {word!r}: {error}") from error
    read_file(path)
    _changed(path, KEYS[name], value)
    return value


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8-sig") as file:
            return file.read()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ConfigError(path, f"cannot be read: {error.strerror}") from error


def init(path: str) -> None:
    """Writes the commented example where no file is.

    Raises:
        ConfigError: there is one already, or it cannot be written.
    """
    refuse_existing(path)
    _write(path, example())


def refuse_existing(path: str) -> None:
    """Raises: ConfigError where there is a file already."""
    if os.path.lexists(path):
        raise ConfigError(path, "exists already; change it with `backprop-tui config set KEY VALUE` or an editor")


def example() -> str:
    """config.example.toml: every key with its meaning and its default."""
    lines = ["# Settings of backprop-tui; every value here is the default. Its place: `backprop-tui config path`."]
    section = ""
    for key in KEYS.values():
        if key.section != section:
            section = key.section
            lines += ["", f"[{section}]"]
        lines += ["", *_example_of(key)]
    return "\n".join(lines) + "\n"


def _example_of(key: Key) -> Iterator[str]:
    yield f"# {key.help}"
    yield f"{key.leaf} = {_literal(key.default)}"


def _literal(value: Value) -> str:
    match value:
        case None:
            return f'"{NONE}"'
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value}"'
        case tuple():
            return "[" + ", ".join(f'"{item}"' for item in value) + "]"
        case _:
            return f"{value:g}"


def _toml(values: dict[str, Value]) -> str:
    import tomli_w

    tree: dict[str, object] = {}
    for key in KEYS.values():
        if key.name not in values:
            continue
        table = tree.setdefault(key.section, {}) if key.section else tree
        if isinstance(table, dict):
            table[key.leaf] = plain(values[key.name])
    return tomli_w.dumps(tree)


def _write(path: str, content: str) -> None:
    """Replaces the file that a link points to, not the link: settings are often kept in another folder."""
    path = os.path.realpath(path)
    folder = os.path.dirname(path)
    aside = f"{path}.tmp-{os.getpid()}"
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.rename(aside, path)
        except BaseException:
            os.unlink(aside)
            raise
    except OSError as error:
        if error.errno in _FAULTS_OF_STORAGE:
            raise StorageFailed(f"{path}: cannot be written: {error.strerror}") from error
        raise ConfigError(path, f"cannot be written: {error.strerror}") from error
