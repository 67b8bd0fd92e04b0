"""Causes: a Python exception, a loss that became NaN, or an unexplained exit."""

from __future__ import annotations

import re
from dataclasses import replace

from backprop_tui.domain.causes.cause import NAN_ADVICE, build_cause
from backprop_tui.domain.causes.clues import Clues, is_progress
from backprop_tui.domain.causes.tracebacks import LoggedException
from backprop_tui.domain.run import Cause

_ERROR_LINE = (
    r"^\s*(?:\w+\.)*\w*(?:Error|Exception|Failure)\b.*|\b(?:ERROR|FATAL|CRITICAL)\b|^\s*(?i:error|fatal)\b"
    r"|^[\w.+-]+: .*(?i:failed|cannot|can't|invalid|denied)"
)
_OTHER_MODEL = (
    r"size mismatch for|Missing key\(s\) in state_dict|Unexpected key\(s\)|Error\(s\) in loading state_dict"
    r"|loaded state dict (?:has a different number|contains a parameter group)"
)
_DAMAGED = (
    r"PytorchStreamReader failed|failed finding central directory|unexpected EOF, expected \d+ more bytes"
    r"|invalid load key|Ran out of input|pickle data was truncated|SafetensorError|BadZipFile|truncated file"
    r"|Unable to (?:synchronously )?open file|cannot identify image file|image file is truncated|broken data stream"
    r"|Parquet magic bytes not found|Not a gzipped file|Compressed file ended before the end-of-stream marker"
)
_OTHER_NUMPY = (
    r"Numpy is not available|numpy\.\w+ size changed, may indicate binary incompatibility|_ARRAY_API not found"
    r"|compiled against (?:NumPy C-)?API version \w+ but this version of numpy"
)
_NO_CUDA_LIBRARY = (
    r"CUDNN_STATUS_(?:NOT_INITIALIZED|EXECUTION_FAILED|INTERNAL_ERROR)|CUBLAS_STATUS_NOT_INITIALIZED"
    r"|DNN library initialization failed"
)
# Errors with advice of their own, and whether the same command may succeed later.
_KNOWN: tuple[tuple[str, str, bool], ...] = (
    (
        r"An attempt has been made to start a new process before",
        'start processes and data loaders under `if __name__ == "__main__":`',
        False,
    ),
    (r"Cannot re-initialize CUDA in forked subprocess", "start processes with the method spawn, not fork", False),
    (
        r"device-side assert triggered",
        "--env CUDA_LAUNCH_BLOCKING=1 shows the real line; often a label or index is out of range",
        False,
    ),
    (
        # CUDA's documentation on launch failures: usually an invalid pointer or index, rarely the device.
        r"illegal memory access|unspecified launch failure|CUDA_ERROR_LAUNCH_FAILED|misaligned address",
        "--env CUDA_LAUNCH_BLOCKING=1 shows the real line; often an index is out of range",
        True,
    ),
    (
        r"no kernel image is available|CUDA_ERROR_NO_BINARY_FOR_GPU",
        "the framework's build has no code for this GPU: install one for it, or choose another GPU (--gpu-ids)",
        False,
    ),
    (
        _NO_CUDA_LIBRARY,
        "often too little free GPU memory (--gpu-min-vram), or incompatible versions of CUDA libraries",
        True,
    ),
    (
        r"NCCL (?:error|failure)|nccl(?:Unhandled|System|Remote|Internal)\w*|DistBackendError|NCCL communicator was",
        "see the first error of the other ranks; --env NCCL_DEBUG=INFO shows the reason (network, /dev/shm, driver)",
        True,
    ),
    (
        r"Error building extension '|Unsupported gpu architecture|CUDA_HOME environment variable is not set",
        "nvcc must be found, have the CUDA version of the framework, and know this GPU: see the compiler's lines",
        False,
    ),
    (
        _OTHER_NUMPY,
        "a package was built for another NumPy: update that package, or install 'numpy<2' in that interpreter",
        False,
    ),
    (
        r"module 'numpy' has no attribute '(?:float|int|bool|object|str|long|complex)'|was removed in the NumPy 2\.0",
        "the code is older than this NumPy: update the package, or install an older NumPy in that interpreter",
        False,
    ),
    (
        _OTHER_MODEL,
        "the checkpoint is of another model: start without it, or with the options it was trained with",
        False,
    ),
    (
        _DAMAGED,
        "a file is damaged or incomplete: use an older checkpoint, or get the data again",
        False,
    ),
    (
        r"Weights only load failed|WeightsUnpickler error",
        "torch 2.6 and later load weights only: torch.load(..., weights_only=False) for a trusted file",
        False,
    ),
    (
        r"Read-only file system|\[Errno 30\]",
        "write elsewhere: this file system is read-only (dmesg, if it was not before)",
        False,
    ),
    (
        r"HTTP(?: Error|Error:) 404|404 Client Error|RepositoryNotFoundError|is not a valid model identifier",
        "check the name and the address; private repositories need a login",
        False,
    ),
    (
        r"OfflineModeIsEnabled|[Oo]ffline mode is enabled|HF_HUB_OFFLINE",
        "it is not in the local cache, and offline mode is on: download it first, or switch that mode off",
        False,
    ),
    (
        r"^(?:PermissionError|OSError: \[Errno 13\])",
        "the file's owner can grant access with chmod; or choose another path",
        False,
    ),
    (r"^AssertionError", "an assertion in the script failed", True),
)


