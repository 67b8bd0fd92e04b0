"""The end of a run's log, with the number of its first line where that can be counted soon."""

from __future__ import annotations

import os
from typing import BinaryIO

END_BYTES = 256 << 10  # a traceback of several ranks, with their C++ frames, is shorter
_COUNTED_BYTES = 256 << 20  # counting feeds in so much takes a tenth of a second
_CHUNK_BYTES = 1 << 20


def read_end(path: str, begin: int = 0) -> tuple[bytes, int | None]:
    """Whole lines from the end of the log, and the number of the first, from 1; None where too much stands before.

    Args:
        path: The log; a missing one is empty.
        begin: An offset before which nothing counts; ignored where the log is shorter.
    """
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            begin = begin if begin <= size else 0
            start = max(begin, size - END_BYTES)
            file.seek(start)
            content = file.read(END_BYTES)
            if start > begin:
                torn = content.find(b"\n") + 1
                start, content = start + torn, content[torn:]
            return content, _line_number(file, start)
    except OSError:
        return b"", None


def _line_number(file: BinaryIO, place: int) -> int | None:
    """The number of the line that begins at a place."""
    if place > _COUNTED_BYTES:
        return None
    file.seek(0)
    feeds = 0
    while place > 0:
        chunk = file.read(min(place, _CHUNK_BYTES))
        if not chunk:
            break
        feeds += chunk.count(b"\n")
        place -= len(chunk)
    return feeds + 1
