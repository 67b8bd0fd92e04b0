"""governor.json of this machine as the governor's state, and why each run is held."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from backprop_tui.domain.errors import BrokenRecord
from backprop_tui.domain.governor.governor_state import GovernorState
from backprop_tui.domain.limits import MachineLimits
from backprop_tui.store.codec import decode
from backprop_tui.store.fields import JsonObject, WrongField
from backprop_tui.store.files import read_object
from backprop_tui.store.home import Home
from backprop_tui.store.watched_file import WatchedFile


class GovernorReader:
    """What the governor said last; `state` None where it said nothing that can be understood."""

    def __init__(self, home: Home) -> None:
        self._file = WatchedFile(home.governor)
        self._state: GovernorState | None = None
        self.holds: Mapping[str, Sequence[JsonObject]] = {}

    def read(self) -> GovernorState | None:
        """The state; `holds` is set with it."""
        if self._file.changed():
            said = _said(self._file.path)
            self._state = None if said is None else _state(said)
            self.holds = {} if said is None else _holds(said)
        return self._state


def _said(path: str) -> JsonObject | None:
    try:
        return read_object(path)
    except BrokenRecord:
        return None


def _holds(said: JsonObject) -> dict[str, list[JsonObject]]:
    held = said.get("held")
    if not isinstance(held, dict):
        return {}
    return {
        str(run_id): [one for one in reasons if isinstance(one, dict)]
        for run_id, reasons in held.items()
        if isinstance(reasons, list)
    }


def _state(said: JsonObject) -> GovernorState | None:
    limits = MachineLimits()
    older = {"start_burst": limits.start_burst, "max_parallel": limits.max_parallel, "active": 0, "waiting": 0}
    try:
        return decode(GovernorState, older | said)
    except WrongField:
        return None  # written by a later version


def is_held(home: Home) -> bool:
    """Whether a person holds the queue of this machine."""
    return os.path.exists(home.queue_held)
