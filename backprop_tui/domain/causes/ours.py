"""The cause of an end that nobody has to find out: a person's, a guard's, the session's."""

from __future__ import annotations

from backprop_tui.domain.causes.making import NAN_ADVICE, made
from backprop_tui.domain.governor.active import BY_RAM
from backprop_tui.domain.live import Stopping
from backprop_tui.domain.run import Cause
from backprop_tui.domain.status import Status

PERSON, SESSION_ENDED, MACHINE_RESTARTED = "stopped_by_person", "session_ended", "machine_restarted"
DEPENDENCY = "dependency"

# Ends that somebody wished for: nothing has to be looked into.
WISHED = frozenset({PERSON})

_ADVICE = {
    PERSON: "resume goes on from the newest checkpoint",
    SESSION_ENDED: "resume it; backprop-tui doctor says whether runs survive logout here (linger)",
    MACHINE_RESTARTED: "resume goes on from the newest checkpoint",
    DEPENDENCY: "resume starts it all the same; --after RUN:any waits for any end",
    "overheated": "let the GPU cool, look at its fans; --gpu-max-temp sets the limit, on_overheat what happens at it",
    "memory_limit": "use a smaller batch, or raise --gpu-memory-limit",
    "nan_loss": NAN_ADVICE,
    "gpu_lost": "see nvidia-smi and dmesg (NVRM: Xid); resume on another GPU (--gpu-ids)",
}
_KINDS = {"person": PERSON, "session": SESSION_ENDED, BY_RAM: "memory_limit"}
_ASKED = "unknown"
_RAM_ADVICE = "resume it when RAM is free; --max-parallel and --min-free-ram keep runs from sharing too little of it"


def cause_of_stop(*, by: str, reason: str, kind: str | None) -> Cause:
    """Why we ended a run: `by` whom, with the figures in `reason`; `kind` where a guard gave one."""
    kind = kind or _KINDS.get(by, _ASKED)
    advice = _RAM_ADVICE if by == BY_RAM else _ADVICE.get(kind, _ADVICE[PERSON])
    return made(kind, evidence=reason, summary=reason, advice=advice)


def cause_of_our_stop(stopping: Stopping) -> Cause | None:
    """Of a recorded intent; None for a timebox: that is how long it was to run."""
    if stopping.status is not Status.STOPPED:
        return None
    return cause_of_stop(by=stopping.by, reason=stopping.reason, kind=stopping.cause)


def cause_of_unmet_dependency(reason: str) -> Cause:
    """Why a run was never started."""
    return cause_of_stop(by=DEPENDENCY, reason=reason, kind=DEPENDENCY)


def cause_of_restart(reason: str) -> Cause:
    """The machine went down under the run: nobody else can have known more."""
    return cause_of_stop(by=MACHINE_RESTARTED, reason=reason, kind=MACHINE_RESTARTED)


def cause_of_doubt(reason: str) -> Cause:
    """Nobody can tell what became of it."""
    return made("unknown", evidence=reason, summary=reason, advice=_ADVICE[MACHINE_RESTARTED], retryable=True)
