"""The words of `run` that make a request, and the requests that were made last."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from backprop_tui.client.run_request import NO_LIMIT, RunOptions, RunRequest, WarningSignal
from backprop_tui.domain.errors import BackpropError
from backprop_tui.domain.limits import GIGABYTE, MemoryLimit
from backprop_tui.domain.secrets import mask_words
from backprop_tui.domain.thresholds import THRESHOLDS
from backprop_tui.store.files import read_bytes, write_atomically
from backprop_tui.store.home import Home
from backprop_tui.store.locks import try_lock

_MAX_COMMANDS = 50
_MAX_BYTES = 200_000
_LOCK_TRIES, _LOCK_SECONDS = 20, 0.001


def _plain(value: float) -> str:
    return f"{value:.15g}"


def _minutes(seconds: float) -> str:
    return "none" if seconds == NO_LIMIT else _plain(seconds / 60)


def _memory(limit: MemoryLimit) -> str:
    return _plain((limit.bytes or 0) / GIGABYTE) if limit.fraction is None else f"{_plain(limit.fraction * 100)}%"


def _signal(name: str) -> str:
    return name.removeprefix("SIG")


def _warning(warning: WarningSignal) -> str:
    return "none" if warning.name is None else f"{_signal(warning.name)}@{_plain(warning.seconds)}"


# For each field of a request its option, and the text of its value; a field with several values is repeated.
_OPTIONS: Mapping[str, tuple[str, Callable[[Any], str]]] = {
    "name": ("--name", str),
    "group": ("--group", str),
    "tags": ("--tag", str),
    "note": ("--note", str),
    "priority": ("--priority", str),
    "objective": ("--objective", str),
    "max_run_seconds": ("-m", _minutes),
    "total_seconds": ("--total-minutes", _minutes),
    "until": ("--until", str),
    "gpus": ("--gpus", str),
    "gpu_ids": ("--gpu-ids", ",".join),
    "gpu_memory_limit": ("--gpu-memory-limit", _memory),
    **{name: (known.option, known.shown) for name, known in THRESHOLDS.items()},
    "gpu_probe": ("--gpu-probe", str),
    "after": ("--after", str),
    "retries": ("--retries", str),
    "launcher": ("--launcher", str),
    **{f"slurm_{name}": (f"--slurm-{name}", str) for name in ("partition", "account", "qos", "constraint", "gres")},
    "slurm_cpus": ("--slurm-cpus", str),
    "slurm_memory_gb": ("--slurm-memory-gb", _plain),
    "slurm_extra": ("--slurm-extra", str),
    "resume_from": ("--resume-from", str),
    "resume_arg": ("--resume-arg", str),
    "checkpoint_every_seconds": ("--checkpoint-every-minutes", _minutes),
    "checkpoint_globs": ("--checkpoint-glob", str),
    "cwd": ("--cwd", str),
    "python": ("--python", str),
    "env": ("--env", "=".join),
    "framework": ("--framework", str),
    "stop_signal": ("--stop-signal", _signal),
    "grace_seconds": ("--grace-seconds", _plain),
    "warn_signal": ("--warn-signal", _warning),
    "leftovers": ("--leftovers", str),
    "sweep": ("--sweep", lambda axis: f"{axis.key}={','.join(axis.values)}"),
}
OPTION_NAMES = frozenset(option for option, _ in _OPTIONS.values())
_REPEATED = frozenset({"slurm_extra", "tags", "until", "after", "checkpoint_globs", "env", "sweep"})


def option_pairs(request: RunOptions) -> Iterator[tuple[str, str]]:
    """Each option of a request with its value, as they are given to `run`."""
    for name, (option, text) in _OPTIONS.items():
        value = getattr(request, name, None)
        values: Iterable[Any] = value or () if name in _REPEATED else () if value is None else (value,)
        yield from ((option, text(item)) for item in values)


def command_words(request: RunRequest) -> tuple[str, ...]:
    """What follows the options of `run`."""
    if request.script is None:
        return ("--", *(request.command or ()))
    return (request.script, *(("--", *request.arguments) if request.arguments else ()))


def request_words(request: RunRequest) -> tuple[str, ...]:
    """The words that follow `run`; a value that begins with a dash is joined to its option."""
    words: list[str] = []
    for option, value in option_pairs(request):
        words += [f"{option}={value}"] if value.startswith("-") else [option, value]
    return (*words, *command_words(request))


def recent_commands(home: Home) -> list[tuple[str, ...]]:
    """The words of the newest commands that were queued, newest first; none if they cannot be read."""
    try:
        entries = json.loads(read_bytes(home.commands) or b"[]")
    except (BackpropError, ValueError):
        return []
    lists = entries if isinstance(entries, list) else []
    return [tuple(words) for words in lists if isinstance(words, list) and all(isinstance(word, str) for word in words)]


def remember_command(home: Home, request: RunRequest) -> None:
    """Adds a request to the recent commands, without the values of variables and secrets.

    They are a convenience: if they cannot be written, or others write them all the time, nothing is added.
    """
    words = mask_words(request_words(replace(request, env=(), note=None)))
    with suppress(BackpropError, OSError):
        for _ in range(_LOCK_TRIES):
            lock = try_lock(f"{home.commands}.lock")
            if lock is not None:
                break
            time.sleep(_LOCK_SECONDS)
        else:
            return
        with lock:
            others = [entry for entry in recent_commands(home) if entry != words]
            content = json.dumps([words, *others[: _MAX_COMMANDS - 1]]).encode()
            if len(content) <= _MAX_BYTES:
                write_atomically(home.commands, content, durable=False)
