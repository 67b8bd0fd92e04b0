"""Damages one file of a store: its values, its bytes or its kind; the same number always does the same."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
from collections.abc import Callable, Iterator
from typing import Any

HUGE = 10**400
VALUES: tuple[Any, ...] = (
    *(None, True, 0, 5, -1, 2**63, HUGE, -HUGE, 1e308, 1e-308, float("nan"), float("inf"), -0.5),
    *("", "x", "..", "../../x", "\x1b]52;c;QQ==\x07", "\udcff", "a" * 5000, "2026-01-01T00:00:00Z", "99999-01-01"),
    "NaN",
    *([], [None], [[]], {}, {"": None}, {"a": {"b": []}}),
)
SPARSE_BYTES = 70 << 20


def damage(path: str, seed: int) -> str:
    """Damages the file; returns how."""
    choice = random.Random(f"{seed} {os.path.basename(path)}")
    name, change = choice.choice((*_KINDS, *_BYTES, *(_JSON * 4)))
    return f"{name}: {change(path, choice)}"


def _mutate_json(path: str, choice: random.Random) -> str:
    """Changes one value of the document, or of one of its lines."""
    with open(path, "rb") as file:
        content = file.read()
    lines = content.splitlines() or [b"{}"]
    number = choice.randrange(len(lines))
    try:
        document = json.loads(content)
    except ValueError:
        try:
            document = json.loads(lines[number])
        except ValueError:
            document = choice.choice(VALUES)
        changed, what = _changed(document, choice)
        lines[number] = _dumped(changed)
        _write(path, b"\n".join(lines) + b"\n")
        return f"line {number}: {what}"
    changed, what = _changed(document, choice)
    _write(path, _dumped(changed))
    return what


def _changed(document: Any, choice: random.Random) -> tuple[Any, str]:
    known = list(places(document))
    if not known or choice.random() < 0.03:
        value = choice.choice(VALUES)
        return value, f"everything = {value!r:.40}"
    container, key, where = choice.choice(known)
    if choice.random() < 0.2:
        del container[key]
        return document, f"without {where}"
    container[key] = choice.choice(VALUES)
    return document, f"{where} = {container[key]!r:.40}"


def places(value: Any, where: str = "") -> Iterator[tuple[Any, Any, str]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key, f"{where}/{key}"
        yield from places(inner, f"{where}/{key}")


def _dumped(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


def _write(path: str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)


def _cut(path: str, choice: random.Random) -> str:
    size = choice.randrange(max(1, os.path.getsize(path)))
    os.truncate(path, size)
    return f"{size} bytes"


def _scramble(path: str, choice: random.Random) -> str:
    with open(path, "r+b") as file:
        size = len(file.read())
        file.seek(choice.randrange(max(1, size)))
        file.write(choice.randbytes(choice.choice((1, 20, 500))))
    return "random bytes"


def _enlarge(path: str, choice: random.Random) -> str:
    os.truncate(path, choice.choice((1 << 26, SPARSE_BYTES)))
    return "sparse"


def _be_replaced(make: Callable[[str], object]) -> Callable[[str, random.Random], str]:
    def replace(path: str, _choice: random.Random) -> str:
        os.unlink(path)
        make(path)
        return ""

    return replace


def _bind(path: str) -> None:
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"/proc/self/fd/{folder}/{os.path.basename(path)}")  # a path of a socket must be short
    os.close(folder)


def _close(path: str, _choice: random.Random) -> str:
    os.chmod(path, 0)
    return ""


def _fill_directory(path: str) -> None:
    os.mkdir(path)
    _write(os.path.join(path, "file"), b"x")


_Change = tuple[str, Callable[[str, random.Random], str]]
_JSON: tuple[_Change, ...] = (("value", _mutate_json),)
_BYTES: tuple[_Change, ...] = (("cut", _cut), ("scrambled", _scramble), ("enlarged", _enlarge))
_KINDS: tuple[_Change, ...] = (
    ("FIFO", _be_replaced(os.mkfifo)),
    ("directory", _be_replaced(os.mkdir)),
    ("full directory", _be_replaced(_fill_directory)),
    ("dangling link", _be_replaced(lambda path: os.symlink("nowhere", path))),
    ("looping link", _be_replaced(lambda path: os.symlink(os.path.basename(path), path))),
    ("endless device", _be_replaced(lambda path: os.symlink("/dev/zero", path))),
    ("socket", _be_replaced(_bind)),
    ("closed", _close),
    ("missing", _be_replaced(lambda _path: None)),
)


def files_of(root: str) -> list[str]:
    """Every file of a store, relative to it."""
    paths = (os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names)
    return sorted(os.path.relpath(path, root) for path in paths)


def copy_store(source: str, target: str) -> None:
    """Replaces the target by a copy of an undamaged store."""
    for folder, _, _ in os.walk(target):
        os.chmod(folder, 0o700)
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
