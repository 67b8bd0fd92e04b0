"""The options of a run as a flat table, for comparing runs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from backprop_tui.domain.arguments import named_values
from backprop_tui.domain.formatting import minutes
from backprop_tui.domain.run import Run, Spec
from backprop_tui.domain.word_set import word_set
from backprop_tui.store.fields import JsonObject

# Shown elsewhere, or different without meaning.
_LEFT_OUT = word_set("command script cwd framework key after process understood_flags env resume_channel objective")
NOT_SET = "not set"
_TIMES = frozenset({"max_run_seconds", "total_seconds", "until", "checkpoint_every_seconds"})


def options_of(record: JsonObject, run: Run | None) -> dict[str, str]:
    """Returns each option that was set with its value; `run` is None if only the index knows it."""
    git = record["git"]
    options = {
        "script": _shown(record["script"]),
        "program": record["command"][0] if record["command"] else "",  # perhaps the script's interpreter
        **arguments_of(record),
        "directory": _shown(record["cwd"]),
        "framework": _shown(record["framework"]),
        "host": _shown(record["host"]),
        "priority": _shown(record["priority"]),
        "tags": ", ".join(record["tags"]),
        "note": _shown(record["note"]),
        "git": "" if git is None else git["commit"][:12] + (" with changes" if git["dirty"] else ""),
        "gpus": ", ".join(str(gpu["index"]) for gpu in record["gpus"]),
    }
    if run is not None:
        options["script's content"] = "" if run.code is None else run.code.sha256[:12]
        options |= {f"--env {name}": "given, not kept" if value is None else value for name, value in run.spec.env}
        options |= _times(run.spec)
        options["objective"] = "" if run.spec.objective is None else str(run.spec.objective)
        options |= {name: _shown(value) for name, value in _flat(asdict(run.spec)) if name not in _LEFT_OUT | _TIMES}
    return {name: value for name, value in options.items() if value}


def _times(spec: Spec) -> dict[str, str]:
    """Returns time limits and goals, with names and units of the configuration."""
    seconds = {
        "max_run_minutes": spec.max_run_seconds,
        "total_minutes": spec.total_seconds,
        "checkpoint_every_minutes": spec.checkpoint_every_seconds,
    }
    limits = {name: minutes(value) for name, value in seconds.items() if value is not None}
    return limits | {"until": ", ".join(map(str, spec.until))}


def arguments_of(record: JsonObject) -> Mapping[str, str]:
    """Returns the arguments of the script, or of the program; `--lr 0.1` and `--lr=0.1` are the same."""
    return named_values(tuple(argument_words(record)))


def argument_words(record: JsonObject) -> Sequence[str]:
    """Returns the words after the script, or after the program."""
    command: Sequence[str] = record["command"]
    script = record["script"]
    return command[command.index(script) + 1 if script in command else 1 :]


def _flat(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        if isinstance(value, dict) and name not in _LEFT_OUT:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)
