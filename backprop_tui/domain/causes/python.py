"""Causes: a Python exception, a loss that became NaN, or an unexplained exit."""

from __future__ import annotations

import re

from backprop_tui.domain.causes.cause import NAN_ADVICE, build_cause
from backprop_tui.domain.causes.clues import Clues
from backprop_tui.domain.causes.tracebacks import LoggedException
from backprop_tui.domain.run import Cause

_ERROR_LINE = (
    r"^\s*(?:\w+\.)*\w*(?:Error|Exception|Failure)\b.*|\b(?:ERROR|FATAL|CRITICAL)\b|^\s*(?i:error|fatal)\b"
    r"|^[\w.+-]+: .*(?i:failed|cannot|can't|invalid|denied)"
)
# Errors that happen again on every attempt.
_NOT_RETRYABLE = (
    r"Error\(s\) in loading state_dict|not compiled with CUDA enabled|Found no NVIDIA driver"
    r"|^(?:NameError|UnboundLocalError|PermissionError|IsADirectoryError|NotADirectoryError)\b"
)
_ADVICE: tuple[tuple[str, str], ...] = (
    (
        # CUDA's documentation on launch failures: usually an invalid pointer or index, rarely the device.
        r"device-side assert triggered|illegal memory access|unspecified launch failure|CUDA_ERROR_LAUNCH_FAILED",
        "--env CUDA_LAUNCH_BLOCKING=1 shows the real line; often a label or index is out of range",
    ),
    (
        r"not compiled with CUDA enabled|Found no NVIDIA driver",
        "this interpreter's torch cannot use a GPU here: install the CUDA build, or choose another one with --python",
    ),
    (r"^AssertionError", "an assertion in the script failed"),
    (
        r"^(?:PermissionError|OSError: \[Errno 13\])",
        "the file's owner can grant access with chmod; or choose another path",
    ),
    (
        r"(?:size mismatch|Missing key\(s\) in state_dict|Unexpected key\(s\))",
        "the checkpoint is of another model: start without it, or with the options it was trained with",
    ),
    (
        r"(?:ConnectionError|Timeout|Temporary failure in name resolution|Max retries exceeded|HTTPError|URLError)",
        "the network or a server did not answer: --retries tries again",
    ),
)


def python_error(clues: Clues) -> Cause | None:
    """Reports the root exception and its place in the user's code, after the exception raised `from` it, if any."""
    root = clues.root
    if root is None:
        return None
    summary = _one_line(root)
    last = clues.exceptions[-1]
    if last.is_explicit and _one_line(last) != summary:
        summary = f"{_one_line(last)} ({summary})"
    retryable = re.search(_NOT_RETRYABLE, root.text) is None
    advice = _python_error_advice(root, summary)
    return build_cause("python_error", at=root.line, summary=summary, advice=advice, retryable=retryable)


def _one_line(exception: LoggedException) -> str:
    """The exception in one line, without its module."""
    line = re.sub(r"^(?:\w+\.)+(?=\w)", "", exception.line.text)
    if line.endswith(":") and exception.message:
        line += f" {exception.message[0].strip()}"
    return line


def _python_error_advice(root: LoggedException, summary: str) -> str:
    place = "" if root.place is None else f"{root.place[0]} line {root.place[1]}"
    text = f"{_one_line(root)}\n{summary}\n{root.text}"
    for pattern, advice in _ADVICE:
        if re.search(pattern, text):
            return f"{advice} ({place})" if place else advice
    return f"fix {place or 'the script'}, then resume"


def unknown(clues: Clues) -> Cause:
    """Reports the log line that looks most like an error, otherwise the exit code and the last line."""
    code = clues.facts.exit_code
    ended = "exit status unknown" if code is None else f"exit code {code}"
    for line in reversed(clues.last[-20:]):
        if re.search(_ERROR_LINE, line.text):
            summary = f"{ended}: {line.text.strip()}"
            return build_cause("unknown", at=line, summary=summary, advice="read the end of the log", retryable=True)
    last = clues.last[-1] if clues.last else None  # such as the message of sys.exit
    return build_cause(
        "unknown", at=last, evidence=ended, summary=ended, advice="read the end of the log", retryable=True
    )


_NAN = r"\b(?:nan|NaN|NAN|[Ii]nf|[Nn]on-?finite|[Ii]nfinite)\b|isnan|isfinite"
_NAN_MESSAGE = (
    rf"(?i:loss|grad\w*|logits|weights?)\b.*?(?:{_NAN})|(?:{_NAN}).*?\b(?i:loss|grad\w*|logits|weights?)\b"
    r"|Minimum loss scale reached|returned nan values in its|[Ii]nvalid loss, terminating"
)
_CHECKS = ("AssertionError", "FloatingPointError", "ArithmeticError", "ValueError", "RuntimeError", "Exception")
_PROOFS = ("AssertionError", "FloatingPointError", "ArithmeticError")  # enough if the loss is known to be NaN
_SEARCHED_LINES = 6


def nan_loss(clues: Clues) -> Cause | None:
    """Recognises the exception, or the last lines of a script that exited by itself, or a NaN loss in the log."""
    root = clues.root
    logged = clues.facts.nan_loss
    if root is not None:
        mentions_nan = re.search(_NAN_MESSAGE, f"{root.text}\n{root.code}") is not None
        if root.name not in _CHECKS or not (mentions_nan or (logged is not None and root.name in _PROOFS)):
            return None
        return build_cause("nan_loss", at=root.line, summary=logged or root.line.text, advice=NAN_ADVICE)
    if clues.facts.exit_code is None or clues.signal is not None:
        return None
    for line in list(clues.last)[: -_SEARCHED_LINES - 1 : -1]:
        if re.search(_NAN_MESSAGE, line.text) is not None:
            return build_cause("nan_loss", at=line, summary=logged or line.text, advice=NAN_ADVICE)
    return None if logged is None else build_cause("nan_loss", evidence=logged, summary=logged, advice=NAN_ADVICE)