def python_error(clues: Clues) -> Cause | None:
    """Reports the exception that ended the script and the first of its chain, with the place in the user's code."""
    raised, root = clues.raised, clues.root
    if raised is None or root is None:
        return None
    evidence = root if root.text == raised.text else raised
    place = describe_place(root.place or raised.place)
    advice, retryable = f"fix {place or 'the script'}, then resume", root.name not in _NOT_RETRYABLE
    for pattern, known_advice, is_retryable in _KNOWN:
        if any(re.search(pattern, exception.text) for exception in clues.ending):
            advice, retryable = f"{known_advice} ({place})" if place else known_advice, is_retryable
            break
    return build_cause(
        "python_error",
        at=replace(evidence.line, text=re.sub(r"\s*\n\s*", " ", evidence.text)),
        summary=summary_of_exceptions(clues),
        advice=advice,
        retryable=retryable,
    )


# Errors that happen again on every attempt.
_NOT_RETRYABLE = frozenset(
    {"NameError", "UnboundLocalError", "IsADirectoryError", "NotADirectoryError", "NotImplementedError"}
)


def summary_of_exceptions(clues: Clues) -> str:
    """The exception that ended the script, and the first of its chain in parentheses if that adds information."""
    raised, first = clues.raised, clues.exceptions[0]
    if raised is None:
        return ""
    summary, origin = one_line(raised), one_line(first)
    message = origin.partition(": ")[2]
    if first is raised or not first.has_message or origin == summary or (message and message in raised.text):
        return summary
    return f"{summary} ({origin})"


def one_line(exception: LoggedException) -> str:
    """Type and message without the module; the first paragraph if the first line is incomplete."""
    line = re.sub(r"^(?:\w+\.)+(?=\w)", "", exception.line.text).rstrip()
    if not line.endswith((":", ",")):
        return line
    paragraph: list[str] = []
    for text in exception.message:
        if text.strip():
            paragraph.append(text.strip())
        elif paragraph:
            break
    return " ".join([line, *paragraph])


def describe_place(place: tuple[str, int] | None) -> str:
    return "" if place is None else f"{place[0]} line {place[1]}"


def unknown(clues: Clues) -> Cause:
    """Reports the log line that looks most like an error, otherwise the exit code and the last line."""
    code = clues.exit_code
    ended = "exit status unknown" if code is None else f"exit code {code}"
    for line in reversed(clues.last[-20:]):
        if re.search(_ERROR_LINE, line.text):
            summary = f"{ended}: {line.text.strip()}"
            return build_cause("unknown", at=line, summary=summary, advice="read the end of the log", retryable=True)
    last = clues.last[-1] if clues.last else None
    if last is not None and not is_progress(last) and "\ufffd" not in last.text:  # such as the message of sys.exit
        ended = f"{ended}, last line: {last.text.strip()}"
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
    """Recognizes the exception, or the last lines of a script that exited by itself, or a NaN loss in the log."""
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
