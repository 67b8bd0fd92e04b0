"""Writes what the guardian records during a run: the live record, events and resource usage."""

from __future__ import annotations

import errno
import math
import time
from dataclasses import replace
from typing import Any

from backprop_tui.domain.errors import StorageFailed
from backprop_tui.domain.formatting import iso
from backprop_tui.domain.live import Live
from backprop_tui.store.files import append_line, dump, read_bytes, write_atomically
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.tail import size_of

LIVE_SECONDS = 1.0
MAX_RESOURCE_BYTES = 8 << 20  # more than a day of eight GPUs, or a week without any


class Recorder:
    """Keeps the live record; writes it at most once a second, or at once if an intent must be on disk first."""

    def __init__(self, directory: RunDirectory, live: Live) -> None:
        self._directory = directory
        self.live = live
        self._dirty = True
        self._written = 0.0
        self.disk_full: str | None = None  # the system's message, if the newest write of the record found no room

    def change(self, **changes: Any) -> None:  # noqa: ANN401 - the fields of Live, checked by its constructor
        """Changes fields of the live record, which is written within a second."""
        self.live = replace(self.live, **changes)
        self._dirty = True

    def commit(self, **changes: Any) -> bool:  # noqa: ANN401 - as `change`
        """Changes fields and writes the record at once; False if the disk is full."""
        self.change(**changes)
        self._write(time.monotonic())
        return not self._dirty

    def flush(self, now: float) -> None:
        """Writes the changes, at most once a second; `now` is monotonic."""
        if self._dirty and now - self._written >= LIVE_SECONDS:
            self._write(now)

    def seconds_to_write(self, now: float) -> float:
        """Until changes that were made are due to be written; infinite without any."""
        return max(0.0, self._written + LIVE_SECONDS - now) if self._dirty else math.inf

    def _write(self, now: float) -> None:
        self._written = now
        self.live = replace(self.live, time=time.time())
        try:
            self._directory.write_live(self.live)
        except StorageFailed as error:
            # The live record may be lost at any time, so a full disk must not end the run. The next write reports it.
            cause = error.__cause__
            is_full = isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)
            self.disk_full = str(error) if is_full else None
            self.live = replace(self.live, problem="live.json cannot be written: disk full?")
            return
        self.disk_full = None
        self._dirty = False

    def record_event(self, kind: str, message: str, **details: object) -> None:
        try:
            self._directory.append_event(kind, message, time=time.time(), **details)
        except StorageFailed:
            self.change(problem="events.jsonl cannot be written: disk full?")

    def record_resources(self, **values: object) -> None:
        path = self._directory.resources_path
        try:
            append_line(path, dump({"time": iso(time.time()), **values}))
            if size_of(path) > MAX_RESOURCE_BYTES:
                _thin_out(path)
        except StorageFailed:
            self.change(problem="resources.jsonl cannot be written: disk full?")


def _thin_out(path: str) -> None:
    """Drops every second line of the older half: the longer ago, the fewer lines are left. Raises: StorageFailed."""
    lines = (read_bytes(path) or b"").splitlines(keepends=True)
    half = len(lines) // 2
    write_atomically(path, b"".join([*lines[:half:2], *lines[half:]]), durable=False)
