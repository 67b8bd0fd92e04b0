"""Picks the cause of a failure: the first detector that recognizes it."""

from __future__ import annotations

from collections.abc import Callable

from backprop_tui.domain.causes.cause import RESUME, build_cause
from backprop_tui.domain.causes.clues import Clues
from backprop_tui.domain.causes.imports import imports
from backprop_tui.domain.causes.interpreters import interpreter
from backprop_tui.domain.causes.python import nan_loss, python_error, unknown
from backprop_tui.domain.causes.resources import cut_output, disk, gpu_faults, gpu_memory, host_memory
from backprop_tui.domain.causes.shared_machine import driver, keyboard, login, network, no_gpu, open_files, port, worker
from backprop_tui.domain.causes.signals import interrupted, signals
from backprop_tui.domain.causes.usage import launcher, missing_file, python_2, syntax, usage
from backprop_tui.domain.run import Cause

# Signals sent from outside: errors in the log were printed before, so they are not the cause.
_OUTSIDE_SIGNALS = frozenset({"SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"})

_KILL_DETECTORS: tuple[Callable[[Clues], Cause | None], ...] = (host_memory, signals)
_DETECTORS: tuple[Callable[[Clues], Cause | None], ...] = (
    # A lack of resources explains any other error in the same chain.
    gpu_memory,
    driver,
    no_gpu,
    gpu_faults,
    disk,
    open_files,
    host_memory,
    worker,
    nan_loss,
    # Errors that mostly happen again on every attempt.
    usage,
    launcher,
    interpreter,
    python_2,
    syntax,
    imports,
    missing_file,
    signals,
    interrupted,
    port,
    keyboard,
    login,
    network,
    python_error,
    cut_output,
)


def cause_of_failure(clues: Clues) -> Cause:
    """Returns why the script ended by itself, or by a signal that this program did not send."""
    killed = clues.facts.signal in _OUTSIDE_SIGNALS
    for detector in _KILL_DETECTORS if killed else _DETECTORS:
        cause = detector(clues)
        if cause is not None:
            return cause
    return unknown(clues)


def cause_of_loss(reason: str, clues: Clues) -> Cause:
    """Returns the cause shown in the log; otherwise the last line shows how far the run got."""
    if clues.exceptions:
        return cause_of_failure(clues)
    if clues.facts.memory_kill is not None:
        evidence = clues.facts.memory_kill
        summary = "perhaps out of host memory: the kernel killed a process of its control group"
        return build_cause(
            "unknown", evidence=evidence, summary=summary, advice="check dmesg, then resume it", retryable=True
        )
    last = clues.last[-1] if clues.last else None
    return build_cause(
        "unknown",
        at=last,
        evidence=reason,
        summary=reason,
        advice=f"dmesg or last -x may show more; {RESUME}",
        retryable=True,
    )
