"""governor.json of this machine as the governor's state, and why each run is held."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from backprop_tui.domain.errors import BrokenRecord
from backprop_tui.domain.governor.governor_state import GovernorMode, GovernorState
from backprop_tui.domain.governor.reasons import Check, HoldReason
from backprop_tui.domain.limits import MachineLimits
from backprop_tui.store.fields import JsonObject
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
    try:
        return GovernorState(
            state=GovernorMode(said["state"]),
            reasons=tuple(map(_reason, said["reasons"])),
            start_tokens=None if said["start_tokens"] is None else float(said["start_tokens"]),
            start_burst=int(said.get("start_burst", limits.start_burst)),
            active=int(said.get("active", 0)),
            max_parallel=int(said.get("max_parallel", limits.max_parallel)),
            waiting=int(said.get("waiting", 0)),
            queue_held=bool(said.get("queue_held")),
        )
    except (KeyError, TypeError, ValueError):
        return None  # of a version that came later


def _reason(said: Mapping[str, Any]) -> HoldReason:
    return HoldReason(
        check=Check(said["check"]),
        message=str(said["message"]),
        figure=said.get("figure"),
        limit=said.get("limit"),
        gpu=said.get("gpu"),
    )


def is_held(home: Home) -> bool:
    """Whether a person holds the queue of this machine."""
    return os.path.exists(home.queue_held)
