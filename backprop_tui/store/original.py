"""Reads records of the original Backprop tool: camelCase keys, times in milliseconds, several layouts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from backprop_tui.domain.formatting import iso
from backprop_tui.domain.run import Ended, Run, Spec
from backprop_tui.domain.status import Status
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.records import public

_ENDS = {status.value: status for status in (Status.COMPLETED, Status.FAILED, Status.STOPPED, Status.TIMEBOXED)}


def original_records(content: bytes) -> dict[str, Any] | None:
    """Returns the original tool's records in public form, by id; None if the file is not of that tool.

    Values it never stored are None. What cannot be converted stays as it is.
    """
    if content.startswith(b'{"schema_version"'):
        return None
    try:
        source = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if isinstance(source, dict) and "schema_version" in source:
        return None
    records: dict[str, Any] = {}
    for record in _records(source):
        key = str(record["id"])
        if key in records:
            key = f"{key} (used {sum(other.partition(' (')[0] == key for other in records) + 1} times)"
        try:
            records[key] = _convert(record)
        except (TypeError, ValueError, AttributeError, OverflowError):
            records[key] = record
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
    script, loss, step = record.get("scriptPath"), record.get("lastLoss"), record.get("lastStep")
    started, ended = _seconds(record.get("startTime")), _seconds(record.get("endTime"))
    status = _ENDS.get(str(record.get("status")), Status.LOST)
    run = Run(
        id=str(record["id"]),
        name=str(record.get("name") or record["id"]),
        host="",
        created_at=0.0,
        position=0.0,
        spec=Spec(command=(script,) if script else (), script=script, cwd="", max_run_seconds=None),
        state=Ended(at=0.0, status=status, reason="recorded by the original Backprop"),
        step=step if isinstance(step, int) else None,
        metrics={"loss": loss} if isinstance(loss, int | float) else {},
    )
    return {
        **public(run, ""),
        **dict.fromkeys(("cwd", "host", "launcher", "log_path", "requested_gpus")),
        "framework": record.get("framework"),
        "created_at": iso(started),
        "started_at": iso(started),
        "ended_at": iso(ended),
        "duration_seconds": None if started is None or ended is None else round(ended - started, 3),
        "checkpoints": _checkpoints(record),
    }


def _checkpoints(record: Mapping[str, Any]) -> list[JsonObject]:
    checkpoints = [_checkpoint(item) for item in record.get("checkpoints") or [] if isinstance(item, dict | str)]
    last = record.get("lastCheckpoint")
    if last and all(checkpoint["path"] != last for checkpoint in checkpoints):
        checkpoints.append(_checkpoint(last))
    return checkpoints


def _checkpoint(item: object) -> JsonObject:
    """Converts a path, or an object with `path`, `step` and a time in milliseconds."""
    source = item if isinstance(item, dict) else {"path": item}
    saved_at = iso(_seconds(source.get("timestamp") or source.get("time")))
    path, step = source.get("path"), source.get("step")
    return {"path": path, "step": step, "saved_at": saved_at, "size_bytes": None, "sound": None}


def _seconds(milliseconds: object) -> float | None:
    return milliseconds / 1000 if isinstance(milliseconds, int | float) and not isinstance(milliseconds, bool) else None
