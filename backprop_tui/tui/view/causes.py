"""Why a run ended as it did, in one clause: the figures of the evidence before its words."""

from __future__ import annotations

import re
from typing import Any

from backprop_tui.store.fields import JsonObject
from backprop_tui.tui.neutral import neutral

_ASKED = re.compile(r"[Tt]ried to allocate ([\d.]+) ?([KMGT]i?B)")
_FREE = re.compile(r"of which ([\d.]+) ?([KMGT]i?B) is free|([\d.]+) ?([KMGT]i?B) free")
_EXCEPTION = re.compile(r"^(?:\w+\.)+(?=\w*(?:Error|Exception)\b)")
_NO_SUCH_FILE = re.compile(r"\[Errno 2\] No such file or directory: ")  # FileNotFoundError says it already
_SAYS_NOTHING = (None, "unknown", "killed_by_signal")


def cause_words(record: JsonObject) -> str:
    """The cause of an end that was not wished for; empty where there is none."""
    cause: dict[str, Any] = record.get("cause") or {}
    if cause.get("summary"):
        return neutral(str(cause["summary"]))
    evidence = cause.get("evidence")  # a record of a version that wrote no summary
    if cause.get("kind") == "cuda_oom" and evidence:
        return _out_of_memory(neutral(str(evidence)))
    if cause.get("kind") not in _SAYS_NOTHING and evidence:
        return _NO_SUCH_FILE.sub("", _EXCEPTION.sub("", neutral(str(evidence))))
    if record.get("reason"):
        return neutral(str(record["reason"]))
    if cause.get("kind") == "killed_by_signal":
        return f"killed by {neutral(str(record.get('signal') or evidence))} from outside"
    return exit_words(record)


def evidence_words(record: JsonObject) -> str:
    """The line that shows the cause, with its number in the log where that is known; empty where there is none."""
    cause: dict[str, Any] = record.get("cause") or {}
    evidence, line = neutral(str(cause.get("evidence") or "")), cause.get("line")
    return f"line {line:,}  {evidence}" if isinstance(line, int) and evidence else evidence


def exit_words(record: JsonObject) -> str:
    """How its process ended; empty where nobody knows."""
    if record.get("signal") is not None:
        return f"by {neutral(str(record['signal']))}"
    return "" if record.get("exit_code") is None else f"exit code {record['exit_code']}"


def _out_of_memory(evidence: str) -> str:
    asked, free = _ASKED.search(evidence), _FREE.search(evidence)
    if asked is None:
        return "CUDA out of memory"
    figures = f"CUDA out of memory: asked {asked[1]} {asked[2]}"
    return figures if free is None else f"{figures}, {free[1] or free[3]} {free[2] or free[4]} free"
