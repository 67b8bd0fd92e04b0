"""Reads the small files of /proc and of control groups, several a second: `open` makes twice the system calls."""

from __future__ import annotations

import os

_CHUNK_BYTES = 1 << 14


def read_kernel_file(path: str) -> bytes:
    """Returns all of it. Raises: OSError, for example ProcessLookupError if the process has ended meanwhile."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = chunk = os.read(descriptor, _CHUNK_BYTES)
        while chunk:  # the kernel may give less than was asked for before the end
            chunk = os.read(descriptor, _CHUNK_BYTES)
            content += chunk
        return content
    finally:
        os.close(descriptor)
