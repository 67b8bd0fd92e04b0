"""Reads records of the original Backprop tool: camelCase keys, times in milliseconds, several layouts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from backprop_tui.domain.formatting import iso
from backprop_tui.domain.status import Status
from backprop_tui.store.fields import JsonObject

_ENDS = {status.value: status for status in (Status.COMPLETED, Status.FAILED, Status.STOPPED, Status.TIMEBOXED)}


def original_records(content: bytes) -> dict[str, JsonObject] | None:
    """Returns the original tool's records in public form, by id; None if the file is not of that tool.

    Values it never stored are None.
    """
    if content.startswith(b'{"schema_version"'):
        return None
    try:
        source = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if isinstance(source, dict) and "schema_version" in source:
        return None
    records = {str(record["id"]): _convert(record) for record in _records(source)}
    return records or None


def _records(source: object) -> Iterator[JsonObject]:
    """Layouts: `[...]` or `{id: ...}`, bare or as the value of "experiments"."""
    inner = source.get("experiments", source) if isinstance(source, dict) else source
    pairs: Iterable[tuple[object, object]] = ()
    if isinstance(inner, dict):
        pairs = inner.items()
    elif isinstance(inner, list):
        pairs = ((None, record) for record in inner)
    for key, record in pairs:
        if isinstance(record, dict) and ("scriptPath" in record or "startTime" in record):
            yield {"id": key, **record}


def _convert(record: Mapping[str, Any]) -> JsonObject:
    """Converts a record; `running` becomes "lost", since the tool leaves it when its terminal closes."""
    status = _ENDS.get(str(record.get("status")), Status.LOST)
    started, ended = _seconds(record.get("startTime")), _seconds(record.get("endTime"))
    script = record.get("scriptPath")
    step, loss = record.get("lastStep"), record.get("lastLoss")
    checkpoints = [_checkpoint(item) for item in record.get("checkpoints") or [] if isinstance(item, dict | str)]
    last = record.get("lastCheckpoint")
    if last and all(checkpoint["path"] != last for checkpoint in checkpoints):
        checkpoints.append(_checkpoint(last))
    return {
        "id": str(record["id"]),
        "name": str(record.get("name") or record["id"]),
        "status": status,
        "reason": "recorded by the original Backprop",
        "command": [script] if script else [],
        "script": script,
        "cwd": None,
        "host": None,
        "launcher": None,
        "framework": record.get("framework"),
        "priority": 0,
        "group": None,
        "tags": [],
        "note": None,
        "gpus": [],
        "max_run_minutes": None,
        "created_at": iso(started),
        "started_at": iso(started),
        "ended_at": iso(ended),
        "duration_seconds": None if started is None or ended is None else round(ended - started, 3),
        "paused_seconds": None,
        "exit_code": None,
        "signal": None,
        "step": step if isinstance(step, int) else None,
        "metrics": {"loss": loss} if isinstance(loss, int | float) else {},
        "checkpoints": checkpoints,
        "log_path": None,
        "attempts": [],
        "peak": {"ram_bytes": None, "vram_bytes": None, "temperature_celsius": None},
        "hold_reasons": [],
        "cause": None,
        "git": None,
    }


def _checkpoint(item: object) -> JsonObject:
    """Converts a path, or an object with `path`, `step` and a time in milliseconds."""
    if isinstance(item, dict):
        path, step = item.get("path"), item.get("step")
        saved = _seconds(item.get("timestamp") or item.get("time"))
        return {"path": path, "step": step, "saved_at": iso(saved), "size_bytes": None, "sound": None}
    return {"path": item, "step": None, "saved_at": None, "size_bytes": None, "sound": None}


def _seconds(milliseconds: object) -> float | None:
    return milliseconds / 1000 if isinstance(milliseconds, int | float) and not isinstance(milliseconds, bool) else None
