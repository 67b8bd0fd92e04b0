"""The active runs that save checkpoints, from what their guardians measured; the disk forecast needs them."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.domain.governor.disk_forecast import SavingRun, saving_run
from backprop_tui.domain.run import Run
from backprop_tui.processes.mounts import mount_point_of, mount_points
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.watched_file import Signature, signature_of

OLDEST_SECONDS = 300.0  # a live record older than this says nothing about the disk any more
MOUNTS_SECONDS = 60.0  # between two reads of the mount table


class SavingRuns:
    """Reads each run's live record, and again only when it changes."""

    __slots__ = ("_home", "_is_any", "_known", "_mounts", "_mounts_read_at")

    def __init__(self, home: Home) -> None:
        self._home = home
        self._known: dict[str, tuple[Signature | None, SavingRun | None]] = {}  # by run id
        self._is_any = False
        self._mounts: tuple[str, ...] = ()
        self._mounts_read_at: float | None = None

    def of(self, active: Sequence[Run], now: float, wall_time: float) -> tuple[SavingRun, ...]:
        """Those of these runs that save checkpoints; `now` is monotonic."""
        self._known = {run.id: self._read(run, wall_time) for run in active}
        saving = tuple(saving for _, saving in self._known.values() if saving is not None)
        self._is_any = bool(saving)
        if saving and (self._mounts_read_at is None or now - self._mounts_read_at >= MOUNTS_SECONDS):
            self._mounts, self._mounts_read_at = mount_points(), now
        return saving

    def mount_of(self, path: str) -> str | None:
        """The mount point of a directory; None while no run saves checkpoints, since it does not matter then."""
        return mount_point_of(path, self._mounts) if self._is_any else None

    def _read(self, run: Run, wall_time: float) -> tuple[Signature | None, SavingRun | None]:
        directory = RunDirectory(self._home.run_folder(run.id))
        try:
            signature = signature_of(directory.live_path)
        except OSError:
            signature = None
        if signature is None:
            return None, None
        known = self._known.get(run.id)
        age = max(0.0, wall_time - signature.modified_ns / 1e9)
        if known is not None and known[0] == signature and age <= OLDEST_SECONDS:
            return known
        live = directory.read_live() if age <= OLDEST_SECONDS else None
        return signature, None if live is None else saving_run(run, live, passed_seconds=age)
