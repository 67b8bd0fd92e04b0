"""On which file system a path lies, without touching it: one that hangs would hang whoever asks."""

from __future__ import annotations

import re

MOUNTS = "/proc/self/mountinfo"
_OCTAL = re.compile(rb"\\([0-7]{3})")


def mount_points() -> tuple[str, ...]:
    """Every mount point; see proc(5), /proc/PID/mountinfo. Empty where it cannot be read."""
    try:
        with open(MOUNTS, "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return ()
    fields = (line.split(b" ") for line in lines)
    return tuple(_unescaped(line[4]) for line in fields if len(line) > 4)


def mount_point_of(path: str, points: tuple[str, ...]) -> str:
    """The innermost mount point that an absolute path lies below, links not followed; the root where none is known."""
    holding = [point for point in points if path == point or path.startswith(point.rstrip("/") + "/")]
    return max(holding, key=len, default="/")


def _unescaped(field: bytes) -> str:
    """Spaces and the like stand as three octal digits."""
    return _OCTAL.sub(lambda found: bytes([int(found[1], 8) & 0xFF]), field).decode("utf-8", "surrogateescape")
