"""Which number each queued run has in the queue of its machine."""

from __future__ import annotations

from collections.abc import Iterable

from backprop_tui.domain.queue_order import in_order
from backprop_tui.domain.run import Run
from backprop_tui.domain.status import Status
from backprop_tui.store.home import Home
from backprop_tui.store.run_view import RunView


def queue_of(host: str, unfinished: Iterable[RunView]) -> list[Run]:
    """The runs that wait on a machine, in their order."""
    return in_order(one.run for one in unfinished if one.run.host == host and one.status is Status.QUEUED)


def places(home: Home, unfinished: Iterable[RunView]) -> dict[str, int]:
    """The place of each queued run by its id, 1 being the first; each machine has a queue of its own."""
    views = list(unfinished)
    hosts = {home.host, *(one.run.host for one in views)}
    return {run.id: place for host in hosts for place, run in enumerate(queue_of(host, views), start=1)}
