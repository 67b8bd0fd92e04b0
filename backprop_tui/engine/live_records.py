"""The live records of active runs, each read again only after its file has changed."""

from __future__ import annotations

from collections.abc import Iterable

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.live import Live
from backprop_tui.store.home import Home
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.watched_file import Signature, signature_of


@lazy_dataclass(frozen=True, slots=True)
class KnownLive:
    """A live record, None without one; it was looked at last at this monotonic time."""

    live: Live | None
    signature: Signature | None
    looked_at: float


class LiveRecords:
    """Shared by all of a supervisor that look at them: a record with curves takes a millisecond to decode."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._known: dict[str, KnownLive] = {}

    def latest(self, run_id: str, now: float, *, seconds: float) -> KnownLive:
        """The record as it was within so many seconds before the monotonic time `now`."""
        known = self._known.get(run_id)
        if known is not None and now - known.looked_at < seconds:
            return known
        directory = RunDirectory(self._home.run_folder(run_id))
        signature = signature_of(directory.live_path)
        live = known.live if known is not None and known.signature == signature else None
        self._known[run_id] = latest = KnownLive(live or directory.read_live(), signature, now)
        return latest

    def keep(self, run_ids: Iterable[str]) -> None:
        """Forgets all other runs."""
        for run_id in self._known.keys() - set(run_ids):
            self._known.pop(run_id, None)
