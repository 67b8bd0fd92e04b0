"""The shape of a run's public JSON, on which every command relies; a file of it may be edited or of another version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Any

from backprop_tui.domain.formatting import shortened, time_or_none
from backprop_tui.domain.metric_names import Direction
from backprop_tui.domain.objective import ObjectiveSource
from backprop_tui.domain.run import Ended, Run, Spec
from backprop_tui.domain.status import Status
from backprop_tui.store.fields import MAX_NUMBER, JsonObject, WrongField
from backprop_tui.store.records import public, with_objective, without_secret_words

Check = Callable[[Any], bool]


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_flag(value: object) -> bool:
    return type(value) is bool


def _is_number(value: object) -> bool:
    return (type(value) is float or type(value) is int) and -MAX_NUMBER < value < MAX_NUMBER


def _is_whole(value: object) -> bool:
    return type(value) is int and -MAX_NUMBER < value < MAX_NUMBER


def _is_metric(value: object) -> bool:
    return type(value) is float or _is_whole(value) or value in ("NaN", "Infinity", "-Infinity")


def _is_time(value: object) -> bool:
    return time_or_none(value) is not None


def _is_id(value: object) -> bool:
    """Whether it can be the name of a directory in `runs`; those of the original tool have none, and may be longer."""
    return isinstance(value, str) and value[:1] not in ("", ".") and "/" not in value and value.isprintable()


def _one_of(kind: type[StrEnum]) -> Check:
    values = frozenset(map(str, kind))
    return lambda value: isinstance(value, str) and value in values


def _or_none(fits: Check) -> Check:
    return lambda value: value is None or fits(value)


def _list(fits: Check) -> Check:
    return lambda value: type(value) is list and all(map(fits, value))


def _map(fits: Check) -> Check:
    return lambda value: type(value) is dict and all(map(fits, value.values()))


def _object(required: Mapping[str, Check], optional: Mapping[str, Check] = MappingProxyType({})) -> Check:
    """An object with these keys; an earlier version may have written it without the optional ones."""
    pairs = (*required.items(), *optional.items())

    def fits(value: Any) -> bool:  # noqa: ANN401 - JSON
        if type(value) is not dict or not value.keys() >= required.keys():
            return False
        return all(name not in value or fits_field(value[name]) for name, fits_field in pairs)

    return fits


_TEXT, _NUMBER, _WHOLE, _TIME = map(_or_none, (_is_text, _is_number, _is_whole, _is_time))
_FLAG, _METRIC, _FIGURE = _or_none(_is_flag), _or_none(_is_metric), lambda value: _TEXT(value) or _is_number(value)
_ATTEMPT = _object(
    {"number": _is_whole, **dict.fromkeys(("started_at", "ended_at"), _TIME), "exit_code": _WHOLE, "signal": _TEXT},
    {"status": _or_none(_one_of(Status)), "resumed_from": _TEXT, "code_changes": _TEXT}
    | {"log_offset": _WHOLE, "duration_seconds": _NUMBER},
)
_CHECKPOINT = _object(
    {"path": _TEXT, "step": _WHOLE, "saved_at": _TIME},
    {"size_bytes": _WHOLE, "sound": _FLAG, "written": _is_flag}
    | dict.fromkeys(("candidates", "shared_with"), _list(_is_text)),
)
_OBJECTIVE = _object(
    {"metric": _is_text, "direction": _or_none(_one_of(Direction)), "source": _one_of(ObjectiveSource)},
    {"best": _METRIC, "best_step": _WHOLE, "last": _METRIC},
)
_RESUME_CHECK = _object(
    {"verdict": _is_text, "attempt": _is_whole, "message": _is_text},
    {
        "metric": _TEXT,
        **dict.fromkeys(("step_before", "step_after"), _WHOLE),
        **dict.fromkeys(("epoch_before", "epoch_after", "loss_before", "loss_after"), _METRIC),
    },
)
_HOLD = _object(
    {"check": _is_text, "message": _is_text},
    {"figure": _FIGURE, "limit": _FIGURE, "gpu": _WHOLE, "setting": _TEXT, "permanent": _is_flag},
)
_CAUSE = _object(
    {"kind": _is_text, "evidence": _TEXT, "advice": _TEXT},
    {"summary": _TEXT, "line": _WHOLE, "retryable": _is_flag, "advised": _or_none(_list(_is_text))},
)
_SHAPE: dict[str, Check] = {
    "id": _is_id,
    "status": _one_of(Status),
    "name": _is_text,
    "baseline": _is_flag,
    "priority": _is_whole,
    **dict.fromkeys(("reason", "script", "cwd", "launcher", "framework", "host", "group", "note", "signal"), _TEXT),
    **dict.fromkeys(("resumes_by", "log_path"), _TEXT),
    **dict.fromkeys(("command", "tags", "until"), _list(_is_text)),
    **dict.fromkeys(("created_at", "started_at", "ended_at"), _TIME),
    **dict.fromkeys(("step", "total_steps", "total_epochs", "exit_code"), _WHOLE),
    **dict.fromkeys(("age_seconds", "epoch", "eta_seconds", "duration_seconds", "paused_seconds"), _NUMBER),
    **dict.fromkeys(("max_run_minutes", "total_run_minutes"), _NUMBER),
    "metrics": _map(_is_metric),
    "best": _map(_object({"value": _is_metric, "step": _WHOLE})),
    "objective": _or_none(_OBJECTIVE),
    "checkpoints": _list(_CHECKPOINT),
    "shared_directory": _or_none(_object({"folder": _is_text, "runs": _list(_is_text), "files": _list(_is_text)})),
    "peak": _object({"ram_bytes": _WHOLE, "vram_bytes": _WHOLE, "temperature_celsius": _NUMBER}),
    "resume_check": _or_none(_RESUME_CHECK),
    "git": _or_none(_object({"commit": _is_text, "dirty": _FLAG})),
    "gpus": _list(_object({"index": _is_whole, "uuid": _TEXT})),
    "requested_gpus": _or_none(_object({"count": _WHOLE, "ids": _list(_is_text), "min_free_bytes": _is_whole})),
    "slurm": _or_none(_object({"job_id": _TEXT, "node": _TEXT, "reason": _TEXT, "estimated_start": _FIGURE})),
    "slice": _or_none(_object({"number": _is_whole, "of": _WHOLE})),
    "attempts": _list(_ATTEMPT),
    "hold_reasons": _list(_HOLD),
    "cause": _or_none(_CAUSE),
}


def checked(key: str, source: object) -> JsonObject:
    """The public JSON that an index has under this id, completed by what an earlier version did not have.

    Raises: WrongField.
    """
    if not isinstance(source, dict) or source.get("id") != key or "status" not in source:
        raise WrongField(f"not an object with the id {shortened(key)} and a status")
    for name, fits in _SHAPE.items():
        if name in source and not fits(source[name]):
            raise WrongField(f"{name} cannot be {shortened(source[name])}")
    record = without_secret_words(with_objective(source))
    return record if record.keys() >= _SHAPE.keys() else {**_blank(), "name": key, **record}


@cache
def _blank() -> JsonObject:
    spec = Spec(command=(), script=None, cwd="", max_run_seconds=None)
    end = Ended(at=0.0, status=Status.LOST)
    run = Run(id="", name="", host="", created_at=0.0, position=0.0, spec=spec, state=end)
    unknown = ("created_at", "ended_at", "cwd", "host", "launcher", "log_path", "requested_gpus")
    return public(run, "") | dict.fromkeys(unknown)
