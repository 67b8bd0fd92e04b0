"""Everything that is known of one run, as sections of named values."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator

from backprop_tui.domain.lifecycle import timebox_seconds
from backprop_tui.domain.live import Live
from backprop_tui.domain.resume_check import DOUBTFUL
from backprop_tui.domain.run import Run
from backprop_tui.domain.slices import is_sliced
from backprop_tui.domain.status import Status
from backprop_tui.domain.times import from_iso
from backprop_tui.domain.values import dataclass
from backprop_tui.store.fields import JsonObject
from backprop_tui.tui.neutral import neutral
from backprop_tui.tui.snapshot import KnownRun, Moment, Snapshot
from backprop_tui.tui.view.causes import cause_words, evidence_words
from backprop_tui.tui.view.run_row import eta_seconds, running_seconds, share_done, slice_words
from backprop_tui.tui.view.states import word_of
from backprop_tui.tui.wording import durations, numbers
from backprop_tui.tui.wording.paths import with_tilde

Named = tuple[str, str]
_SHOWN = 5  # checkpoints and attempts


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A title and its lines."""

    title: str
    lines: tuple[Named, ...]


def sections_of(known: KnownRun, snapshot: Snapshot) -> Iterator[Section]:
    """The sections that have something to say, the run itself first."""
    record, moment = known.record, snapshot.moment
    found = (
        ("Run", _run(known, moment)),
        ("Command", _command(record, known.run)),
        ("Cause", _cause(record)),
        ("Waits", _waits(known)),
        ("Hardware", _hardware(known, snapshot)),
        ("Checkpoints", _checkpoints(record, moment)),
        ("Attempts", _attempts(record)),
        ("Files", _files(record)),
    )
    for title, lines in found:
        section = Section(title=title, lines=tuple((name, neutral(value)) for name, value in lines))
        if section.lines:
            yield section


def _run(known: KnownRun, moment: Moment) -> Iterator[Named]:
    record = known.record
    yield "name", record["name"]
    yield "id", known.id
    yield "state", word_of(known) + (f", {record['reason']}" if record.get("reason") else "")
    if known.run is not None and known.live is not None:
        yield from _progress(known, known.live, moment)
        yield from _timebox(known.run, known.live, moment)
        if known.live.disk_warning is not None:
            yield "warning", neutral(known.live.disk_warning)
    elif record.get("step") is not None:
        yield "progress", f"step {numbers.thousands(record['step'])}"
    if record.get("duration_seconds") is not None and known.live is None:
        paused = record.get("paused_seconds")
        yield (
            "took",
            durations.length(record["duration_seconds"])
            + (f", of that {durations.length(paused)} paused" if paused else ""),
        )
    named = (
        ("group", record["group"]),
        ("tags", " ".join(f"#{tag}" for tag in record["tags"])),
        ("note", record["note"]),
    )
    yield from ((name, str(value)) for name, value in named if value)
    yield "priority", str(record["priority"])
    for name, key in (("queued", "created_at"), ("started", "started_at"), ("ended", "ended_at")):
        at = from_iso(record.get(key))
        if at is not None:
            yield name, f"{durations.day(at)} {durations.clock_with_seconds(at)}"


def _progress(known: KnownRun, live: Live, moment: Moment) -> Iterator[Named]:
    if live.step is None and live.epoch is not None:
        of = "" if live.total_epochs is None else f" of {live.total_epochs}"
        yield "progress", f"epoch {live.epoch:g}{of}"
    if live.step is not None:
        of = "" if not live.total_steps else f" of {numbers.goal(live.total_steps)}"
        share = share_done(live)
        eta = eta_seconds(known, live)
        ends = "" if eta is None else f", ends about {durations.clock(moment.wall + eta)}"
        done = "" if share is None else f" ({numbers.percent_done(share)})"
        epoch = "" if live.epoch is None else f", epoch {live.epoch:g}"
        epoch += "" if live.epoch is None or live.total_epochs is None else f" of {live.total_epochs}"
        yield "progress", f"step {numbers.count(live.step)}{of}{done}{epoch}{ends}"
    if live.metrics:
        yield "metrics", "  ".join(f"{name} {numbers.metric(value)}" for name, value in live.metrics.items())


def _timebox(run: Run, live: Live, moment: Moment) -> Iterator[Named]:
    used, limit = running_seconds(live, moment), timebox_seconds(run)
    if limit is None:
        yield "timebox", f"none, {durations.length(used)} so far"
    else:
        left = durations.left(max(0.0, limit - used))
        paused = f", paused {durations.length(live.clock.paused_seconds)}" if live.clock.paused_seconds else ""
        yield "timebox", f"{durations.length(used)} of {durations.length(limit)}, {left} left{paused}"
    if is_sliced(run.spec):
        yield "slices", ", ".join(_slice_clauses(run))


