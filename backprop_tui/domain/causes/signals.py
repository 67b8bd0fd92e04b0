"""Causes: a signal that this program did not send."""

from __future__ import annotations

import re

from backprop_tui.domain.causes.cause import binary_size, build_cause
from backprop_tui.domain.causes.clues import Clues, Hit
from backprop_tui.domain.causes.resources import SHARED_MEMORY, SHARED_MEMORY_NEEDED_BYTES
from backprop_tui.domain.run import Cause

_OUTSIDE = "something outside backprop-tui sent it"
_CRASHED = "native code crashed"
_VERSIONS = "check for incompatible package versions"
_ADVICE = {
    "SIGKILL": f"{_OUTSIDE}; check dmesg for the out-of-memory killer, whose counters cannot be read here",
    "SIGTERM": f"{_OUTSIDE}: a shutdown, a scheduler or a person; resume it",
    "SIGINT": f"{_OUTSIDE}: a person, or Ctrl-C in the terminal of a script of its own; resume it",
    "SIGHUP": f"{_OUTSIDE}: a terminal or session ended; resume it",
    "SIGSEGV": f"{_CRASHED}: --env PYTHONFAULTHANDLER=1 shows where; {_VERSIONS}",
    "SIGABRT": "native code aborted: see the end of the log for its message",
    "SIGILL": "a package was built for another CPU: install a build for this one",
    "SIGFPE": "native code divided by zero: --env PYTHONFAULTHANDLER=1 shows where",
    "SIGBUS": "a mapped file was truncated, its disk failed, or /dev/shm was full",
    "SIGXCPU": "it reached the CPU time limit of the shell in which it was queued: ulimit -t",
    "SIGXFSZ": "it reached the file size limit of the shell in which it was queued: ulimit -f",
    "SIGPIPE": "the process that read its output has ended",
}
_NOT_RETRYABLE_SIGNALS = frozenset({"SIGILL", "SIGXCPU", "SIGXFSZ"})  # they happen again on every attempt
_SIGNAL_MESSAGES = (
    r"^Fatal Python error: .*|^terminate called .*|^\s*what\(\): .*|Assertion .* failed|^Killed\b|^Segmentation fault"
    r"|: line \d+:\s+\d+ (?:Killed|Segmentation fault|Aborted|Bus error|Illegal instruction)"
    r"|DataLoader worker \(pid \d+\) is killed by signal|^Aborted\b|^Bus error"
)
_REPORTED_SIGNAL = r"Signal \d+ \(SIG\w+\) received"
_WATCHDOG = r"Watchdog caught collective operation timeout"
_STACK = "Fatal Python error: "  # of faulthandler, which prints where it was


def signals(clues: Clues) -> Cause | None:
    """Recognizes the signal, also from the exit code of a shell or launcher that reports a child's signal."""
    name = clues.signal
    if name is None:
        return None
    hit = _message(clues, name)
    code = clues.facts.exit_code
    by_code = "" if code is None else f" (exit code {code})"
    advice = _ADVICE.get(name, _OUTSIDE)
    if hit is not None and re.search(_WATCHDOG, hit.text) is not None:
        advice = "another rank hung or died first: see its last output; a long pause also triggers NCCL's watchdog"
    elif hit is not None and hit.text.startswith(_STACK):
        advice = f'{_CRASHED}: the lines after "Fatal Python error" show where; {_VERSIONS}'
    elif name == "SIGKILL" and clues.facts.memory_kills_counted:
        advice = f"{_OUTSIDE}: a person, a scheduler or an out-of-memory daemon; the kernel counted no kill for memory"
    elif name == "SIGBUS":
        shared = clues.facts.file_system(SHARED_MEMORY)
        if shared is not None and shared.free_bytes < SHARED_MEMORY_NEEDED_BYTES:
            free = binary_size(shared.free_bytes)
            advice = f"{SHARED_MEMORY} has {free} free: use fewer loader workers, or make it larger"
    return build_cause(
        "killed_by_signal",
        at=None if hit is None else hit.line,
        evidence=f"{name}{by_code}",
        summary=f"{'one of its processes was ' if _is_of_child(clues) else ''}killed by {name}{by_code}",
        advice=advice,
        retryable=name not in _NOT_RETRYABLE_SIGNALS,
    )


def _message(clues: Clues, signal: str) -> Hit | None:
    """What the process printed about its end. A launcher's report on it follows and is no reason."""
    if signal in ("SIGTERM", "SIGINT", "SIGHUP"):
        return None
    watchdog = clues.find_first(_WATCHDOG) if signal == "SIGABRT" else None
    return watchdog or clues.find_last(_SIGNAL_MESSAGES) or clues.find_last(_REPORTED_SIGNAL)


def _is_of_child(clues: Clues) -> bool:
    """Whether a launcher or loader reported the signal for another process than the script itself."""
    code = clues.facts.exit_code
    return code is not None and code <= 128


def interrupted(clues: Clues) -> Cause | None:
    """Recognizes KeyboardInterrupt as SIGINT, whatever exit code a launcher turned it into."""
    interrupt = next((raised for raised in clues.exceptions if raised.name == "KeyboardInterrupt"), None)
    if interrupt is None:
        return None
    return build_cause(
        "killed_by_signal", at=interrupt.line, summary="interrupted by SIGINT", advice=_ADVICE["SIGINT"], retryable=True
    )
