"""What a line of a log tells: an error, a warning, a saved checkpoint, a step of a traceback; by its words alone."""

from __future__ import annotations

import re
from enum import Enum


class Kind(Enum):
    """What a line tells."""

    PLAIN = "plain"
    ERROR = "error"
    WARNING = "warning"
    CHECKPOINT = "checkpoint"
    FRAME = "frame"  # between the head of a traceback and its error


TRACEBACK = "Traceback (most recent call last)"

ERROR = re.compile(
    r"""
    ^\s* Traceback\ \(most\ recent\ call\ last\)
  | ^\s* (?:[A-Za-z_]\w*\.)* [A-Z]\w* (?:Error|Exception|Interrupt|Exit|Fault) (?:: | \s*$)   # torch.OutOfMemoryError:
  | \b (?:ERROR|CRITICAL|FATAL) \b                                                  # levels of logging
  | ^\s* (?i:error|fatal(?:\ error)?) :
  | \b CUDA \ (?:out\ of\ memory | error)
  | \b (?i:out\ of\ memory) \b
  | \b NCCL \b .* \b (?i:error|timeout|timed\ out) \b
  | ^ (?:Killed|Terminated|Aborted|Segmentation\ fault|Bus\ error|Floating\ point\ exception) \b
  | (?i:no\ space\ left\ on\ device)
  | (?i: \b loss \b \W{1,4} (?:nan|[-+]?inf) \b)
  | (?i: \b (?:found|detected|encountered|got|is|contains) \s (?:an?\s)? (?:nan|inf(?:inity)?) \b)
    """,
    re.VERBOSE,
)
_WARNING = re.compile(r"\b(?:WARN|WARNING)\b|\b[A-Z]\w*Warning:|^\s*(?i:warning):")
_CHECKPOINT = re.compile(
    r"(?i:\b(?:sav(?:ing|ed)|wr(?:iting|ote)|stored)\b.*(?:\bcheckpoint|\bckpt|\.(?:pt|pth|ckpt|safetensors|keras)\b))"
    r'|"event"\s*:\s*"checkpoint'
)


def kind_of(text: str) -> Kind:
    """What a line tells by itself."""
    if ERROR.search(text):
        return Kind.ERROR
    if _WARNING.search(text):
        return Kind.WARNING
    return Kind.CHECKPOINT if _CHECKPOINT.search(text) else Kind.PLAIN


def is_frame(text: str, *, after_frame: bool) -> bool:
    """Whether a line is a step of a traceback; `after_frame` where the line before is one, or a traceback's head."""
    return text.startswith('  File "') or (after_frame and text.startswith("  "))
