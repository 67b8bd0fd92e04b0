"""The shape of a run's public JSON, on which every command relies; a file of it may be edited or of another version."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from backprop_tui.domain.formatting import shortened, time_or_none
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


def _or_none(fits: Check) -> Check:
    return lambda value: value is None or fits(value)


def _list(fits: Check) -> Check:
    return lambda value: type(value) is list and all(map(fits, value))


def _map(fits: Check) -> Check:
    return lambda value: type(value) is dict and all(map(fits, value.values()))


def _object(**checks: Check) -> Check:
    """An object with these keys; others may be there."""
    pairs = tuple(checks.items())
    return lambda value: type(value) is dict and all(name in value and fits(value[name]) for name, fits in pairs)


_TEXT, _NUMBER, _WHOLE, _TIME = map(_or_none, (_is_text, _is_number, _is_whole, _is_time))
_ATTEMPT = _object(number=_is_whole, started_at=_TIME, ended_at=_TIME, status=_TEXT, exit_code=_WHOLE, signal=_TEXT)
_OBJECTIVE = _object(metric=_is_text, direction=_TEXT, best=_or_none(_is_metric), best_step=_WHOLE, source=_is_text)
_SHAPE: dict[str, Check] = {
    "id": _is_id,
    "status": frozenset(Status).__contains__,
    "name": _is_text,
    "baseline": _is_flag,
    "priority": _is_whole,
    **dict.fromkeys(("reason", "script", "cwd", "launcher", "framework", "host", "group", "note", "signal"), _TEXT),
    **dict.fromkeys(("resumes_by", "log_path"), _TEXT),
    **dict.fromkeys(("command", "tags", "until"), _list(_is_text)),
    **dict.fromkeys(("created_at", "started_at", "ended_at"), _TIME),
    **dict.fromkeys(("step", "total_steps", "total_epochs", "exit_code"), _WHOLE),
    **dict.fromkeys(("epoch", "eta_seconds", "duration_seconds", "paused_seconds"), _NUMBER),
    **dict.fromkeys(("max_run_minutes", "total_run_minutes"), _NUMBER),
    "metrics": _map(_is_metric),
    "best": _map(_object(value=_is_metric, step=_WHOLE)),
    "objective": _or_none(_OBJECTIVE),
    "checkpoints": _list(_object(path=_TEXT, step=_WHOLE, saved_at=_TIME)),
    "shared_directory": _or_none(_object(folder=_is_text, runs=_list(_is_text), files=_list(_is_text))),
    "peak": _object(ram_bytes=_WHOLE, vram_bytes=_WHOLE, temperature_celsius=_NUMBER),
    "resume_check": _or_none(_object(verdict=_is_text, attempt=_is_whole, message=_is_text)),
    "git": _or_none(_object(commit=_is_text, dirty=_or_none(_is_flag))),
    "gpus": _list(_object(index=_is_whole, uuid=_TEXT)),
    "slurm": _or_none(_object(job_id=_TEXT, node=_TEXT)),
    "slice": _or_none(_object(number=_is_whole, of=_WHOLE)),
    "attempts": _list(_ATTEMPT),
    "hold_reasons": _list(_object(check=_is_text, message=_is_text)),
    "cause": _or_none(_object(kind=_is_text, evidence=_TEXT, advice=_TEXT, summary=_TEXT)),
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
    return public(run, "") | dict.fromkeys(("created_at", "ended_at", "cwd", "host", "launcher", "log_path"))
