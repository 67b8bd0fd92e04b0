"""Writes the user's config.toml, changing one key and keeping the rest of the text."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping

from backprop_tui.config.files import Tree, flatten, names_in_toml, parse_toml, read_text, read_valid, unset_words
from backprop_tui.config.key_removal import is_in_text, without_key
from backprop_tui.config.keys import HELP_TEXTS, KEYS, Key
from backprop_tui.config.kinds import NONE, Value, WrongValue
from backprop_tui.config.sources import config_command
from backprop_tui.domain.errors import ConfigError, StorageFailed, unknown_key
from backprop_tui.domain.formatting import shortened
from backprop_tui.processes.users import foreign_owner, run_as, user_name

# A key whose value ends on the same line, and a comment after it.
_TEXT = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*')"""
_LINE = re.compile(
    rf"""(?P<key>[^=]*=\s*)(?P<value>{_TEXT}|\[(?:[^\]"'#]|{_TEXT})*\]|[^"'#\[]*?)(?P<comment>\s*(?:\#.*)?)$"""
)
_EXACT = 1e15  # up to here a float represents every whole number exactly


def with_key(content: str, key: Key, value: Value) -> str | None:
    """Returns the text with the key set; None if the text is too complicated to be edited line by line.

    A text that is not TOML is edited only if the line of the key is what is wrong with it.
    """
    lines = content.rstrip("\n").split("\n") if content.strip() else []
    before = _flat_toml(content)
    if before is None:
        return _repaired(content, lines, key, value)
    expected = before | {key.name: toml_value(value)}
    edits = _replacements(content, lines, key, value) if key.name in before else _insertions(content, lines, key, value)
    texts = ("\n".join(edit) + "\n" for edit in edits)
    # Keys are recognized by the look of a line, which a multi-line string can imitate, so the result is parsed again.
    return next((text for text in texts if _flat_toml(text) == expected), None)


def toml_value(value: Value) -> object:
    """Converts a value to the type it has in TOML."""
    match value:
        case None:
            return NONE
        case tuple():
            return list(value)
        case Mapping():
            return dict(value)
        case float() if value.is_integer() and abs(value) < _EXACT:
            return int(value)
        case _:
            return value


def _replacements(content: str, lines: list[str], key: Key, value: Value) -> Iterator[list[str]]:
    """The texts with the value replaced on each line that may be the key."""
    literal = _literal(key, value)
    for start in (number - 1 for number, name in names_in_toml(content) if name == key.name):
        on_one_line = _LINE.match(lines[start])
        if on_one_line is not None:
            yield [*lines[:start], f"{on_one_line['key']}{literal}{on_one_line['comment']}", *lines[start + 1 :]]
            continue
        left_side = lines[start][: lines[start].index("=") + 1]
        ends = range(start + 2, len(lines) + 1)
        end = next((end for end in ends if _flat_toml("\n".join(lines[start:end])) is not None), None)
        if end is not None:
            yield [*lines[:start], f"{left_side} {literal}", *lines[end:]]


def _repaired(content: str, lines: list[str], key: Key, value: Value) -> str | None:
    """The text with a value in place of one that is not TOML, as in `max_run_minutes = 5h`; None if that is not all."""
    for start in (number - 1 for number, name in names_in_toml(content) if name == key.name):
        line = _LINE.match(lines[start])
        rest = _flat_toml("\n".join([*lines[:start], *lines[start + 1 :]]))
        if rest is None or (line is None and "#" in lines[start]):
            continue
        before, comment = (f"{lines[start].partition('=')[0]}= ", "") if line is None else line.group("key", "comment")
        edit = [*lines[:start], f"{before}{_literal(key, value)}{comment}", *lines[start + 1 :]]
        text = "\n".join(edit) + "\n"
        if _flat_toml(text) == rest | {key.name: toml_value(value)}:
            return text
    return None


def _insertions(content: str, lines: list[str], key: Key, value: Value) -> Iterator[list[str]]:
    """The texts with the key added: at the start of its table, in a new table at the end, or next to dotted keys."""
    assignment = f"{key.leaf} = {_literal(key, value)}"
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


def _literal(key: Key, value: Value) -> str:
    import tomli_w

    if isinstance(value, tuple):
        return "[" + ", ".join(_literal(key, item) for item in value) + "]"
    return tomli_w.dumps({key.leaf: toml_value(value)}).partition("=")[2].strip()


def _flat_toml(content: str) -> dict[str, object] | None:
    import tomllib

    try:
        tree: Tree = tomllib.loads(content)
    except (ValueError, RecursionError):  # as in `parse_toml`
        return None
    return dict(flatten(tree))


_STORAGE_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def set_key(path: str, name: str, word: str) -> Value:
    """Sets one key in a TOML file, which is created if it is missing; other keys and comments are kept.

    Comments inside a replaced multi-line value are lost. Other keys may be wrong: they stay as they are. Raises
    ConfigError if the key is unknown, the value is wrong, or the file is not TOML or cannot be written, and
    StorageFailed if the disk is full or broken.
    """
    value, text = _assigned(path, name, word)
    _write(path, text)
    return value


def restore_text(path: str, text: str, written: str | None) -> None:
    """Puts an earlier text back in place of the one that was written; raises ConfigError if it has changed since."""
    if read_text(path) != written:
        raise ConfigError(path, "was changed since", "change it with `backprop-tui config set KEY VALUE` or an editor")
    _write(path, text)


