"""The VRAM peaks of earlier runs, by command: a better estimate of what the next run of the same command claims."""

from __future__ import annotations

import json

from backprop_tui.domain.errors import BrokenRecord
from backprop_tui.domain.run import Run
from backprop_tui.store.files import dump, read_object, write_atomically
from backprop_tui.store.home import Home

MOST_COMMANDS = 1000


class VramHistory:
    """Peak bytes of VRAM by command, the most recent last. A cache: losing the file does no harm."""

    __slots__ = ("_path", "_peaks")

    def __init__(self, home: Home) -> None:
        self._path = home.vram_history
        try:
            content = read_object(self._path) or {}
        except BrokenRecord:
            content = {}
        self._peaks = {key: peak for key, peak in content.items() if isinstance(peak, int)}

    def peak_of(self, run: Run) -> int | None:
        """The peak of the newest run of the same command on one GPU; None where none was measured."""
        return self._peaks.get(_command_key(run)) if self._peaks else None

    def record(self, run: Run) -> None:
        """Stores the peak of a run that has ended.

        Raises:
            StorageFailed: only this process knows the peak.
        """
        peak = run.peak.vram_bytes
        if peak is None:
            return
        key = _command_key(run)
        if self._peaks.get(key) == peak:
            return
        others = [(other, value) for other, value in self._peaks.items() if other != key]
        self._peaks = dict([*others, (key, peak)][-MOST_COMMANDS:])
        write_atomically(self._path, dump(self._peaks), durable=False)


def _command_key(run: Run) -> str:
    """A hash of working directory, script and arguments; environment variables do not count."""
    import hashlib  # only where VRAM is measured: it loads all of OpenSSL

    return hashlib.sha256(json.dumps([run.spec.cwd, *run.spec.command]).encode("ascii")).hexdigest()[:32]
