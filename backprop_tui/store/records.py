"""Runs, live records and requests as JSON: the public form that people and scripts see, and the files of a run."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Sequence
from math import isfinite
from typing import Any, cast

from backprop_tui.domain.errors import BrokenRecord
from backprop_tui.domain.formatting import iso
from backprop_tui.domain.goals import Goal, parse_goal
from backprop_tui.domain.invocation import resumes_by
from backprop_tui.domain.lifecycle import merge_live, slice_number, timebox_seconds
from backprop_tui.domain.live import Live, displayed_status
from backprop_tui.domain.metric_names import is_smoothed
from backprop_tui.domain.objective import Objective, default_objective
from backprop_tui.domain.requests import (
    ContinueRequest,
    EditRequest,
    NoticeRequest,
    PauseRequest,
    Request,
    StopRequest,
    TimeboxRequest,
)
from backprop_tui.domain.resume_verdict import ResumeCheck, ResumeVerdict
from backprop_tui.domain.run import SLURM, Attempt, Ended, Queued, Run, Running, Starting, State
from backprop_tui.domain.secrets import mask_words
from backprop_tui.domain.smoothed_curve import Extreme, SmoothedCurve
from backprop_tui.store.codec import decode, encode, register, tagged
from backprop_tui.store.fields import JsonObject, WrongField, integer, items, nested, text

SCHEMA_VERSION = 1

# Tags in files: they stay as they are, whatever the classes are called.
STATE_TAGS: dict[type[State], str] = {Queued: "queued", Starting: "starting", Running: "running", Ended: "ended"}
REQUEST_TAGS: dict[type[Request], str] = {
    StopRequest: "stop",
    PauseRequest: "pause",
    ContinueRequest: "continue",
    TimeboxRequest: "timebox",
    EditRequest: "edit",
    NoticeRequest: "tell",
}

# Fields of Run that the public form leaves out or shows in another way; a new field is public unless it is listed here.
_PRIVATE = ("spec", "state", "attempts", "code", "position", "requests_offset", "job")
# The fields of a spec and of an attempt that the public form shows; "record" has the others.
_PUBLIC_SPEC = ("command", "script", "cwd", "launcher", "framework")
_PUBLIC_ATTEMPT = [
    *("number", "started_at", "ended_at", "status", "exit_code", "signal", "resumed_from", "code_changes"),
    *("log_offset", "cause"),
]


def _finite(value: Any) -> float:  # noqa: ANN401 - JSON
    number = float(value)
    if not isfinite(number):
        raise WrongField(f"{value} where only finite values are")
    return number


def _decode_extreme(value: Any, key: str) -> Extreme:  # noqa: ANN401 - JSON
    try:
        step = value.get("step")
        return Extreme(_finite(value["value"]), None if step is None else integer(step, key))
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise WrongField(f"{key}: {error}") from error


def _encode_extreme(extreme: Extreme) -> JsonObject:
    return {"value": extreme.value, "step": extreme.step}


def _decode_curve(value: object, key: str) -> SmoothedCurve:
    source = nested(value, key)
    try:
        pairs = items(source["points"], key)
        points = [(_finite(value), None if step is None else integer(step, key)) for value, step in pairs]
        stride, count = max(1, integer(source["stride"], key)), integer(source["count"], key)
        earlier = [_decode_extreme(extreme, key) for extreme in items(source.get("earlier", []), key)]
        return SmoothedCurve(points, stride=stride, total=_finite(source["total"]), count=count, earlier=earlier)
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise WrongField(f"{key}: {error}") from error


def _encode_curve(curve: SmoothedCurve) -> JsonObject:
    fields = {"points": curve.points, "stride": curve.stride, "total": curve.total, "count": curve.count}
    return {**fields, "earlier": list(map(_encode_extreme, curve.earlier))} if curve.earlier else fields


def _decode_resume_check(value: object, key: str) -> ResumeCheck | None:
    """A verdict that only a newer version knows is dropped: it must not hide the run."""
    source = nested(value, key)
    is_known = source and text(source.get("verdict"), "verdict") in list(ResumeVerdict)
    return decode(ResumeCheck, source) if is_known else None


register(Extreme, _decode_extreme, _encode_extreme)
register(SmoothedCurve, _decode_curve, _encode_curve)
register(Goal, lambda value, key: parse_goal(text(value, key)), str)
register(ResumeCheck | None, _decode_resume_check, lambda check: None if check is None else encode(check))
_decode_state, _encode_state = tagged(STATE_TAGS, "kind")
register(State, _decode_state, _encode_state)
_decode_request, _encode_request = tagged(REQUEST_TAGS, "request")


def public(run: Run, run_folder: str, *, live: Live | None = None, holds: Sequence[JsonObject] = ()) -> JsonObject:
    """Returns the run as `status RUN --json` shows it: its record, refined by the live record and why it is held."""
    status = displayed_status(run, live)
    run = merge_live(run, live)
    fields = encode(run)
    spec, attempts = run.spec, run.attempts
    end = run.state if isinstance(run.state, Ended) else None
    paused_seconds = sum(attempt.paused_seconds for attempt in attempts)
    seconds = paused_seconds + sum(attempt.running_seconds for attempt in attempts)
    slice_ = slice_number(run)
    return {
        "id": run.id,
        "name": run.name,
        "status": status,
        "reason": _reason(run, live, holds),
        **_select(fields["spec"], _PUBLIC_SPEC),
        "command": list(mask_words(spec.command)),
        **_without(fields, _PRIVATE),
        "host": run.current_host,
        "age_seconds": None,  # only who reads it knows
        **_gpus(run, fields["attempts"]),
        "slurm": _slurm(run, holds),
        "max_run_minutes": None if spec.max_run_seconds is None else spec.max_run_seconds / 60,
        "total_run_minutes": None if spec.total_seconds is None else spec.total_seconds / 60,
        "until": fields["spec"]["until"],
        "resumes_by": resumes_by(spec),
        "objective": _objective(spec.objective or default_objective(run.metrics), fields["metrics"], fields["best"]),
        "slice": None if slice_ is None else encode(slice_),
        "started_at": iso(attempts[0].started_at) if attempts else None,
        "ended_at": iso(end.at) if end else None,
        "duration_seconds": round(seconds, 3) if attempts else None,
        "paused_seconds": round(paused_seconds, 3) if attempts else None,
        "exit_code": end.exit_code if end else None,
        "signal": end.signal if end else None,
        "eta_seconds": None if end else run.eta_seconds,
        "log_path": f"{run_folder}/output.log",
        "attempts": [_public_attempt(attempt) for attempt in fields["attempts"]],
        "hold_reasons": list(holds),
        "cause": encode(end.cause) if end and end.cause else None,
    }


def _gpus(run: Run, attempts: Sequence[JsonObject]) -> JsonObject:
    """The GPUs that the last of the attempts was given, and what the run asks for."""
    spec, given = run.spec, attempts[-1]["gpus"] or _gpus_of_job(run.attempt) if attempts else []
    asked = {"count": spec.gpus, "ids": list(spec.gpu_ids), "min_free_bytes": spec.limits.gpu_min_free_vram_bytes}
    return {"gpus": given, "requested_gpus": asked}


def _gpus_of_job(attempt: Attempt) -> list[JsonObject]:
    """The GPUs that Slurm gave to an attempt on a node where nobody could measure them."""
    indices = attempt.variables.get("SLURM_JOB_GPUS", "").split(",")
    return [{"index": int(index), "uuid": None} for index in indices if index.isdecimal()]


def _slurm(run: Run, holds: Sequence[JsonObject]) -> JsonObject | None:
    """The newest job of a run; while it waits, why, and when Slurm expects to start it. None without a job."""
    job = run.job
    if job is None or job.attempt == 0:
        return None
    from backprop_tui.domain.governor.reasons import Check  # only needed for Slurm runs

    waiting = next((hold for hold in holds if hold.get("check") == Check.SLURM), {})
    return {
        "job_id": job.id,
        "node": run.host if job.attempt <= len(run.attempts) else None,
        "reason": waiting.get("figure"),
        "estimated_start": waiting.get("limit"),
    }


def _objective(objective: Objective | None, metrics: JsonObject, best: JsonObject) -> JsonObject | None:
    """The public form of an objective, with its value among the public metrics and best values."""
    if objective is None:
        return None
    value = {} if objective.direction is None else best.get(objective.metric) or {}
    return {
        "metric": objective.metric,
        "direction": objective.direction,
        "best": value.get("value"),
        "best_step": value.get("step"),
        "last": metrics.get(objective.metric),
        "source": objective.source,
    }


def without_secret_words(source: JsonObject) -> JsonObject:
    """The public form of a run; an earlier version recorded the secrets of its command."""
    command = source.get("command")
    if not isinstance(command, list) or not all(isinstance(word, str) for word in command):
        return source
    masked = list(mask_words(command))
    return source if masked == command else {**source, "command": masked}


def with_objective(source: JsonObject) -> JsonObject:
    """The public form of a run; completed by an objective if an earlier version wrote it.

    Those recorded the lowest training loss without smoothing it.
    """
    if "objective" in source:
        return source
    metrics, best = (value if isinstance(value := source.get(key), dict) else {} for key in ("metrics", "best"))
    best = {name: value for name, value in best.items() if not is_smoothed(name)}
    return {**source, "best": best, "objective": _objective(default_objective(metrics), metrics, best)}


def holds_of(run: Run, decided: Sequence[JsonObject]) -> Sequence[JsonObject]:
    """Why a queued run waits, also before a supervisor has decided about a Slurm run, or where none lives."""
    if decided or run.spec.launcher != SLURM or not isinstance(run.state, Queued):
        return decided
    from backprop_tui.domain.governor.reasons import Check, HoldReason  # only needed for Slurm runs

    job = run.submitted_job
    state = "not submitted yet" if job is None or job.id is None else "submitted"
    return [encode(HoldReason(check=Check.SLURM, message=f"Slurm: {state}"))]


def with_holds(record: JsonObject, run: Run, holds: Sequence[JsonObject]) -> JsonObject:
    """The public form of a queued run, made with other reasons that hold it."""
    return {**record, "hold_reasons": list(holds), "reason": _reason(run, None, holds), "slurm": _slurm(run, holds)}


def _reason(run: Run, live: Live | None, holds: Sequence[JsonObject]) -> str | None:
    if isinstance(run.state, Queued | Ended):
        return str(holds[0]["message"]) if holds and isinstance(run.state, Queued) else run.state.reason
    if live is None:
        return None
    if live.stopping is not None:
        return live.stopping.reason
    if live.postponed is not None:
        return f"{live.postponed.reason}, after its next checkpoint"
    if live.pause is not None:
        return live.pause.reason
    return None if live.script_end is None else live.script_end.message


def _public_attempt(fields: JsonObject) -> JsonObject:
    seconds = fields["running_seconds"] + fields["paused_seconds"]
    return {**_select(fields, _PUBLIC_ATTEMPT), "duration_seconds": round(seconds, 3)}


def _select(source: JsonObject, names: Iterable[str]) -> JsonObject:
    return {name: source[name] for name in names}


def _without(source: JsonObject, names: Container[str]) -> JsonObject:
    return {name: value for name, value in source.items() if name not in names}


def encode_run(run: Run, run_folder: str) -> JsonObject:
    """Returns the content of run.json: the public form, and under "record" what only this program needs."""
    fields = encode(run)
    record = {
        **_select(fields, _PRIVATE),
        "spec": _without(fields["spec"], _PUBLIC_SPEC),
        "attempts": [_without(attempt, _PUBLIC_ATTEMPT) for attempt in fields["attempts"]],
        "host": run.host,
        "timebox_seconds": timebox_seconds(run),
    }
    return {"schema_version": SCHEMA_VERSION, **public(run, run_folder), "record": record}


def decode_run(path: str, source: JsonObject) -> Run:
    """The inverse of `encode_run`, for the object read from `path`. Raises: BrokenRecord."""
    version = source.get("schema_version")
    if version != SCHEMA_VERSION:
        raise BrokenRecord(path, f"schema_version {version!r} is not {SCHEMA_VERSION}: written by another version")
    try:
        record = nested(source.get("record"), "record")
        halves = (items(part.get("attempts"), "attempts") for part in (source, record))
        attempts = [{**shown, **kept} for shown, kept in zip(*halves, strict=True)]
        spec = {**nested(record.get("spec"), "spec"), **_select(source, _PUBLIC_SPEC)}
        return decode(Run, {**with_objective(source), **record, "spec": spec, "attempts": attempts})
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise BrokenRecord(path, str(error)) from error


def encode_request(request: Request) -> bytes:
    """Returns a line of requests.jsonl, without its newline."""
    return json.dumps(_encode_request(request)).encode("ascii")


def decode_request(line: bytes) -> Request | None:
    """Returns the request in a line; None if this version does not understand it."""
    try:
        return cast("Request", _decode_request(json.loads(line), "request"))
    except (ValueError, RecursionError):
        return None
