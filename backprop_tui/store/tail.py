"""Reading files that grow: logs and JSON lines, continued where the last read stopped, and their last lines."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from io import FileIO

from backprop_tui.store.fields import JsonObject
from backprop_tui.store.files import open_file

CHUNK_BYTES = 1 << 17  # small, so that a reading thread soon lets others run
MAX_LINE_BYTES = 1 << 20
END_BYTES = 256 << 10  # longer than a traceback of several ranks with their C++ frames
_COUNTED_BYTES = 256 << 20  # counting the lines in so much takes a tenth of a second


class Tail:
    """A growing file, read on from `offset`. A file that was truncated or replaced is read again from its start.

    Its methods raise OSError if the file cannot be read; a missing file is empty, and so is what is no file.
    """

    __slots__ = ("_inode", "offset", "path", "restarted", "size")

    def __init__(self, path: str, offset: int = 0) -> None:
        self.path = path
        self.offset = offset
        self.size = 0  # at the last look
        self.restarted = False  # whether the last look found the file truncated or replaced
        self._inode: int | None = None

    def look(self) -> int:
        """Returns how many bytes are unread."""
        self.restarted = False
        status = _status_of(self.path)
        if status is None:
            return 0
        is_replaced = self._inode is not None and status.st_ino != self._inode
        self.restarted = self.offset > 0 and (status.st_size < self.offset or is_replaced)
        if self.restarted:
            self.offset = 0
        self.size, self._inode = status.st_size, status.st_ino
        return self.size - self.offset

    def read(self) -> bytes:
        """Looks, and returns the next chunk; empty if there is nothing new."""
        return self.chunk(CHUNK_BYTES) if self.look() > 0 else b""

    def chunk(self, most_bytes: int) -> bytes:
        """Returns the next bytes without looking again; empty if the file was truncated or removed since."""
        try:
            with open_log(self.path) as file:
                file.seek(self.offset)
                content = file.read(most_bytes) or b""
        except FileNotFoundError:
            return b""
        self.offset += len(content)
        return content


class JsonTail:
    """A growing file of JSON lines; incomplete lines wait for their end, invalid ones are skipped."""

    __slots__ = ("_last_bytes", "_partial", "_tail")

    def __init__(self, path: str, offset: int = 0, *, last_bytes: int | None = None) -> None:
        """With `last_bytes`, reading starts at the first whole line in the last bytes of what the first look finds."""
        self._tail = Tail(path, offset)
        self._partial = b""
        self._last_bytes = last_bytes

    @property
    def restarted(self) -> bool:
        """Whether the last look found the file truncated or replaced."""
        return self._tail.restarted

    @property
    def whole_end(self) -> int:
        """The end of the last whole line that was read."""
        return self._tail.offset - len(self._partial)

    @property
    def caught_up(self) -> bool:
        """Whether everything was read that was there at the last look."""
        return self._tail.offset >= self._tail.size

    def look(self) -> int:
        """Returns how many bytes are unread."""
        tail = self._tail
        unread = tail.look()
        if tail.restarted:
            self._partial = b""
        if self._last_bytes is not None and tail.size:
            if unread > self._last_bytes:
                tail.offset = tail.size - self._last_bytes
                self._partial = b"?"  # makes the line that is cut here invalid
            self._last_bytes = None
        return tail.size - tail.offset if unread else 0

    def read(self) -> list[JsonObject]:
        """Looks, and returns all new objects."""
        self.look()
        return [value for values in self.chunks() for value in values]

    def chunks(self, most_bytes: int | None = None) -> Iterator[list[JsonObject]]:
        """Yields the objects that were unread at the last look, chunk by chunk; stops after about `most_bytes`."""
        tail = self._tail
        end = tail.size if most_bytes is None else min(tail.size, tail.offset + most_bytes)
        while tail.offset < end:
            content = tail.chunk(CHUNK_BYTES)
            if not content:
                return  # truncated meanwhile, as the next look will show
            whole, newline, self._partial = (self._partial + content).rpartition(b"\n")
            if len(self._partial) > MAX_LINE_BYTES:
                self._partial = b"?"  # makes the rest of the line invalid
            yield parse_lines(whole) if newline else []

    def sample(self, parts: int, part_bytes: int) -> list[JsonObject]:
        """Returns objects from `parts` evenly spread over the file, oldest first; reading continues where it was."""
        objects: list[JsonObject] = []
        with open_log(self._tail.path) as file:
            for index in range(parts):
                file.seek(self._tail.size * index // parts)
                part = file.read(part_bytes) or b""
                objects += parse_lines(part[part.find(b"\n") + 1 : part.rfind(b"\n")])
        return objects


def parse_lines(content: bytes) -> list[JsonObject]:
    """Returns the JSON objects among the lines; others are skipped.

    Parses all lines at once, which takes half the time, unless one of them is invalid.
    """
    try:
        values = json.loads(b"[" + content.strip(b"\n").replace(b"\n", b",") + b"]")
    except (ValueError, RecursionError):
        values = [_parse(line) for line in content.splitlines()]
    return [value for value in values if isinstance(value, dict)]


def _parse(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def open_log(path: str) -> FileIO:
    """Opens a log, which may be a symbolic link to a file elsewhere. Raises: OSError."""
    return FileIO(open_file(path, follow=True))


def size_of(path: str) -> int:
    """Returns the size of a file; 0 if there is none."""
    status = _status_of(path)
    return 0 if status is None else status.st_size


def _status_of(path: str) -> os.stat_result | None:
    """None if there is no file, but perhaps something else. Raises: OSError."""
    try:
        status = os.stat(path)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise
    return status if stat.S_ISREG(status.st_mode) else None


def offset_of_last_lines(path: str, count: int) -> int:
    """Returns where the last lines of a log begin; reads backwards, so that the length of the log does not matter."""
    size = position = size_of(path)
    if count <= 0 or size == 0:
        return size
    with open_log(path) as file:
        file.seek(size - 1)
        newlines_left = count + 1 if file.read(1) == b"\n" else count
        while position > 0:
            start = max(0, position - CHUNK_BYTES)
            file.seek(start)
            block = file.read(position - start) or b""
            end = len(block)
            while newlines_left > 0 and (end := block.rfind(b"\n", 0, end)) >= 0:
                newlines_left -= 1
            if newlines_left == 0:
                return start + end + 1
            position = start
    return 0


def read_end(path: str, begin: int = 0) -> tuple[bytes, int | None]:
    """Returns whole lines from the end of a log and the number of the first, from 1; None if counting takes too long.

    Nothing before `begin` is read, unless the log is shorter; a missing log is empty.
    """
    try:
        with open_log(path) as file:
            size = file.seek(0, os.SEEK_END)
            begin = begin if begin <= size else 0
            start = max(begin, size - END_BYTES)
            file.seek(start)
            content = file.read(END_BYTES) or b""
            if start > begin:
                torn = content.find(b"\n") + 1
                start, content = start + torn, content[torn:]
            return content, _line_number(file, start)
    except OSError:
        return b"", None


def _line_number(file: FileIO, offset: int) -> int | None:
    if offset > _COUNTED_BYTES:
        return None
    file.seek(0)
    newlines = 0
    while offset > 0:
        chunk = file.read(min(offset, 1 << 20))
        if not chunk:
            break
        newlines += chunk.count(b"\n")
        offset -= len(chunk)
    return newlines + 1
