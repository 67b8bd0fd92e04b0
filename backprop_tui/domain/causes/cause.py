"""Builds causes from untrusted text: bounded and sanitized, with sizes in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from backprop_tui.domain.run import Cause
from backprop_tui.domain.sanitize import sanitize

if TYPE_CHECKING:  # stopping a run needs no parser of tracebacks
    from backprop_tui.domain.causes.tracebacks import LogLine

_MAX_TEXT_LENGTH = 300
NAN_ADVICE = "lower the learning rate, clip gradients, or use bf16 instead of fp16; resume from a checkpoint before it"


def build_cause(
    kind: str,
    *,
    summary: str,
    advice: str,
    at: LogLine | None = None,
    evidence: str | None = None,
    retryable: bool = False,
) -> Cause:
    """Builds a cause; the line `at`, if given, is its evidence."""
    text = evidence if at is None else at.text.strip()
    return Cause(
        kind=kind,
        evidence=None if text is None else sanitize(text)[:_MAX_TEXT_LENGTH],
        advice=sanitize(advice)[:_MAX_TEXT_LENGTH],
        summary=sanitize(summary)[:_MAX_TEXT_LENGTH],
        line=None if at is None else at.number,
        retryable=retryable,
    )


_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_BATCH = (
    "--batch-size",
    "--batch_size",
    "--per_device_train_batch_size",
    "--train_batch_size",
    "--micro-batch-size",
    "--batch",
    "-b",
)


def binary_size(size_bytes: int) -> str:
    """Formats a size as `2.50 GiB`, like the frameworks do."""
    power = min((max(1, size_bytes).bit_length() - 1) // 10, len(_UNITS) - 1)
    return f"{size_bytes / 1024**power:.2f} {_UNITS[power]}" if power else f"{size_bytes} B"


def decimal_size(size_bytes: int) -> str:
    return f"{size_bytes / 10**9:.1f} GB" if size_bytes >= 10**9 else f"{size_bytes // 10**6} MB"


def batch_option(command: Sequence[str]) -> tuple[str, str] | None:
    """Returns name and value of the batch size option (`--name value` or `--name=value`); None if there is none."""
    for index, word in enumerate(command):
        name, equals, value = word.partition("=")
        if name not in _BATCH:
            continue
        if equals:
            return name, value
        if index + 1 < len(command) and not command[index + 1].startswith("-"):
            return name, command[index + 1]
    return None
