"""The runs whose processes have all ended, while their guardians still write how: their slots are free already."""

from __future__ import annotations

import asyncio
import os
import select
import socket
from collections.abc import Callable

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.launchers.launcher import Announcement, receive_announcement
from backprop_tui.processes.identity import DEAD_STATES, state_of
from backprop_tui.processes.tree import children

MOST = 4  # ends that are being written while the next runs start: more would pile up where writing is slow
LOOK_AGAIN_SECONDS, LONGEST_PAUSE_SECONDS = 0.01, 1.0  # between looks at what a dead script has left running


@lazy_dataclass(slots=True)
class _Watch:
    announcement: Announcement
    is_over: bool = False


class FinishingRuns:
    """Knows them by what their guardians announce; a run without an announcement is over when its guardian has ended.

    A guardian is a subreaper: what its script left running is its child. So a run is over when the script is dead and
    its guardian has no living child.
    """

    def __init__(self, announcements: socket.socket, on_change: Callable[[], None]) -> None:
        """`on_change` is called when a run is over."""
        self._announcements = announcements
        self._on_change = on_change
        self._watched: dict[str, _Watch] = {}

    def run_ids(self) -> frozenset[str]:
        """The oldest of them."""
        return frozenset([run_id for run_id, watch in self._watched.items() if watch.is_over][:MOST])

    def start(self) -> None:
        """Watches in the loop that runs now."""
        self._announcements.setblocking(False)
        asyncio.get_running_loop().add_reader(self._announcements, self._receive)

    def stop(self) -> None:
        asyncio.get_running_loop().remove_reader(self._announcements)
        for run_id in [*self._watched]:
            self._forget(self._watched[run_id])

    def _receive(self) -> None:
        try:
            announcement = receive_announcement(self._announcements)
        except OSError:
            return
        if announcement is None:  # no process has the other end: the fork server and all guardians are gone
            asyncio.get_running_loop().remove_reader(self._announcements)
            return
        before = self._watched.get(announcement.run_id)
        if before is not None:
            self._forget(before)
        watch = self._watched[announcement.run_id] = _Watch(announcement)
        loop = asyncio.get_running_loop()
        loop.add_reader(announcement.guardian_pidfd, self._forget, watch)
        loop.add_reader(announcement.script_pidfd, self._on_script_end, watch)

    def _on_script_end(self, watch: _Watch) -> None:
        asyncio.get_running_loop().remove_reader(watch.announcement.script_pidfd)
        self._look(watch, LOOK_AGAIN_SECONDS)

    def _look(self, watch: _Watch, pause_seconds: float) -> None:
        if self._watched.get(watch.announcement.run_id) is not watch:
            return
        if _has_living_child(watch.announcement):
            longer = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)
            asyncio.get_running_loop().call_later(pause_seconds, self._look, watch, longer)
            return
        watch.is_over = True
        self._on_change()

    def _forget(self, watch: _Watch) -> None:
        """Its guardian has ended: from now on the record says how the run stands."""
        del self._watched[watch.announcement.run_id]
        loop = asyncio.get_running_loop()
        for pidfd in (watch.announcement.script_pidfd, watch.announcement.guardian_pidfd):
            loop.remove_reader(pidfd)
            os.close(pidfd)


def _has_living_child(announcement: Announcement) -> bool:
    """Also true if that cannot be known, since the guardian has ended."""
    alive = [pid for pid in children(announcement.guardian_pid) if state_of(pid) not in (*DEAD_STATES, None)]
    guardian = select.poll()
    guardian.register(announcement.guardian_pidfd, select.POLLIN)
    return bool(alive) or bool(guardian.poll(0))