def _text_with_key(path: str, key: Key, value: Value) -> str:
    """Returns the text of the file with the key set; raises ConfigError if comments or other faults would be lost."""
    content = read_text(path) or ""
    edited = with_key(content, key, value)
    if edited is not None:
        return edited
    try:
        parse_toml(path, content)
    except ConfigError as error:
        raise _not_written(path, error, "correct it with an editor") from error
    return _toml(_valid_values(path, key.name, "set") | {key.name: value})


def _valid_values(path: str, name: str, change: str) -> dict[str, Value]:
    """The values of a file that is written anew; raises ConfigError if that would lose more than the key `name`."""
    settings, errors = read_valid(path)
    other = next((error for error in errors if error.key != name and error.repair != unset_words(name)), None)
    if other is not None:
        raise _not_written(path, other, "correct that first")
    if "#" in (read_text(path) or ""):
        raise ConfigError(path, f"{name} cannot be {change} without losing comments", "change it with an editor")
    return {name: setting.value for name, setting in settings.items()}


def _not_written(path: str, error: ConfigError, hint: str) -> ConfigError:
    repair = error.repair and f"`{config_command(path)} {error.repair}` repairs that"
    return ConfigError("not written", f"{error.where}: {error.problem}", error.hint or repair or hint, key=error.key)


def unset_key(path: str, name: str, *, is_dry: bool = False) -> bool:
    """Removes a key or a table from a TOML file, also an unknown one; other keys and comments are kept.

    Returns whether it was there. Raises ConfigError if the name is neither a key nor in the file, or if the file cannot
    be changed, and StorageFailed if the disk is full or broken; `is_dry` changes nothing.
    """
    _require_toml(path)
    content = read_text(path) or ""
    if not is_in_text(content, name):
        if name not in KEYS:
            in_file = dict.fromkeys((defined for _, defined in names_in_toml(content)), "")
            raise unknown_key("config unset", name, in_file | HELP_TEXTS)
        return False
    text = without_key(content, name)
    if text is None:
        try:
            parse_toml(path, content)
        except ConfigError as error:
            raise _not_written(path, error, "correct it with an editor") from error
        kept = _valid_values(path, name, "removed")
        kept.pop(name, None)
        text = _toml(kept)
    if not is_dry:
        _write(path, text)
    return True


def validate_assignment(path: str, name: str, word: str) -> Value:
    """Returns the value that `set_key` would write, without changing anything; raises the same ConfigErrors."""
    return _assigned(path, name, word)[0]


def _assigned(path: str, name: str, word: str) -> tuple[Value, str]:
    """The value, and the text of the file with it."""
    _require_toml(path)
    if name not in KEYS:
        raise unknown_key("config set", name, HELP_TEXTS)
    try:
        value = KEYS[name].kind.read(word)
    except WrongValue as error:
        hint = f"the value in force: backprop-tui config show {name}"
        raise ConfigError("config set", f"{name} = {shortened(word)}: {error}", hint) from error
    return value, _text_with_key(path, KEYS[name], value)


def _require_toml(path: str) -> None:
    if path.endswith(".json"):
        raise ConfigError(path, "files of the original tool are read-only", "set keys in a .toml file")


def init(path: str) -> None:
    """Writes the commented example to a new file; raises ConfigError if the file exists or cannot be written."""
    require_absent(path)
    _write(path, example())


def require_absent(path: str) -> None:
    """Raises ConfigError if the file exists already."""
    if os.path.lexists(path):
        raise ConfigError(path, "already exists", "change it with `backprop-tui config set KEY VALUE` or an editor")


def example() -> str:
    """Returns the content of config.example.toml: every key with its help text and default."""
    lines = [
        "# Settings of backprop-tui, with their defaults. Location of this file: `backprop-tui config path`.",
        '# Durations and sizes may have a unit: max_run_minutes = "1h30m", min_free_ram_gb = "500MB".',
    ]
    section = ""
    for key in KEYS.values():
        if key.sample:
            header = f"[{key.leaf}]" if isinstance(key.default, Mapping) else f"# [[{key.leaf}]]"
            lines += ["", f"# {key.help}", header, f"# {key.sample}"]
            section = key.leaf
            continue
        if key.section != section:
            section = key.section
            lines += ["", f"[{section}]"]
        choices = [f"# values: {', '.join(key.kind.choices)}"] if key.kind.choices else []
        lines += ["", f"# {key.help}", *choices, f"{key.leaf} = {_literal(key, key.default)}"]
    return "\n".join(lines) + "\n"


def _toml(values: dict[str, Value]) -> str:
    import tomli_w

    tree: dict[str, object] = {}
    for key in KEYS.values():
        if key.name not in values:
            continue
        table = tree.setdefault(key.section, {}) if key.section else tree
        if isinstance(table, dict):
            table[key.leaf] = toml_value(values[key.name])
    return tomli_w.dumps(tree)


def _write(path: str, content: str) -> None:
    """Writes the file atomically; a symbolic link is followed, since settings are often kept in another folder."""
    path = os.path.realpath(path)
    folder = os.path.dirname(path)
    temporary = f"{path}.tmp-{os.getpid()}-{os.urandom(4).hex()}"
    owner = foreign_owner(folder)
    if owner is not None:
        problem = f"its directory belongs to {user_name(owner)}, who could not access files of root"
        raise ConfigError(path, problem, f"{run_as(owner)} backprop-tui config ...")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.rename(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        if error.errno in _STORAGE_ERRORS:
            raise StorageFailed(f"{path}: cannot be written: {error.strerror}") from error
        hint = "set XDG_CONFIG_HOME to a directory you can write, or name another file with --config"
        raise ConfigError(path, f"cannot be written: {error.strerror}", hint) from error
