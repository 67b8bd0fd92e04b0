"""The states of runs in words, and why a run ended as it did."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.shared_files import shared_message
from backprop_tui.domain.status import Status
from backprop_tui.store.fields import JsonObject

if TYPE_CHECKING:
    from backprop_tui.presentation.known_run import KnownRun

PROBLEM_STATUSES = frozenset({Status.FAILED, Status.LOST})


def status_word(status: str) -> str:
    """The status as people read it: a queued run is waiting. `held` is only a queue that a person holds."""
    return "waiting" if status == Status.QUEUED else sanitize(str(status))


def is_problem(run: KnownRun) -> bool:
    """Whether the run ended in a way that needs attention: failed, lost, or stopped by a guard."""
    return _is_problem(run.status, run.record)


def _is_problem(status: str, end: JsonObject) -> bool:
    """Whether a run or an attempt with this status did."""
    if status != Status.STOPPED:
        return status in PROBLEM_STATUSES
    from backprop_tui.domain.causes.cause import REQUESTED_ENDS  # `list` needs neither this nor the governor's checks

    cause = end.get("cause") or {}
    return bool(cause) and cause.get("kind") not in REQUESTED_ENDS


def failed_before_removal(record: JsonObject) -> JsonObject | None:
    """The last attempt of a run that failed, was queued again and then removed from the queue; None for other runs."""
    attempts = record.get("attempts") if record["status"] == Status.STOPPED else None
    if not attempts or attempts[-1].get("ended_at") in (None, record.get("ended_at")):
        return None
    return attempts[-1] if _is_problem(str(attempts[-1].get("status")), attempts[-1]) else None


def cause_of(record: JsonObject) -> JsonObject:
    """Why a run ended, or why it had failed before it was removed from the queue; empty if that is unknown."""
    return (failed_before_removal(record) or record).get("cause") or {}


def is_held_back(run: KnownRun) -> bool:
    """Whether the run is queued and more than the end of other runs is missing before it can start."""
    from backprop_tui.domain.governor.reasons import Check

    return run.status is Status.QUEUED and any(
        reason.get("check") != Check.DEPENDENCY for reason in run.record["hold_reasons"]
    )


def counts_gpus(reason: JsonObject) -> bool:
    """Whether the check is about the GPUs together; what is wrong with each is in reasons of their own."""
    from backprop_tui.domain.governor.reasons import Check

    return reason.get("gpu") is None and reason.get("check") in (Check.GPU_COUNT, Check.GPU_MEMORY)


def checks_of(reasons: Iterable[JsonObject]) -> list[JsonObject]:
    """The checks that a run waits on: without those of single GPUs where one check is about the GPUs together."""
    reasons = list(reasons)
    is_counted = any(map(counts_gpus, reasons))
    return [reason for reason in reasons if not is_counted or reason.get("gpu") is None]


def is_impossible(record: JsonObject) -> bool:
    """Whether the run is queued on a machine that is too small for it."""
    return any(reason.get("permanent") for reason in record.get("hold_reasons") or ())


# These kinds are no explanation in themselves.
_UNEXPLAINED = (None, "unknown", "killed_by_signal")


def cause_text(record: JsonObject) -> str:
    """Why a run ended that was not asked to, as by `cause_of`; empty if the cause is unknown."""
    record = failed_before_removal(record) or record
    cause: dict[str, Any] = record.get("cause") or {}
    if cause.get("summary"):
        return sanitize(str(cause["summary"]))
    evidence = cause.get("evidence")  # records written by versions before there was a summary
    if cause.get("kind") == "cuda_oom" and evidence and (text := _out_of_memory(str(evidence))):
        return text
    if cause.get("kind") not in _UNEXPLAINED and evidence:
        without_module = re.sub(r"^(?:\w+\.)+(?=\w*(?:Error|Exception)\b)", "", sanitize(str(evidence)))
        return re.sub(r"\[Errno 2\] No such file or directory: ", "", without_module)
    if record.get("reason"):
        return sanitize(str(record["reason"]))
    if cause.get("kind") == "killed_by_signal":
        return f"killed by {sanitize(str(record.get('signal') or evidence))} from outside"
    return exit_text(record)


def evidence_text(record: JsonObject) -> str:
    """The line of the log that shows the cause, with its number if that is known; empty if there is none."""
    cause = cause_of(record)
    evidence, line = sanitize(str(cause.get("evidence") or "")), cause.get("line")
    return f"line {line:,}: {evidence}" if isinstance(line, int) and evidence else evidence


def shared_text(record: JsonObject) -> str:
    """Which possible checkpoints of the run are not used, since another run may have written them; or nothing."""
    shared: dict[str, Any] = record.get("shared_directory") or {}
    return sanitize(shared_message(shared["folder"], shared["runs"], shared["files"])) if shared else ""


def undecided_text(record: JsonObject) -> str:
    """`it is not known whose step_9.pt is`, for a run without a checkpoint that is certainly its own; or nothing."""
    files = (record.get("shared_directory") or {}).get("files") or ()
    return sanitize(f"it is not known whose {str(files[-1]).rpartition('/')[2]} is") if files else ""


def shared_candidate(record: JsonObject) -> str:
    """`if step_9.pt is of this run: backprop-tui resume abc --resume-from /data/ckpt/step_9.pt`; or nothing."""
    files = (record.get("shared_directory") or {}).get("files") or ()
    if not files:
        return ""
    name, path = str(files[-1]).rpartition("/")[2], shlex.quote(str(files[-1]))
    return sanitize(f"if {name} is of this run: backprop-tui resume {record['id']} --resume-from {path}")


def exit_text(record: JsonObject) -> str:
    """How the process ended: `exit code 3`, `by SIGKILL`; empty if that is unknown."""
    if record.get("signal") is not None:
        return f"by {sanitize(str(record['signal']))}"
    return "" if record.get("exit_code") is None else f"exit code {record['exit_code']}"


def _out_of_memory(evidence: str) -> str | None:
    requested = re.search(r"[Tt]ried to allocate ([\d.]+) ?([KMGT]i?B)", evidence)
    free = re.search(r"of which ([\d.]+) ?([KMGT]i?B) is free|([\d.]+) ?([KMGT]i?B) free", evidence)
    if requested is None:
        return None
    text = f"CUDA out of memory: requested {requested[1]} {requested[2]}"
    return text if free is None else f"{text}, {free[1] or free[3]} {free[2] or free[4]} free"
