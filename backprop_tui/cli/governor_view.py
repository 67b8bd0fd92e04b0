"""The governor as `status` shows it: what the supervisor wrote last, or what is known without one."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from backprop_tui.config.errors import ConfigError
from backprop_tui.config.machine import machine_limits, machine_probe
from backprop_tui.domain.governor.reasons import Check, HoldReason
from backprop_tui.domain.limits import MachineLimits
from backprop_tui.domain.values import dataclass
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import Home

OPEN, HOLDING = "open", "holding"


@dataclass(frozen=True, slots=True, kw_only=True)
class GovernorView:
    """`start_tokens` None: starts are not spaced; `max_parallel` 0: no limit."""

    state: str
    reasons: Sequence[JsonObject]
    start_tokens: float | None
    start_burst: int
    max_parallel: int

    def as_json(self) -> JsonObject:
        """The public shape."""
        return {"state": self.state, "reasons": list(self.reasons), "start_tokens": self.start_tokens}


def is_queue_held(home: Home) -> bool:
    """Whether a person holds the queue of this machine."""
    return os.path.exists(home.queue_held)


def governor_view(home: Home, said: JsonObject | None, limits: MachineLimits) -> GovernorView:
    """What is in force now.

    Args:
        home: The state directory.
        said: governor.json of a living supervisor; None where there is none.
        limits: What the user's file says, for when there is none.
    """
    found = _without_supervisor(home, limits) if said is None else _as_said(said, limits)
    return _with_queue_held(found) if is_queue_held(home) else _without_queue_held(found)


def _as_said(said: JsonObject, limits: MachineLimits) -> GovernorView:
    return GovernorView(
        state=str(said["state"]),
        reasons=said["reasons"],
        start_tokens=said["start_tokens"],
        start_burst=int(said.get("start_burst", limits.start_burst)),
        max_parallel=int(said.get("max_parallel", limits.max_parallel)),
    )


def _without_supervisor(home: Home, limits: MachineLimits) -> GovernorView:
    from backprop_tui.domain.governor.tokens import is_limited
    from backprop_tui.engine.tokens_file import read_tokens

    now = time.monotonic()
    tokens = read_tokens(home, now, limits).refilled(now, limits).tokens if is_limited(limits) else None
    return GovernorView(
        state=OPEN,
        reasons=(),
        start_tokens=tokens,
        start_burst=limits.start_burst,
        max_parallel=limits.max_parallel,
    )


def _with_queue_held(found: GovernorView) -> GovernorView:
    """The supervisor says so where runs wait; a person who looks is told at once and without any."""
    if any(reason["check"] == Check.QUEUE_HELD for reason in found.reasons):
        return found
    reason = asdict(HoldReason(check=Check.QUEUE_HELD, message="queue held by you, nothing new starts"))
    state = HOLDING if found.state == OPEN else found.state
    return replace(found, state=state, reasons=(reason, *found.reasons))


def _without_queue_held(found: GovernorView) -> GovernorView:
    """What the supervisor wrote before it was released says so no more."""
    kept = [reason for reason in found.reasons if reason["check"] != Check.QUEUE_HELD]
    if found.state != HOLDING or kept:
        return replace(found, reasons=kept)
    return replace(found, state=OPEN, reasons=kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSettings:
    """What the user's file says of this machine; the defaults, and what is `wrong` with it, where that is no use."""

    limits: MachineLimits
    probe: str
    wrong: ConfigError | None = None


def machine_settings(config_path: str) -> MachineSettings:
    """As the supervisor reads them."""
    try:
        return MachineSettings(limits=machine_limits(config_path), probe=machine_probe(config_path))
    except ConfigError as error:
        return MachineSettings(limits=MachineLimits(), probe="auto", wrong=error)


def clauses(found: GovernorView, active: int) -> list[str]:
    """The state in words: what there is room for, then every reason."""
    of = f" of {found.max_parallel}" if found.max_parallel > 0 else ""
    room = [f"{active}{of} in parallel", _starts(found)]
    messages: list[Any] = [reason["message"] for reason in found.reasons]
    return [", ".join(room), *map(str, messages)]


def _starts(found: GovernorView) -> str:
    if found.start_tokens is None:
        return "starts are not spaced"
    return f"{int(found.start_tokens + 1e-9)} of {found.start_burst} starts free"
