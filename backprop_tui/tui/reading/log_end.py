"""The last lines of a log, whatever its length."""

from __future__ import annotations

import os

from backprop_tui.tui.neutral import neutral

_BYTES = 64 << 10
_LINES = 200


class LogEnd:
    """Reads the end of a file again where it grew."""

    __slots__ = ("_lines", "_mark", "path", "size")

    def __init__(self, path: str | None) -> None:
        self.path = path
        self.size = 0
        self._mark: tuple[int, int] | None = None
        self._lines: tuple[str, ...] = ()

    def read(self) -> tuple[str, ...]:
        """The lines, oldest first; of a progress bar its last state."""
        if self.path is None:
            return ()
        try:
            found = os.stat(self.path)
            mark = found.st_size, found.st_mtime_ns
            if mark == self._mark:
                return self._lines
            with open(self.path, "rb", buffering=0) as file:
                file.seek(max(0, found.st_size - _BYTES))
                content = file.read(_BYTES) or b""
        except OSError as error:
            return (f"{self.path}: {error.strerror}",)
        self._mark, self.size = mark, found.st_size
        lines = content.decode("utf-8", "replace").split("\n")
        if found.st_size > _BYTES:
            lines = lines[1:]  # torn
        if lines and not lines[-1]:
            lines.pop()
        self._lines = tuple(neutral(_last_state(line)) for line in lines[-_LINES:])
        return self._lines


def _last_state(line: str) -> str:
    """What a line shows after its carriage returns."""
    return line.rstrip("\r").rpartition("\r")[2]
