"""The active runs that write checkpoints, by what their guardians measured."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.domain.governor.disk_forecast import SavingRun, saving_run
from backprop_tui.domain.run import Run
from backprop_tui.processes.mounts import mount_point_of, mount_points
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.watched_file import Signature, signature_of

OLDEST_SECONDS = 300.0  # a guardian that says nothing for so long knows nothing of the disk
POINTS_SECONDS = 60.0  # between two looks at the table of mounts


class SavingRuns:
    """Remembers what each run's live record said until that changes."""

    __slots__ = ("_home", "_is_any", "_known", "_points", "_points_at")

    def __init__(self, home: Home) -> None:
        self._home = home
        self._known: dict[str, tuple[Signature | None, SavingRun | None]] = {}  # by run id
        self._is_any = False
        self._points: tuple[str, ...] = ()
        self._points_at: float | None = None

    def of(self, active: Sequence[Run], now: float, wall: float) -> tuple[SavingRun, ...]:
        """Those of these runs that save; `now` is monotonic, `wall` a wall time."""
        self._known = {run.id: self._read(run, wall) for run in active}
        found = tuple(saving for _, saving in self._known.values() if saving is not None)
        self._is_any = bool(found)
        if found and (self._points_at is None or now - self._points_at >= POINTS_SECONDS):
            self._points, self._points_at = mount_points(), now
        return found

    def mount_of(self, path: str) -> str | None:
        """The disk of a directory, None where no run saves, so that nobody asks."""
        return mount_point_of(path, self._points) if self._is_any else None

    def _read(self, run: Run, wall: float) -> tuple[Signature | None, SavingRun | None]:
        directory = RunDirectory(self._home.run_folder(run.id))
        try:
            signature = signature_of(directory.live_path)
        except OSError:
            signature = None
        if signature is None:
            return None, None
        known = self._known.get(run.id)
        passed = max(0.0, wall - signature.modified_ns / 1e9)
        if known is not None and known[0] == signature and passed <= OLDEST_SECONDS:
            return known
        live = directory.read_live() if passed <= OLDEST_SECONDS else None
        return signature, None if live is None else saving_run(run, live, passed_seconds=passed)
