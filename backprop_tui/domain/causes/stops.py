"""Causes of ends that are known without investigation: stopped by a person, a guard or the session's end."""

from __future__ import annotations

from backprop_tui.domain.causes.cause import NAN_ADVICE, build_cause
from backprop_tui.domain.live import Stopping
from backprop_tui.domain.requests import BY_RAM
from backprop_tui.domain.run import Cause
from backprop_tui.domain.status import Status

PERSON, SESSION_ENDED, MACHINE_RESTARTED = "stopped_by_person", "session_ended", "machine_restarted"
DEPENDENCY = "dependency"

# Ends that a person asked for: there is nothing to investigate.
REQUESTED_ENDS = frozenset({PERSON})

_ADVICE = {
    PERSON: "resume continues from the newest checkpoint",
    SESSION_ENDED: "resume it; backprop-tui doctor checks whether runs survive logout here (linger)",
    MACHINE_RESTARTED: "resume continues from the newest checkpoint",
    DEPENDENCY: "resume starts it anyway; --after RUN:any accepts any end of the other run",
    "overheated": "let the GPU cool and check its fans; --gpu-max-temp sets the limit, on_overheat the action",
    "memory_limit": "use a smaller batch, or raise --gpu-memory-limit",
    "nan_loss": NAN_ADVICE,
    "gpu_lost": "see nvidia-smi and dmesg (NVRM: Xid); resume on another GPU (--gpu-ids)",
}
_KINDS_BY_REQUESTER = {"person": PERSON, "session": SESSION_ENDED, BY_RAM: "memory_limit"}
_RAM_ADVICE = "resume it when RAM is free; limit runs that share the machine with --max-parallel and --min-free-ram"


def cause_of_stop(*, by: str, reason: str, kind: str | None) -> Cause:
    """Returns the cause of a requested stop; `reason` has the figures, `kind` is set if a guard gave one."""
    kind = kind or _KINDS_BY_REQUESTER.get(by, "unknown")
    advice = _RAM_ADVICE if by == BY_RAM else _ADVICE.get(kind, _ADVICE[PERSON])
    return build_cause(kind, evidence=reason, summary=reason, advice=advice)


def cause_of_recorded_stop(stopping: Stopping) -> Cause | None:
    """Returns the cause of a recorded stop; None for the end of a timebox, which is no failure."""
    if stopping.status is not Status.STOPPED:
        return None
    return cause_of_stop(by=stopping.by, reason=stopping.reason, kind=stopping.cause)


def cause_of_unmet_dependency(reason: str) -> Cause:
    return cause_of_stop(by=DEPENDENCY, reason=reason, kind=DEPENDENCY)


def cause_of_machine_restart(reason: str) -> Cause:
    return cause_of_stop(by=MACHINE_RESTARTED, reason=reason, kind=MACHINE_RESTARTED)


def cause_of_unknown_end(reason: str) -> Cause:
    return build_cause("unknown", evidence=reason, summary=reason, advice=_ADVICE[MACHINE_RESTARTED], retryable=True)
