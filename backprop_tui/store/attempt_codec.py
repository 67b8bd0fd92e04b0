"""The attempts of a run to JSON and back: what people see of one, and what only we need."""

from __future__ import annotations

from dataclasses import asdict

from backprop_tui.domain.run import Attempt, Gpu
from backprop_tui.domain.status import Status
from backprop_tui.domain.times import iso
from backprop_tui.store import fields
from backprop_tui.store.fields import JsonObject


def encode_attempt(attempt: Attempt) -> JsonObject:
    """The public part."""
    return {
        "number": attempt.number,
        "started_at": iso(attempt.started_at),
        "ended_at": iso(attempt.ended_at),
        "status": attempt.status,
        "exit_code": attempt.exit_code,
        "signal": attempt.signal,
        "resumed_from": attempt.resumed_from,
        "code_changes": attempt.code_changes,
    }


def encode_attempt_record(attempt: Attempt) -> JsonObject:
    """The part that only we need."""
    return {
        "boot_id": attempt.boot_id,
        "gpus": [asdict(gpu) for gpu in attempt.gpus],
        "vram_claim_bytes": attempt.vram_claim_bytes,
        "variables": dict(attempt.variables),
        "running_seconds": attempt.running_seconds,
        "paused_seconds": attempt.paused_seconds,
        "by_request": attempt.by_request,
        "saved_step": attempt.saved_step,
        "saved_new": attempt.saved_new,
    }


def decode_attempts(source: JsonObject, record: JsonObject) -> tuple[Attempt, ...]:
    """All attempts of a run, of its public part and its record.

    Raises:
        WrongField: a field is not what it must be.
    """
    pairs = zip(fields.objects(source, "attempts"), fields.objects(record, "attempts"), strict=True)
    return tuple(_decode_attempt(shown, kept) for shown, kept in pairs)


def _decode_attempt(shown: JsonObject, kept: JsonObject) -> Attempt:
    status = fields.optional_text(shown, "status")
    return Attempt(
        number=fields.integer(shown, "number"),
        started_at=fields.time(shown, "started_at"),
        boot_id=fields.text(kept, "boot_id"),
        ended_at=fields.optional_time(shown, "ended_at"),
        status=None if status is None else Status(status),
        exit_code=fields.optional_integer(shown, "exit_code"),
        signal=fields.optional_text(shown, "signal"),
        resumed_from=fields.optional_text(shown, "resumed_from"),
        code_changes=fields.optional_text(shown, "code_changes"),
        gpus=tuple(Gpu(index=fields.integer(gpu, "index"), uuid=fields.text(gpu, "uuid")) for gpu in kept["gpus"]),
        vram_claim_bytes=fields.integer(kept, "vram_claim_bytes"),
        variables=fields.nested(kept, "variables"),
        running_seconds=fields.number(kept, "running_seconds"),
        paused_seconds=fields.number(kept, "paused_seconds"),
        by_request=bool(kept.get("by_request")),
        saved_step=fields.optional_integer(kept, "saved_step"),
        saved_new=kept.get("saved_new"),
    )