def _slice_clauses(run: Run) -> Iterator[str]:
    if words := slice_words(run):
        yield words.replace("/", " of ")
    if run.spec.total_seconds is not None:
        yield f"{durations.length(run.spec.total_seconds)} in all"
    if run.spec.until:
        yield f"until {' or '.join(map(str, run.spec.until))}"


def _command(record: JsonObject, run: Run | None) -> Iterator[Named]:
    if record["command"]:
        yield "command", shlex.join(record["command"])
    yield "in", with_tilde(str(record["cwd"] or "-"))
    if run is not None and run.spec.python_origin:
        yield "python", run.spec.python_origin
    git = record["git"]
    if git:
        yield "git", git["commit"][:12] + (" with changes" if git["dirty"] else "")
    changes = record["attempts"][-1].get("code_changes") if record["attempts"] else None
    if changes:
        yield "warning", str(changes)


def _cause(record: JsonObject) -> Iterator[Named]:
    cause = record.get("cause") or {}
    if not cause:
        return
    yield "kind", str(cause["kind"]).replace("_", " ")
    for name, text in (
        ("what", cause_words(record)),
        ("evidence", evidence_words(record)),
        ("advice", cause["advice"]),
    ):
        if text:
            yield name, str(text)


def _waits(known: KnownRun) -> Iterator[Named]:
    if known.status is not Status.QUEUED:
        return
    if known.place is not None:
        yield "place", f"#{known.place} in the queue of {known.record['host']}"


def _hardware(known: KnownRun, snapshot: Snapshot) -> Iterator[Named]:
    record, live = known.record, known.live
    models = {} if snapshot.sample is None else {gpu.uuid: gpu.name for gpu in snapshot.sample.readings.gpus}
    for gpu in record.get("gpus") or ():
        yield "GPU", f"{gpu['index']}  {models.get(gpu['uuid'], '')}  {gpu['uuid']}"
    peak = record["peak"]
    for name, now, most in (
        ("VRAM", None if live is None else live.vram_bytes, peak["vram_bytes"]),
        ("RAM", None if live is None else live.ram_bytes, peak["ram_bytes"]),
    ):
        shown = [numbers.size(now)] if now is not None else []
        shown += [f"peak {numbers.size(most)}"] if most is not None else []
        if shown:
            yield name, ", ".join(shown)
    if live is not None and live.cpu_percent is not None:
        yield "CPU", f"{live.cpu_percent / 100:.1f} cores"
    if peak["temperature_celsius"] is not None:
        yield "hottest", f"{peak['temperature_celsius']:.0f} C"
    yield "host", str(record["host"])


def _checkpoints(record: JsonObject, moment: Moment) -> Iterator[Named]:
    kept = record.get("checkpoints") or ()
    for one in reversed(kept[-_SHOWN:]):
        at = from_iso(one.get("saved_at"))
        sound = {True: "  sound", False: "  not sound"}.get(one.get("sound"), "")
        size = "" if one.get("size_bytes") is None else f"  {numbers.size(one['size_bytes'])}"
        when = "-" if at is None else f"{durations.ago(moment.wall - at)} ago"
        yield when, f"{os.path.basename(one['path'])}{size}{sound}"
    if len(kept) > _SHOWN:
        yield "", f"and {len(kept) - _SHOWN} older"


def _attempts(record: JsonObject) -> Iterator[Named]:
    check = record.get("resume_check")
    for one in reversed(record["attempts"][-_SHOWN:]):
        began, ended = from_iso(one.get("started_at")), from_iso(one.get("ended_at"))
        until = "" if ended is None else f" - {durations.clock(ended)}"
        origin = f"  from {os.path.basename(one['resumed_from'])}" if one.get("resumed_from") else ""
        when = "-" if began is None else durations.clock(began) + until
        yield str(one["number"]), f"{when}{origin}  {one.get('status') or 'goes on'}"
        if check and check["attempt"] == one["number"]:
            yield "", f"{'! ' if check['verdict'] in DOUBTFUL else ''}{check['message']}"


def _files(record: JsonObject) -> Iterator[Named]:
    log = record.get("log_path")
    if log:
        yield "log", with_tilde(log)
        yield "folder", with_tilde(os.path.dirname(log))
