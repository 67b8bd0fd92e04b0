"""Finds the file system of a path without accessing it, which could hang."""

from __future__ import annotations

import re

MOUNTS = "/proc/self/mountinfo"
_OCTAL = re.compile(rb"\\([0-7]{3})")


def mount_points() -> tuple[str, ...]:
    """Returns every mount point; empty if they cannot be read. See proc(5), /proc/PID/mountinfo."""
    try:
        with open(MOUNTS, "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return ()
    fields = (line.split(b" ") for line in lines)
    return tuple(_unescaped(line[4]) for line in fields if len(line) > 4)


def mount_point_of(path: str, points: tuple[str, ...]) -> str:
    """Returns the innermost mount point above an absolute path, without following links; / if none is known."""
    containing = [point for point in points if path == point or path.startswith(point.rstrip("/") + "/")]
    return max(containing, key=len, default="/")


def _unescaped(field: bytes) -> str:
    """Decodes spaces and the like, which are written as three octal digits."""
    return _OCTAL.sub(lambda match: bytes([int(match[1], 8) & 0xFF]), field).decode("utf-8", "surrogateescape")
