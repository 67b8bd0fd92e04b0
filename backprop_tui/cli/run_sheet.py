"""Everything there is to know of one run, as lines of a name and what it says."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from backprop_tui.cli import figures
from backprop_tui.cli.rows import exit_words
from backprop_tui.cli.words import slice_words
from backprop_tui.domain.governor.figures import plain
from backprop_tui.domain.invocation import resume_arg
from backprop_tui.domain.lifecycle import timebox_seconds
from backprop_tui.domain.live import Live
from backprop_tui.domain.resume_check import DOUBTFUL
from backprop_tui.domain.run import Run
from backprop_tui.domain.slices import is_sliced
from backprop_tui.domain.status import UNFINISHED
from backprop_tui.domain.until import never_told
from backprop_tui.store.fields import JsonObject

Line = tuple[str, str]
_SHOWN_CHECKPOINTS = 5


def sheet(record: JsonObject, *, run: Run | None, live: Live | None, place: int | None, now: float) -> Iterator[Line]:
    """The lines, most important first; `run` None where only the index knows it, `now` is a wall time."""
    yield "run", f"{record['id']}  {record['name']}"
    yield "status", _status(record)
    yield from _reasons(record, place)
    yield from _progress(record, run, live, now)
    yield from _command(record)
    yield from _words(record)
    yield from _checkpoints(record, now)
    yield from _attempts(record)
    yield from _resumes(record, run)
    if record["log_path"]:
        yield "log", record["log_path"]


def _status(record: JsonObject) -> str:
    ended = exit_words(record)
    return str(record["status"]) + (f" ({ended})" if ended and record["exit_code"] != 0 else "")


def _reasons(record: JsonObject, place: int | None) -> Iterator[Line]:
    holds = record["hold_reasons"]
    if place is not None:
        yield "queue", f"number {place}" + (f", priority {record['priority']}" if record["priority"] else "")
    if holds:
        for number, reason in enumerate(holds):
            yield ("" if number else "waits"), str(reason["message"])
    elif record["reason"]:
        yield "reason", str(record["reason"])
    cause = record["cause"]
    if cause:
        words = [str(cause["kind"]).replace("_", " "), cause.get("summary") or cause.get("evidence")]
        yield "cause", ": ".join(str(word) for word in words if word)
        if cause.get("summary") and cause.get("evidence") not in (None, cause["summary"]):
            number = cause.get("line")
            yield "evidence", (f"line {number:,}: " if number else "") + str(cause["evidence"])
        if cause.get("advice"):
            yield "advice", str(cause["advice"])


def _how_far(record: JsonObject) -> str:
    """`step 20 of 60, epoch 0.8333 of 3`; records of older versions and of the original tool know less."""
    parts = []
    for name, key, total_key in (("step", "step", "total_steps"), ("epoch", "epoch", "total_epochs")):
        if record.get(key) is not None:
            of = f" of {record[total_key]}" if record.get(total_key) is not None else ""
            parts.append(f"{name} {plain(record[key])}{of}")
    return ", ".join(parts)


def _progress(record: JsonObject, run: Run | None, live: Live | None, now: float) -> Iterator[Line]:
    progress = _how_far(record)
    if progress:
        yield "progress", progress
    if record["metrics"]:
        yield "metrics", "  ".join(f"{name} {figures.measure(value)}" for name, value in record["metrics"].items())
    yield "time", "; ".join(_times(record, now))
    if run is not None and record["status"] in UNFINISHED:
        yield "timebox", _timebox(run, live)
        if is_sliced(run.spec):
            yield "slice", slice_words(run)
        if (doubt := never_told(run.spec.until, record["metrics"])) is not None:
            yield "warning", doubt
    if live is not None and live.disk_warning is not None:
        yield "warning", live.disk_warning
    if live is not None and live.ram_bytes is not None:
        cpu = "" if live.cpu_percent is None else f", CPU {live.cpu_percent:.0f}% of a core"
        yield "uses", f"RAM {figures.size(live.ram_bytes)}{cpu}{_on_gpus(live.vram_bytes, live.temperature_celsius)}"
    peak = record["peak"]
    if peak["ram_bytes"] is not None:
        on_gpus = _on_gpus(peak["vram_bytes"], peak["temperature_celsius"])
        yield "peak", f"RAM {figures.size(peak['ram_bytes'])}{on_gpus}"
    if record["gpus"]:
        yield "gpus", ", ".join(f"{gpu['index']} ({gpu['uuid']})" for gpu in record["gpus"])


def _on_gpus(vram_bytes: int | None, celsius: float | None) -> str:
    """What the run's fullest GPU holds of it and its hottest one's temperature, as far as they are known."""
    vram = "" if vram_bytes is None else f", VRAM {figures.size(vram_bytes)}"
    return vram if celsius is None else f"{vram}, GPU {plain(celsius)} C"


def _times(record: JsonObject, now: float) -> Iterator[str]:
    if record["duration_seconds"] is not None:
        paused = record["paused_seconds"]
        yield figures.seconds(record["duration_seconds"]) + (
            f", of that {figures.seconds(paused)} paused" if paused else ""
        )
    for word, key in (("queued", "created_at"), ("started", "started_at"), ("ended", "ended_at")):
        if record[key] and not (word == "queued" and record["started_at"]):
            yield f"{word} {figures.moment(record[key])} ({figures.ago(record[key], now)})"


def _timebox(run: Run, live: Live | None) -> str:
    limit = timebox_seconds(run)
    used = "" if live is None else f"{figures.seconds(live.clock.running_seconds)} of "
    return "none" if limit is None else f"{used}{figures.seconds(limit)}"


def _command(record: JsonObject) -> Iterator[Line]:
    if record["command"]:
        yield "command", shlex.join(record["command"])
    if record["cwd"]:
        yield "directory", record["cwd"]
    git = record["git"]
    if git:
        yield "git", git["commit"][:12] + (" with changes" if git["dirty"] else "")
    changes = record["attempts"][-1].get("code_changes") if record["attempts"] else None
    if changes:
        yield "warning", str(changes)


def _words(record: JsonObject) -> Iterator[Line]:
    named: list[tuple[str, Any]] = [
        ("group", record["group"]),
        ("tags", ", ".join(record["tags"])),
        ("note", record["note"]),
        ("host", record["host"]),
    ]
    yield from ((name, str(value)) for name, value in named if value)


def _checkpoints(record: JsonObject, now: float) -> Iterator[Line]:
    kept = record["checkpoints"]
    for number, one in enumerate(reversed(kept[-_SHOWN_CHECKPOINTS:])):
        step = "" if one["step"] is None else f"step {one['step']}, "
        unsound = " (not sound)" if one["sound"] is False else ""
        yield ("" if number else "checkpoint"), f"{step}{figures.ago(one['saved_at'], now)}: {one['path']}{unsound}"
    if len(kept) > _SHOWN_CHECKPOINTS:
        yield "", f"and {len(kept) - _SHOWN_CHECKPOINTS} older"


def _attempts(record: JsonObject) -> Iterator[Line]:
    if len(record["attempts"]) < 2:
        return
    for number, one in enumerate(record["attempts"]):
        ended = exit_words(one)
        status = (one["status"] or "goes on") + (f" ({ended})" if ended and one["exit_code"] != 0 else "")
        origin = f", from {one['resumed_from']}" if one["resumed_from"] else ""
        yield ("" if number else "attempts"), f"{one['number']}  {figures.moment(one['started_at'])}  {status}{origin}"


def _resumes(record: JsonObject, run: Run | None) -> Iterator[Line]:
    """How its script is told of a checkpoint, and whether the newest resume went on."""
    template = None if run is None else resume_arg(run.spec)
    if run is not None and template is not None and run.spec.resume_arg is None:
        yield "resumes by", f"{template}, as its source says"
    check = record.get("resume_check")
    if check:
        warning = "look at it: " if check["verdict"] in DOUBTFUL else ""
        yield "resume", f"{warning}attempt {check['attempt']} {check['message']}"
