"""A signal that ended the script, and was not ours."""

from __future__ import annotations

from backprop_tui.domain.causes.clues import Clues
from backprop_tui.domain.causes.making import made
from backprop_tui.domain.causes.words import decimal_size
from backprop_tui.domain.run import Cause

_SHARED = "/dev/shm"  # noqa: S108 - where it lies, not a file of ours
_NEARLY_BYTES = 64 * 10**6
_OUTSIDE = "something outside backprop-tui sent it"
_ADVICE = {
    "SIGKILL": f"{_OUTSIDE}; look in dmesg for the out-of-memory killer, whose counters cannot be read here",
    "SIGTERM": f"{_OUTSIDE}: a shutdown, a scheduler or a person; resume it",
    "SIGINT": f"{_OUTSIDE}: a person, or Ctrl-C in the terminal of a script of its own; resume it",
    "SIGHUP": f"{_OUTSIDE}: a terminal or session ended; resume it",
    "SIGSEGV": "native code broke: --env PYTHONFAULTHANDLER=1 shows where; look for packages built for other versions",
    "SIGABRT": "native code gave up: the end of the log has its last words",
    "SIGILL": "a package was built for another CPU: install a build for this one",
    "SIGFPE": "native code divided by zero: --env PYTHONFAULTHANDLER=1 shows where",
    "SIGBUS": "a mapped file became shorter, its disk failed, or /dev/shm was full",
    "SIGXCPU": "the CPU time limit of the shell in which it was queued: ulimit -t",
    "SIGXFSZ": "the file size limit of the shell in which it was queued: ulimit -f",
    "SIGPIPE": "what read its output is gone",
}
# The same start breaks in the same way.
_NEVER_AGAIN = frozenset({"SIGILL", "SIGXCPU", "SIGXFSZ"})
_WORDS = (
    r"^Fatal Python error: .*|^terminate called .*|^\s*what\(\): .*|Assertion .* failed|^Killed\b|^Segmentation fault"
    r"|: line \d+:\s+\d+ (?:Killed|Segmentation fault|Aborted|Bus error|Illegal instruction)"
    r"|Watchdog caught collective operation timeout"
    r"|DataLoader worker \(pid \d+\) is killed by signal|^Aborted\b|^Bus error|Signal \d+ \(SIG\w+\) received"
)


def signals(clues: Clues) -> Cause | None:
    """By its name; the exit code of a shell or launcher that reports a child's signal counts as one."""
    name = clues.signal
    if name is None:
        return None
    hit = None if name in ("SIGTERM", "SIGINT", "SIGHUP") else clues.find_last(_WORDS)
    code = clues.facts.exit_code
    by_code = "" if code is None else f" (exit code {code})"
    advice = _ADVICE.get(name, _OUTSIDE)
    if hit is not None and "Watchdog caught" in hit.text:
        advice = "a rank hung or died before: its last words tell why; a long pause trips NCCL's watchdog, too"
    elif name == "SIGKILL" and clues.facts.memory_kills_counted:
        advice = f"{_OUTSIDE}: a person, a scheduler or an out-of-memory daemon; the kernel counted no kill for memory"
    elif name == "SIGBUS":
        shared = clues.facts.file_system(_SHARED)
        if shared is not None and shared.free_bytes < _NEARLY_BYTES:
            advice = f"{_SHARED} has {decimal_size(shared.free_bytes)} free: fewer loader workers, or a larger one"
    return made(
        "killed_by_signal",
        at=None if hit is None else hit.line,
        evidence=f"{name}{by_code}",
        summary=f"{'one of its processes was ' if _is_a_childs(clues) else ''}killed by {name}{by_code}",
        advice=advice,
        retryable=name not in _NEVER_AGAIN,
    )


def _is_a_childs(clues: Clues) -> bool:
    """Whether a launcher or loader told it of another process than the script's own."""
    code = clues.facts.exit_code
    return code is not None and code <= 128


def interrupted(clues: Clues) -> Cause | None:
    """Python's KeyboardInterrupt is SIGINT, whatever the launcher around it made of the exit code."""
    root = clues.root
    if root is None or root.name != "KeyboardInterrupt":
        return None
    return made(
        "killed_by_signal", at=root.line, summary="interrupted by SIGINT", advice=_ADVICE["SIGINT"], retryable=True
    )
