"""A file of JSON lines that grows, read on from where it was read before, a chunk at a time."""

from __future__ import annotations

import json
import os

from backprop_tui.store.fields import JsonObject

CHUNK_BYTES = 1 << 17  # small, so that a thread that reads one lets others go on soon


class JsonTail:
    """Remembers how far it has read. A file that became shorter is read again from its beginning."""

    __slots__ = ("_inode", "_partial", "offset", "path", "restarted", "size")

    def __init__(self, path: str, *, last_bytes: int | None = None) -> None:
        """With `last_bytes` only so much of what is there is read, from the first whole line on."""
        self.path = path
        self.offset = 0
        self.size = 0
        self.restarted = False  # whether the last `look` found another file
        self._inode = 0
        self._partial = b""
        if last_bytes is not None:
            self.look()
            self.offset = max(0, self.size - last_bytes)
            self._partial = b"?" if self.offset else b""  # what is torn becomes no JSON

    def look(self) -> int:
        """How many bytes are unread.

        Raises:
            OSError: it may be there, and cannot be looked at.
        """
        try:
            found = os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return 0
        self.restarted = self.offset > 0 and (found.st_size < self.offset or found.st_ino != self._inode)
        if self.restarted:
            self.offset, self._partial = 0, b""
        self.size, self._inode = found.st_size, found.st_ino
        return self.size - self.offset

    def read(self) -> list[JsonObject]:
        """The objects of the next chunk; torn and foreign lines are left out.

        Raises:
            OSError: it cannot be read.
        """
        with open(self.path, "rb", buffering=0) as file:
            file.seek(self.offset)
            chunk = file.read(CHUNK_BYTES) or b""
        self.offset += len(chunk)
        whole, end, self._partial = (self._partial + chunk).rpartition(b"\n")
        return objects(whole) if end else []

    def sample(self, places: int, each_bytes: int) -> list[JsonObject]:
        """Objects from `places` evenly spread over the file, oldest first; how far it was read does not change.

        Raises:
            OSError: it cannot be read.
        """
        found: list[JsonObject] = []
        with open(self.path, "rb", buffering=0) as file:
            for place in range(places):
                file.seek(self.size * place // places)
                part = file.read(each_bytes) or b""
                found += objects(part[part.find(b"\n") + 1 : part.rfind(b"\n")])
        return found


def objects(whole: bytes) -> list[JsonObject]:
    """The objects of whole lines; together, which takes half the time of one by one, unless a line is not JSON."""
    try:
        values = json.loads(b"[" + whole.strip(b"\n").replace(b"\n", b",") + b"]")
    except (ValueError, RecursionError):
        values = [_value(line) for line in whole.splitlines()]
    return [value for value in values if isinstance(value, dict)]


def _value(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
