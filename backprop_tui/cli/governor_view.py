"""The governor for `status`: as the supervisor last wrote it, or as it is known without a supervisor."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import asdict, replace

from backprop_tui.config.errors import ConfigError
from backprop_tui.config.machine import machine_limits, machine_probe
from backprop_tui.domain.governor.reasons import Check, HoldReason
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import MachineLimits
from backprop_tui.presentation.governor import room_clauses, state_title
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.home import Home

OPEN, HOLDING = "open", "holding"


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class GovernorReport:
    """`start_tokens` is None where starts are not limited; `max_parallel` 0 is no limit."""

    state: str
    reasons: Sequence[JsonObject]
    start_tokens: float | None
    start_burst: int
    max_parallel: int

    def as_json(self) -> JsonObject:
        """The governor in the public JSON."""
        return {"state": self.state, "reasons": list(self.reasons), "start_tokens": self.start_tokens}


def is_queue_held(home: Home) -> bool:
    """Whether somebody holds the queue of this machine."""
    return os.path.exists(home.queue_held)


def governor_report(home: Home, written: JsonObject | None, limits: MachineLimits) -> GovernorReport:
    """The governor at this moment.

    Args:
        home: The state directory.
        written: governor.json of a living supervisor; None without one.
        limits: The limits of the user's configuration, used without a supervisor.
    """
    report = _without_supervisor(home, limits) if written is None else _from_file(written, limits)
    return _with_queue_held(report) if is_queue_held(home) else _without_queue_held(report)


def _from_file(written: JsonObject, limits: MachineLimits) -> GovernorReport:
    return GovernorReport(
        state=str(written["state"]),
        reasons=written["reasons"],
        start_tokens=written["start_tokens"],
        start_burst=int(written.get("start_burst", limits.start_burst)),
        max_parallel=int(written.get("max_parallel", limits.max_parallel)),
    )


def _without_supervisor(home: Home, limits: MachineLimits) -> GovernorReport:
    from backprop_tui.domain.governor.tokens import is_limited
    from backprop_tui.engine.start_tokens import read_tokens

    now = time.monotonic()
    tokens = read_tokens(home, now, limits).refilled(now, limits).tokens if is_limited(limits) else None
    return GovernorReport(
        state=OPEN,
        reasons=(),
        start_tokens=tokens,
        start_burst=limits.start_burst,
        max_parallel=limits.max_parallel,
    )


def _with_queue_held(report: GovernorReport) -> GovernorReport:
    """Adds the reason: the supervisor writes it only while runs wait, and not before its next pass."""
    if any(reason["check"] == Check.QUEUE_HELD for reason in report.reasons):
        return report
    reason = asdict(HoldReason(check=Check.QUEUE_HELD, message="queue held by you, nothing new starts"))
    state = HOLDING if report.state == OPEN else report.state
    return replace(report, state=state, reasons=(reason, *report.reasons))


def _without_queue_held(report: GovernorReport) -> GovernorReport:
    """Drops the reason, which the supervisor may have written before the queue was released."""
    kept = [reason for reason in report.reasons if reason["check"] != Check.QUEUE_HELD]
    if report.state != HOLDING or kept:
        return replace(report, reasons=kept)
    return replace(report, state=OPEN, reasons=kept)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class MachineSettings:
    """The user's settings for this machine; the defaults, and in `wrong` the error, where they cannot be read."""

    limits: MachineLimits
    probe: str
    wrong: ConfigError | None = None


def machine_settings(config_path: str) -> MachineSettings:
    """The settings, read as the supervisor reads them."""
    try:
        return MachineSettings(limits=machine_limits(config_path), probe=machine_probe(config_path))
    except ConfigError as error:
        return MachineSettings(limits=MachineLimits(), probe="auto", wrong=error)


def governor_clauses(governor: GovernorReport, active: int) -> list[str]:
    """The state with the room that is left, then every reason that holds runs."""
    title = state_title(governor.state, [str(reason["check"]) for reason in governor.reasons])
    room = ", ".join(room_clauses(active, governor.max_parallel, governor.start_tokens))
    return [f"{title}: {room}", *(str(reason["message"]) for reason in governor.reasons)]
