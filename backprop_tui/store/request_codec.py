"""Requests to lines of requests.jsonl and back."""

from __future__ import annotations

import json
from dataclasses import asdict

from backprop_tui.domain.requests import (
    ContinueRequest,
    EditRequest,
    PauseRequest,
    Request,
    StopRequest,
    TellRequest,
    TimeboxRequest,
)
from backprop_tui.store import fields

# Written to requests.jsonl: fixed, whatever the classes are called.
REQUEST_TAGS: dict[type[Request], str] = {
    StopRequest: "stop",
    PauseRequest: "pause",
    ContinueRequest: "continue",
    TimeboxRequest: "timebox",
    EditRequest: "edit",
    TellRequest: "tell",
}


def encode_request(request: Request) -> bytes:
    """One line, without its end."""
    return json.dumps({"request": REQUEST_TAGS[type(request)], **asdict(request)}).encode("ascii")


def decode_request(line: bytes) -> Request | None:
    """The request in a line; None where the line is none that this version understands, which is skipped."""
    try:
        source = json.loads(line)
        return _decode(source)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


def _decode(source: fields.JsonObject) -> Request | None:
    match source.get("request"):
        case "stop":
            return StopRequest(
                by=fields.text(source, "by"),
                reason=fields.text(source, "reason"),
                kill=bool(source.get("kill")),
                after_checkpoint=bool(source.get("after_checkpoint")),
                cause=fields.optional_text(source, "cause"),
            )
        case "pause":
            return PauseRequest(by=fields.text(source, "by"), reason=fields.text(source, "reason"))
        case "continue":
            return ContinueRequest(by=fields.text(source, "by"), reason=fields.text(source, "reason"))
        case "timebox":
            return TimeboxRequest(max_run_seconds=fields.optional_number(source, "max_run_seconds"))
        case "edit":
            return EditRequest(
                name=fields.optional_text(source, "name"),
                tags=None if source.get("tags") is None else fields.texts(source, "tags"),
                note=fields.optional_text(source, "note"),
                priority=fields.optional_integer(source, "priority"),
            )
        case "tell":
            return TellRequest(message=fields.text(source, "message"))
    return None
