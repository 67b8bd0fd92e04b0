"""Finds the cause of a failure: the first detector that recognises it decides."""

from __future__ import annotations

from collections.abc import Callable

from backprop_tui.domain.causes.clues import Clues
from backprop_tui.domain.causes.disk import disk
from backprop_tui.domain.causes.gpu_faults import gpu_faults
from backprop_tui.domain.causes.gpu_memory import gpu_memory
from backprop_tui.domain.causes.host_memory import host_memory
from backprop_tui.domain.causes.imports import imports
from backprop_tui.domain.causes.not_a_number import nan_loss
from backprop_tui.domain.causes.paths import missing_file
from backprop_tui.domain.causes.python_errors import python_error, unknown
from backprop_tui.domain.causes.signals import interrupted, signals
from backprop_tui.domain.causes.usage import syntax, usage
from backprop_tui.domain.run import Cause

# Signals sent from outside: errors in the log were printed before, so they are not the cause.
_OUTSIDE_SIGNALS = frozenset({"SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"})

_KILL_DETECTORS: tuple[Callable[[Clues], Cause | None], ...] = (host_memory, signals)
_DETECTORS: tuple[Callable[[Clues], Cause | None], ...] = (
    # A lack of resources explains any other error in the same chain.
    gpu_memory,
    gpu_faults,
    disk,
    host_memory,
    nan_loss,
    # Errors that mostly happen again on every attempt.
    usage,
    syntax,
    imports,
    missing_file,
    signals,
    interrupted,
    python_error,
)


def cause_of_failure(clues: Clues) -> Cause:
    """Returns why the script ended by itself, or by a signal that this program did not send."""
    killed = clues.facts.signal in _OUTSIDE_SIGNALS
    for detector in _KILL_DETECTORS if killed else _DETECTORS:
        cause = detector(clues)
        if cause is not None:
            return cause
    return unknown(clues)
