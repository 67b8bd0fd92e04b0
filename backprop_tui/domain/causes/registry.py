"""The cause of an end that was not ours: the first detector that recognises it names it."""

from __future__ import annotations

from collections.abc import Callable

from backprop_tui.domain.causes.clues import Clues
from backprop_tui.domain.causes.disk import disk
from backprop_tui.domain.causes.gpu_faults import gpu_faults
from backprop_tui.domain.causes.gpu_memory import gpu_memory
from backprop_tui.domain.causes.host_memory import host_memory
from backprop_tui.domain.causes.imports import imports
from backprop_tui.domain.causes.not_a_number import not_a_number
from backprop_tui.domain.causes.paths import missing_file
from backprop_tui.domain.causes.python_errors import python_error, unknown
from backprop_tui.domain.causes.signals import interrupted, signals
from backprop_tui.domain.causes.usage import syntax, usage
from backprop_tui.domain.run import Cause

# What can have killed from outside leaves the log as it was: then its words are older news.
_FROM_OUTSIDE = frozenset({"SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"})

_OF_A_KILL: tuple[Callable[[Clues], Cause | None], ...] = (host_memory, signals)
_OF_AN_END: tuple[Callable[[Clues], Cause | None], ...] = (
    # What the machine had too little of explains whatever else was said in the same chain.
    gpu_memory,
    gpu_faults,
    disk,
    host_memory,
    not_a_number,
    # What the same start would meet again.
    usage,
    syntax,
    imports,
    missing_file,
    signals,
    interrupted,
    python_error,
)


def cause_of_failure(clues: Clues) -> Cause:
    """Why the script ended by itself, or by a signal that was not ours."""
    killed = clues.facts.signal in _FROM_OUTSIDE
    for detector in _OF_A_KILL if killed else _OF_AN_END:
        cause = detector(clues)
        if cause is not None:
            return cause
    return unknown(clues)
