"""Files that grow, read from where they were read before."""

from __future__ import annotations

import json
import os

from backprop_tui.domain.values import dataclass
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.run_directory import RunDirectory

CHUNK_BYTES = 256 << 10


class ByteTail:
    """The bytes of a log beyond an offset; a log found shorter than that was truncated and is read from its start."""

    __slots__ = ("_path", "offset")

    def __init__(self, path: str, offset: int = 0) -> None:
        self._path = path
        self.offset = offset

    def read(self) -> bytes:
        """The next bytes, a chunk at most; empty where there is nothing new or no file yet."""
        try:
            size = os.stat(self._path).st_size
            if size == self.offset:
                return b""
            if size < self.offset:
                self.offset = 0
            with open(self._path, "rb", buffering=0) as file:
                file.seek(self.offset)
                content = file.read(CHUNK_BYTES) or b""
        except FileNotFoundError:
            return b""
        self.offset += len(content)
        return content


class LineTail:
    """The whole lines of a JSON-lines file beyond an offset; torn and foreign ones are skipped."""

    __slots__ = ("_partial", "_tail")

    def __init__(self, path: str, offset: int = 0) -> None:
        self._tail = ByteTail(path, offset)
        self._partial = b""

    def read(self) -> list[JsonObject]:
        """The objects of every new line."""
        found: list[JsonObject] = []
        while content := self._tail.read():
            *whole, self._partial = (self._partial + content).split(b"\n")
            found.extend(value for value in map(_object, whole) if value is not None)
        return found


def _object(line: bytes) -> JsonObject | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def size_of(path: str) -> int:
    """How long a file is; 0 where there is none."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def offset_of_last_lines(path: str, count: int) -> int:
    """Where the last lines of a log begin; read backwards, so that a log of any length costs the same."""
    size = position = size_of(path)
    if count <= 0 or size == 0:
        return size
    with open(path, "rb", buffering=0) as file:
        file.seek(size - 1)
        # The end of the last line is no line of its own.
        left = count + 1 if file.read(1) == b"\n" else count
        while position > 0:
            start = max(0, position - CHUNK_BYTES)
            file.seek(start)
            block = file.read(position - start) or b""
            end = len(block)
            while left > 0 and (end := block.rfind(b"\n", 0, end)) >= 0:
                left -= 1
            if left == 0:
                return start + end + 1
            position = start
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class From:
    """Where following begins: how much of each file is known already. All 0: from the run's beginning."""

    log: int = 0
    events: int = 0
    metrics: int = 0


def known_so_far(directory: RunDirectory) -> From:
    """Following from now on: what the run's files hold already is known."""
    return From(
        log=size_of(directory.log),
        events=size_of(directory.events_path),
        metrics=size_of(directory.metrics_path),
    )
