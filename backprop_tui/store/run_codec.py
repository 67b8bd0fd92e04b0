"""A run to JSON and back: the public part as people and scripts see it; what only we need stands under "record"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from backprop_tui.domain.errors import BrokenRecord
from backprop_tui.domain.lifecycle import fold, timebox_seconds
from backprop_tui.domain.live import Live, shown_status
from backprop_tui.domain.resume_check import ResumeCheck, Verdict
from backprop_tui.domain.run import (
    Cause,
    Checkpoint,
    Code,
    Ended,
    Git,
    Peak,
    Queued,
    Run,
    Running,
    Starting,
    State,
)
from backprop_tui.domain.slices import slice_number
from backprop_tui.domain.status import Status
from backprop_tui.domain.times import iso
from backprop_tui.store import fields
from backprop_tui.store.attempt_codec import decode_attempts, encode_attempt, encode_attempt_record
from backprop_tui.store.fields import JsonObject, WrongField
from backprop_tui.store.spec_codec import decode_spec, encode_spec

SCHEMA_VERSION = 1
# Written to run.json: fixed, whatever the classes are called.
STATE_TAGS: dict[type[State], str] = {Queued: "queued", Starting: "starting", Running: "running", Ended: "ended"}


def public(run: Run, run_folder: str, *, live: Live | None = None, holds: Sequence[JsonObject] = ()) -> JsonObject:
    """The run as `status RUN --json` shows it: the record, what the live record adds, why it is held."""
    status = shown_status(run, live)
    run = fold(run, live)
    first = run.attempts[0] if run.attempts else None
    seconds = sum(attempt.running_seconds + attempt.paused_seconds for attempt in run.attempts)
    paused_seconds = sum(attempt.paused_seconds for attempt in run.attempts)
    last = run.attempts[-1] if run.attempts else None
    end = run.state if isinstance(run.state, Ended) else None
    return {
        "id": run.id,
        "name": run.name,
        "status": status,
        "reason": _reason(run, live, holds),
        "command": list(run.spec.command),
        "script": run.spec.script,
        "cwd": run.spec.cwd,
        "host": run.host,
        "launcher": run.spec.launcher,
        "framework": run.spec.framework,
        "priority": run.priority,
        "group": run.group,
        "tags": list(run.tags),
        "note": run.note,
        "gpus": [] if last is None else [asdict(gpu) for gpu in last.gpus],
        "max_run_minutes": None if run.spec.max_run_seconds is None else run.spec.max_run_seconds / 60,
        "total_run_minutes": None if run.spec.total_seconds is None else run.spec.total_seconds / 60,
        "until": [str(one) for one in run.spec.until],
        "slice": _encode_slice(run),
        "created_at": iso(run.created_at),
        "started_at": iso(first.started_at if first else None),
        "ended_at": iso(end.at if end else None),
        "duration_seconds": round(seconds, 3) if first else None,
        "paused_seconds": round(paused_seconds, 3) if first else None,
        "exit_code": end.exit_code if end else None,
        "signal": end.signal if end else None,
        "step": run.step,
        "total_steps": run.total_steps,
        "epoch": run.epoch,
        "total_epochs": run.total_epochs,
        "eta_seconds": None if end else run.eta_seconds,
        "metrics": fields.encode_metrics(run.metrics),
        "best": fields.encode_best(run.best),
        "checkpoints": [_encode_checkpoint(checkpoint) for checkpoint in run.checkpoints],
        "log_path": f"{run_folder}/output.log",
        "attempts": [encode_attempt(attempt) for attempt in run.attempts],
        "peak": asdict(run.peak),
        "hold_reasons": list(holds),
        "cause": asdict(end.cause) if end and end.cause else None,
        "resume_check": asdict(run.resume_check) if run.resume_check else None,
        "git": asdict(run.git) if run.git else None,
    }


def _encode_slice(run: Run) -> JsonObject | None:
    found = slice_number(run)
    return None if found is None else {"number": found.number, "of": found.of}


def _reason(run: Run, live: Live | None, holds: Sequence[JsonObject]) -> str | None:
    match run.state:
        case Ended(reason=reason):
            return reason
        case Queued(reason=reason):
            return str(holds[0]["message"]) if holds else reason
    if live is None:
        return None
    if live.stopping is not None:
        return live.stopping.reason
    if live.postponed is not None:
        return f"{live.postponed.reason}, after its next checkpoint"
    return live.pause.reason if live.pause is not None else None


def encode_run(run: Run, run_folder: str) -> JsonObject:
    """The content of run.json."""
    record = {
        "spec": encode_spec(run.spec),
        "state": _encode_state(run.state),
        "attempts": [encode_attempt_record(attempt) for attempt in run.attempts],
        "code": None if run.code is None else asdict(run.code),
        "position": run.position,
        "requests_offset": run.requests_offset,
        "timebox_seconds": timebox_seconds(run),
    }
    return {"schema_version": SCHEMA_VERSION, **public(run, run_folder), "record": record}


def decode_run(path: str, source: JsonObject) -> Run:
    """The inverse of `encode_run`.

    Raises:
        BrokenRecord: the object read from `path` is no run of a version we know.
    """
    version = source.get("schema_version")
    if version != SCHEMA_VERSION:
        raise BrokenRecord(path, f"schema_version {version!r} is not {SCHEMA_VERSION}: written by another version")
    try:
        return _decode_run(source)
    except (WrongField, TypeError, ValueError, KeyError) as error:
        raise BrokenRecord(path, str(error)) from error


def _decode_run(source: JsonObject) -> Run:
    record = fields.nested(source, "record")
    git, code = source.get("git"), record.get("code")
    return Run(
        id=fields.text(source, "id"),
        name=fields.text(source, "name"),
        host=fields.text(source, "host"),
        created_at=fields.time(source, "created_at"),
        position=fields.number(record, "position"),
        spec=decode_spec(source, fields.nested(record, "spec")),
        state=_decode_state(fields.nested(record, "state")),
        priority=fields.integer(source, "priority"),
        group=fields.optional_text(source, "group"),
        tags=fields.texts(source, "tags"),
        note=fields.optional_text(source, "note"),
        attempts=decode_attempts(source, record),
        checkpoints=tuple(decode_checkpoint(one) for one in fields.objects(source, "checkpoints")),
        step=fields.optional_integer(source, "step"),
        total_steps=fields.optional_integer(source, "total_steps"),
        epoch=fields.optional_number(source, "epoch"),
        total_epochs=fields.optional_integer(source, "total_epochs"),
        eta_seconds=fields.optional_number(source, "eta_seconds"),
        metrics=fields.decode_metrics(source, "metrics"),
        best=fields.decode_best(source, "best"),
        peak=decode_peak(fields.nested(source, "peak")),
        resume_check=decode_resume_check(source),
        git=None if git is None else Git(**git),
        code=None if code is None else Code(path=fields.text(code, "path"), sha256=fields.text(code, "sha256")),
        requests_offset=fields.integer(record, "requests_offset"),
    )


def _encode_checkpoint(checkpoint: Checkpoint) -> JsonObject:
    return {
        "path": checkpoint.path,
        "step": checkpoint.step,
        "saved_at": iso(checkpoint.saved_at),
        "size_bytes": checkpoint.size_bytes,
        "sound": checkpoint.sound,
    }


def decode_checkpoint(source: JsonObject) -> Checkpoint:
    """Raises: WrongField."""
    return Checkpoint(
        path=fields.text(source, "path"),
        step=fields.optional_integer(source, "step"),
        saved_at=fields.time(source, "saved_at"),
        size_bytes=fields.optional_integer(source, "size_bytes"),
        sound=source.get("sound"),
    )


def decode_peak(source: JsonObject) -> Peak:
    """Raises: WrongField."""
    return Peak(
        ram_bytes=fields.optional_integer(source, "ram_bytes"),
        vram_bytes=fields.optional_integer(source, "vram_bytes"),
        temperature_celsius=fields.optional_number(source, "temperature_celsius"),
    )


def decode_resume_check(source: JsonObject) -> ResumeCheck | None:
    """None for a verdict that only a newer version knows. Raises: WrongField."""
    check = fields.nested(source, "resume_check")
    if not check or fields.text(check, "verdict") not in list(Verdict):
        return None
    return ResumeCheck(
        verdict=Verdict(fields.text(check, "verdict")),
        attempt=fields.integer(check, "attempt"),
        message=fields.text(check, "message"),
        metric=fields.optional_text(check, "metric"),
        step_before=fields.optional_integer(check, "step_before"),
        step_after=fields.optional_integer(check, "step_after"),
        loss_before=fields.optional_number(check, "loss_before"),
        loss_after=fields.optional_number(check, "loss_after"),
    )


def _encode_state(state: State) -> JsonObject:
    plain: dict[str, Any] = asdict(state)
    return {"kind": STATE_TAGS[type(state)], **plain}


def _decode_state(source: JsonObject) -> State:
    match fields.text(source, "kind"):
        case "queued":
            return Queued(
                since=fields.number(source, "since"),
                reason=fields.optional_text(source, "reason"),
                not_before=fields.optional_number(source, "not_before"),
                resume_from=fields.optional_text(source, "resume_from"),
                by_request=bool(source.get("by_request")),
            )
        case "starting":
            return Starting(since=fields.number(source, "since"))
        case "running":
            return Running(since=fields.number(source, "since"))
        case "ended":
            return Ended(
                at=fields.number(source, "at"),
                status=Status(fields.text(source, "status")),
                exit_code=fields.optional_integer(source, "exit_code"),
                signal=fields.optional_text(source, "signal"),
                reason=fields.optional_text(source, "reason"),
                cause=_decode_cause(source),
            )
        case other:
            raise WrongField(f"state {other!r} is none that this version knows")


def _decode_cause(source: JsonObject) -> Cause | None:
    """Older versions wrote fewer fields, and newer ones may write more."""
    cause = fields.nested(source, "cause")
    if not cause:
        return None
    return Cause(
        kind=fields.text(cause, "kind"),
        evidence=fields.optional_text(cause, "evidence"),
        advice=fields.optional_text(cause, "advice"),
        summary=fields.optional_text(cause, "summary"),
        line=fields.optional_integer(cause, "line"),
        retryable=bool(cause.get("retryable")),
    )
