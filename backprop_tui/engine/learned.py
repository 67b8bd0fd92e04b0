"""What earlier runs of the same command held of a GPU at most: a better claim for the next one."""

from __future__ import annotations

import json

from backprop_tui.domain.errors import BrokenRecord
from backprop_tui.domain.run import Run
from backprop_tui.store.files import dump, read_object, write_atomically
from backprop_tui.store.home import Home

FILE = "learned.json"
KEPT = 1000


class VramHistory:
    """Bytes of VRAM by command, the most recently learned last; may be lost at any time."""

    __slots__ = ("_path", "_peaks")

    def __init__(self, home: Home) -> None:
        self._path = home.host_file(FILE)
        try:
            source = read_object(self._path) or {}
        except BrokenRecord:
            source = {}
        self._peaks = {key: peak for key, peak in source.items() if isinstance(peak, int)}

    def of(self, run: Run) -> int | None:
        """What the newest run of the same command held at most on one GPU; None where none was measured."""
        return self._peaks.get(_key(run)) if self._peaks else None

    def learn(self, run: Run) -> None:
        """Remembers the peak of a run that has ended.

        Raises:
            StorageFailed: it is remembered by this process alone.
        """
        peak = run.peak.vram_bytes
        if peak is None or self._peaks.get(_key(run)) == peak:
            return
        others = [(key, value) for key, value in self._peaks.items() if key != _key(run)]
        self._peaks = dict([*others, (_key(run), peak)][-KEPT:])
        write_atomically(self._path, dump(self._peaks), durable=False)


def _key(run: Run) -> str:
    """Script and arguments; what the environment changes is not seen."""
    import hashlib  # only where VRAM is measured: it loads all of OpenSSL

    return hashlib.sha256(json.dumps([run.spec.cwd, *run.spec.command]).encode("ascii")).hexdigest()[:32]
