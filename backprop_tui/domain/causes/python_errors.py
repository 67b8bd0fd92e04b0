"""Any other exception, and an end that nobody explains."""

from __future__ import annotations

import re

from backprop_tui.domain.causes.clues import Clues
from backprop_tui.domain.causes.making import made
from backprop_tui.domain.causes.tracebacks import Failure
from backprop_tui.domain.run import Cause

_ERROR_LINE = (
    r"^\s*(?:\w+\.)*\w*(?:Error|Exception|Failure)\b.*|\b(?:ERROR|FATAL|CRITICAL)\b|^\s*(?i:error|fatal)\b"
    r"|^[\w.+-]+: .*(?i:failed|cannot|can't|invalid|denied)"
)
# The same start meets the same.
_NEVER_AGAIN = (
    r"Error\(s\) in loading state_dict|not compiled with CUDA enabled|Found no NVIDIA driver"
    r"|^(?:NameError|UnboundLocalError|PermissionError|IsADirectoryError|NotADirectoryError)\b"
)
_ADVICE: tuple[tuple[str, str], ...] = (
    (
        # CUDA says of a launch failure: mostly a pointer or an access out of bounds, seldom the device.
        r"device-side assert triggered|illegal memory access|unspecified launch failure|CUDA_ERROR_LAUNCH_FAILED",
        "--env CUDA_LAUNCH_BLOCKING=1 shows the true line; often a label or index is out of range",
    ),
    (
        r"not compiled with CUDA enabled|Found no NVIDIA driver",
        "this interpreter's torch cannot use a GPU here: install the CUDA build, or choose another one with --python",
    ),
    (r"^AssertionError", "a check of the script's own did not hold"),
    (r"^(?:PermissionError|OSError: \[Errno 13\])", "the file's owner can grant it with chmod; or choose another path"),
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
    """The root exception and where in the person's own code it came from; before it what was raised `from` it."""
    root = clues.root
    if root is None:
        return None
    summary = _said(root)
    spoken = clues.failures[-1]
    if spoken.is_meant and _said(spoken) != summary:
        summary = f"{_said(spoken)} ({summary})"
    again = re.search(_NEVER_AGAIN, root.text) is None
    return made("python_error", at=root.line, summary=summary, advice=_advice(root, summary), retryable=again)


def _said(failure: Failure) -> str:
    """An exception in a line, without its module."""
    said = re.sub(r"^(?:\w+\.)+(?=\w)", "", failure.line.text)
    if said.endswith(":") and failure.message:
        said += f" {failure.message[0].strip()}"
    return said


def _advice(root: Failure, summary: str) -> str:
    place = root.place
    where = "" if place is None else f" ({place[0]} line {place[1]})"
    said = f"{_said(root)}\n{summary}\n{root.text}"
    for pattern, advice in _ADVICE:
        if re.search(pattern, said):
            return advice + where
    return f"mend {'the script' if place is None else f'{place[0]} line {place[1]}'}, then resume"


def unknown(clues: Clues) -> Cause:
    """The line of the log that sounds most like a reason, else the exit code and the last line."""
    code = clues.facts.exit_code
    ended = "no exit status was seen" if code is None else f"exit code {code}"
    for line in reversed(clues.last[-20:]):
        if re.search(_ERROR_LINE, line.text):
            summary = f"{ended}: {line.text.strip()}"
            return made("unknown", at=line, summary=summary, advice="read the end of the log", retryable=True)
    last = clues.last[-1] if clues.last else None  # such as the words of sys.exit
    return made("unknown", at=last, evidence=ended, summary=ended, advice="read the end of the log", retryable=True)
