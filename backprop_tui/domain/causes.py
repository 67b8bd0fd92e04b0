"""Why a script ended badly, as far as its exit and its last words tell; each cause with its evidence and advice."""

from __future__ import annotations

import re

from backprop_tui.domain.run import Cause

# The first that matches the newest error line wins; the kinds are the public interface's.
_KNOWN: tuple[tuple[str, re.Pattern[str], str], ...] = (
    (
        "cuda_oom",
        re.compile(r"CUDA out of memory|CUDA error: out of memory|CUBLAS_STATUS_ALLOC_FAILED"),
        "use a smaller batch, or ask for more free GPU memory with --gpu-min-vram",
    ),
    ("disk_full", re.compile(r"No space left on device|Disk quota exceeded"), "free some space, then resume"),
    (
        "import_error",
        re.compile(r"^(?:ModuleNotFoundError|ImportError): "),
        "install the package in the environment that runs the script, or choose another one with --python",
    ),
    ("file_not_found", re.compile(r"^FileNotFoundError: "), "check the path; relative ones start at the run's cwd"),
)
_ERROR_LINE = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit|Warning|Failure)\b.*")


def cause_of_failure(*, exit_code: int | None, signal: str | None, last_lines: list[str]) -> Cause:
    """The cause of an end that was not ours.

    Args:
        exit_code: None where a signal ended it.
        signal: Its name, None where it exited.
        last_lines: The end of the log, oldest first.
    """
    if signal is not None:
        return Cause(
            kind="killed_by_signal",
            evidence=signal,
            advice="something outside backprop-tui sent it; after SIGKILL look in dmesg for the out-of-memory killer",
        )
    for line in reversed(last_lines):
        for kind, pattern, advice in _KNOWN:
            if pattern.search(line):
                return Cause(kind=kind, evidence=line.strip()[:300], advice=advice)
    if any(line.startswith("Traceback (most recent call last)") for line in last_lines):
        evidence = next((line for line in reversed(last_lines) if _ERROR_LINE.match(line)), last_lines[-1])
        return Cause(kind="python_error", evidence=evidence.strip()[:300], advice="mend the script, then resume")
    return Cause(kind="unknown", evidence=f"exit code {exit_code}", advice="read the end of the log")
