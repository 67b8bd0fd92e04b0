"""Everything that is known about one run, as sections of named values."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from backprop_tui.domain.formatting import from_iso, gigabytes_up
from backprop_tui.domain.goals import unreported_metric
from backprop_tui.domain.invocation import RESUME_VARIABLE, resumes_by
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.lifecycle import is_sliced, merge_live
from backprop_tui.domain.live import Live
from backprop_tui.domain.resume_verdict import DOUBTFUL, NOTHING_LEFT, ResumeVerdict, attempt_message
from backprop_tui.domain.run import SLURM, ResumeChannel, Run, Spec
from backprop_tui.domain.run_names import spelled
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.shared_files import runs_text
from backprop_tui.domain.slurm import job_options
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.presentation import durations, numbers
from backprop_tui.presentation.advice import advice_lines
from backprop_tui.presentation.known_run import (
    KnownRun,
    Moment,
    limit_seconds,
    progress_of,
    running_seconds,
    share_done,
)
from backprop_tui.presentation.objective import objective_lines
from backprop_tui.presentation.remedies import how_to_change
from backprop_tui.presentation.run_line import output_text, progress_clauses, slice_line
from backprop_tui.presentation.states import (
    cause_of,
    cause_text,
    evidence_text,
    exit_text,
    shared_candidate,
    shared_text,
    status_word,
)
from backprop_tui.presentation.timebox import extend_text, go_on_lines, needs_text, reached_timebox, saved_clauses
from backprop_tui.store.fields import JsonObject

NamedValue = tuple[str, str]
_SHOWN_CHECKPOINTS = _SHOWN_ATTEMPTS = 5
_NO_MODELS: Mapping[str, str] = MappingProxyType({})


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class DetailSection:
    """Named values under a title; an empty name continues the value before."""

    title: str
    lines: tuple[NamedValue, ...]


def detail_sections(
    run: KnownRun, moment: Moment, *, gpu_models: Mapping[str, str] = _NO_MODELS
) -> Iterator[DetailSection]:
    """The sections that have content, the run itself first; `gpu_models` has the name of each GPU by its UUID."""
    record = run.record
    sections = (
        ("Run", _run(run, moment)),
        ("Cause", _cause(record)),
        ("Queue", _queue(run)),
        ("Slurm", _slurm(run, moment)),
        ("Command", _command(record, run.run)),
        ("Hardware", _hardware(run, gpu_models)),
        ("Checkpoints", _checkpoints(record, moment)),
        ("Attempts", _attempts(record, moment)),
        ("Files", _files(record, run.run, run.live)),
    )
    for title, values in sections:
        lines = tuple((name, sanitize(value)) for name, value in values)
        if lines:
            yield DetailSection(title=title, lines=lines)


def _run(run: KnownRun, moment: Moment) -> Iterator[NamedValue]:
    record = run.record
    yield "name", spelled(record["name"])
    yield "id", run.id
    yield "status", status_word(record["status"]) + _how(record)
    yield from _progress(run, moment)
    if run.run is not None and run.status not in ENDED:
        yield from _plan(run, run.run, moment)
    if reached_timebox(record):
        yield "resume", "; ".join(saved_clauses(record))
        yield from (("", line) for line in go_on_lines(record))
    if run.live is not None and run.live.disk_warning is not None:
        yield "warning", run.live.disk_warning
    if record.get("shared_directory"):
        yield (
            "warning",
            "; ".join(filter(None, (shared_text(record), shared_candidate(record) if run.status in ENDED else ""))),
        )
    if run.live is None and record["duration_seconds"] is not None:
        paused = record["paused_seconds"]
        yield (
            "took",
            durations.elapsed(record["duration_seconds"])
            + (f", {durations.elapsed(paused)} of it paused" if paused else ""),
        )
    for name, key in (("queued", "created_at"), ("started", "started_at"), ("ended", "ended_at")):
        at = from_iso(record.get(key))
        if at is not None:
            yield name, f"{durations.clock_of_day(at, moment.wall, seconds=True)} ({durations.ago(moment.wall - at)})"
    check = record.get("resume_check")
    if check:
        yield "resume", _resume(record, check)
    labels = (
        ("group", record["group"] and record["group"] + (", its baseline" if record.get("baseline") else "")),
        ("tags", " ".join(f"#{tag}" for tag in record["tags"])),
        ("note", record["note"]),
        ("priority", record["priority"]),
    )
    yield from ((name, str(value)) for name, value in labels if value)


def _resume(record: JsonObject, check: JsonObject) -> str:
    message = attempt_message(check["attempt"], check["verdict"], check["message"])
    if check["verdict"] == ResumeVerdict.UNKNOWN and check["message"] != NOTHING_LEFT:
        return f"not confirmed: {message}"
    if check["verdict"] not in DOUBTFUL:
        return message
    is_last_slice = record.get("slice") is not None and check["attempt"] == len(record["attempts"])
    return f"! {message}" + ("; no further slice follows" if is_last_slice else "")


def _how(record: JsonObject) -> str:
    """The reason for the status, or else the exit code, in brackets; a cause has a section of its own."""
    exited = exit_text(record) if record.get("exit_code") != 0 else ""
    reason = record.get("reason") if not record.get("cause") and not record["hold_reasons"] else None
    return f" ({exited or reason})" if exited or reason else ""


def _progress(run: KnownRun, moment: Moment) -> Iterator[NamedValue]:
    record, live = run.record, run.live
    share = None if live is None else share_done(live)
    clauses = progress_clauses(*progress_of(run))
    if clauses and share is not None:
        clauses[0] += f" ({numbers.percent_done(share)})"
    eta = None if live is None else live.eta_seconds
    if clauses and eta is not None:
        clauses.append(f"ETA {durations.eta(eta)}, at {durations.clock_of_day(moment.wall + eta, moment.wall)}")
    if clauses:
        yield "progress", ", ".join(clauses)
    metrics = live.metrics if live is not None else record["metrics"]
    if metrics:
        yield "metrics", "  ".join(f"{name} {numbers.metric(value)}" for name, value in metrics.items())
    yield from objective_lines(record)


def _plan(run: KnownRun, record: Run, moment: Moment) -> Iterator[NamedValue]:
    limit = limit_seconds(run)
    used = None if run.live is None else running_seconds(run.live, moment)
    if limit is None:
        yield "timebox", "none" + ("" if used is None else f", {durations.elapsed(used)} so far")
    elif used is None:
        yield "timebox", durations.elapsed(limit)
    else:
        left = durations.remaining(max(0.0, limit - used))
        seconds = 0.0 if run.live is None else run.live.clock.paused_seconds
        paused = f", paused for {durations.elapsed(seconds)}" if seconds else ""
        text = f"{durations.elapsed(used)} of {durations.elapsed(limit)}, {left} left{paused}"
        yield "timebox", text + (_end_of_timebox(run, limit - used, moment) if run.status is Status.RUNNING else "")
    if is_sliced(record.spec):
        yield "slice", slice_line(record)
    doubt = unreported_metric(record.spec.until, run.record["metrics"])
    if doubt is not None:
        yield "warning", doubt


def _end_of_timebox(run: KnownRun, left: float, moment: Moment) -> str:
    """When it ends, and how to extend it if the training will not be complete by then."""
    text = f", ends at {durations.clock_of_day(moment.wall + max(0.0, left), moment.wall)}"
    needs = needs_text(run, moment)
    return f"{text}, {needs}; {extend_text(run, moment)}" if needs else text


def _cause(record: JsonObject) -> Iterator[NamedValue]:
    cause = cause_of(record)
    if not cause:
        return
    text, evidence = cause_text(record), evidence_text(record)
    kind = str(cause["kind"]).replace("_", " ")
    yield "cause", f"{kind}: {text}" if text else kind
    if evidence and cause.get("evidence") != text:
        yield "evidence", evidence
    first, following = advice_lines(record)
    for number, line in enumerate(filter(None, (first, *following))):
        yield "" if number else "advice", line
    if record.get("reason") and record["reason"] != text:
        yield "reason", str(record["reason"])


def _queue(run: KnownRun) -> Iterator[NamedValue]:
    if run.status is not Status.QUEUED:
        return
    if run.queue_position is not None:
        yield "place", f"#{run.queue_position} in the queue of {run.record['host']}"
    for number, reason in enumerate(run.record["hold_reasons"]):
        yield "" if number else "reason", str(reason["message"])
    for line in how_to_change(run.record["hold_reasons"], run.record["id"]):
        yield "", line


def _slurm(run: KnownRun, moment: Moment) -> Iterator[NamedValue]:
    job, spec = run.record.get("slurm") or {}, None if run.run is None else run.run.spec
    if job:
        yield "job", f"{job['job_id'] or 'being submitted'}" + (f" on {job['node']}" if job["node"] else "")
    if job.get("reason"):
        yield "reason", str(job["reason"])
    start = from_iso(job.get("estimated_start"))
    if start is not None:
        yield "start", f"expected at {durations.clock_of_day(start, moment.wall)}"
    if spec is not None and spec.launcher == SLURM:
        words = job_options(spec.slurm, gpus=spec.gpus, limit_minutes=None)
        yield "asks for", shlex.join(words) or "what the cluster gives by default"


def _command(record: JsonObject, run: Run | None) -> Iterator[NamedValue]:
    if record["command"]:
        yield "command", shlex.join(record["command"])
    if record["cwd"]:
        yield "directory", with_tilde(str(record["cwd"]))
    if run is not None and run.spec.python_origin:
        yield "python", run.spec.python_origin
    if run is not None and run.spec.resume_arg is None:
        yield from _resumes_by(run.spec)
    git = record["git"]
    if git:
        yield "git", git["commit"][:12] + (" with changes" if git["dirty"] else "")
    changes = record["attempts"][-1].get("code_changes") if record["attempts"] else None
    if changes:
        yield "warning", str(changes)


def _resumes_by(spec: Spec) -> Iterator[NamedValue]:
    method = resumes_by(spec)
    if method == RESUME_VARIABLE:
        yield "resumes by", f"{method}, which its source reads"
    elif method is not None:
        yield "resumes by", method if method == ResumeChannel.ITSELF else f"{method}, found in its source"
    elif spec.refused_options:
        refused = " ".join(spec.refused_options)
        yield "resumes by", f"{RESUME_VARIABLE} only: the script refused {refused}; --resume-arg sets another option"
    elif is_sliced(spec):
        yield "resumes by", f"{RESUME_VARIABLE} only; --resume-arg passes it as an option"


def _hardware(run: KnownRun, gpu_models: Mapping[str, str]) -> Iterator[NamedValue]:
    record, live = run.record, run.live
    if run.status is Status.QUEUED and record.get("requested_gpus") and record["launcher"] != SLURM:
        yield "GPUs", _requested(record["requested_gpus"])
    for gpu in record.get("gpus") or ():
        yield "GPU", "  ".join(filter(None, (str(gpu["index"]), gpu_models.get(gpu["uuid"]), gpu["uuid"])))
    peak = record["peak"]
    for name, now, highest in (
        ("VRAM", None if live is None else live.vram_bytes, peak["vram_bytes"]),
        ("RAM", None if live is None else live.ram_bytes, peak["ram_bytes"]),
    ):
        values = [numbers.memory_size(now)] if now is not None else []
        values += [f"peak {numbers.memory_size(highest)}"] if highest is not None else []
        if values:
            yield name, ", ".join(values)
    if live is not None and live.cpu_percent is not None:
        yield "CPU", f"{live.cpu_percent / 100:.1f} cores"
    now_celsius = None if live is None else live.temperature_celsius
    temperatures = [numbers.celsius(now_celsius)] if now_celsius is not None else []
    if peak["temperature_celsius"] is not None:
        temperatures.append(f"peak {numbers.celsius(peak['temperature_celsius'])}")
    if temperatures:
        yield "temperature", ", ".join(temperatures)
    yield "host", str(record["host"])


def _requested(asked: JsonObject) -> str:
    """`4, each with 20 GB free`, `2,3, each with 2.5 GB free` if they were named, or `none`."""
    if asked["count"] == 0:
        return "none"
    count = "" if asked["count"] is None else str(asked["count"])
    if asked["ids"]:
        ids = ",".join(asked["ids"])
        text = f"{count} of {ids}" if count and int(count) != len(asked["ids"]) else ids
    else:
        text = count or "1 if the machine has any"
    each = ", each with" if len(asked["ids"]) > 1 or (asked["count"] or 1) > 1 else ", with"
    return text + (f"{each} {gigabytes_up(asked['min_free_bytes'])} GB free" if asked["min_free_bytes"] else "")


def _checkpoints(record: JsonObject, moment: Moment) -> Iterator[NamedValue]:
    checkpoints = record.get("checkpoints") or ()
    for checkpoint in reversed(checkpoints[-_SHOWN_CHECKPOINTS:]):
        saved_at = from_iso(checkpoint.get("saved_at"))
        step = "" if checkpoint.get("step") is None else f"step {numbers.count(checkpoint['step'])}  "
        size = "" if checkpoint.get("size_bytes") is None else f"  {numbers.size(checkpoint['size_bytes'])}"
        verdict = {True: "  intact", False: "  damaged"}.get(checkpoint.get("sound"), "")
        when = "-" if saved_at is None else durations.ago(moment.wall - saved_at)
        shared = checkpoint.get("shared_with")
        verdict += f"  (may be of {runs_text(shared)})" if shared else ""
        yield when, f"{step}{with_tilde(str(checkpoint['path']))}{size}{verdict}"
    if len(checkpoints) > _SHOWN_CHECKPOINTS:
        yield "", f"and {len(checkpoints) - _SHOWN_CHECKPOINTS} older"
    undecided = record.get("shared_directory") or {"files": ()}
    for path in reversed([path for path in undecided["files"] if all(path != saved["path"] for saved in checkpoints)]):
        yield "", f"{with_tilde(str(path))}  (of this run or of {runs_text(undecided['runs'])})"


def _attempts(record: JsonObject, moment: Moment) -> Iterator[NamedValue]:
    for attempt in reversed(record["attempts"][-_SHOWN_ATTEMPTS:]):
        began, ended = from_iso(attempt.get("started_at")), from_iso(attempt.get("ended_at"))
        times = "-" if began is None else durations.clock_of_day(began, moment.wall)
        times += "" if ended is None else f" - {durations.clock_of_day(ended, began or moment.wall)}"
        exited = exit_text(attempt) if attempt.get("exit_code") != 0 else ""
        status = (attempt.get("status") or "running") + (f" ({exited})" if exited else "")
        origin = f"  from {os.path.basename(attempt['resumed_from'])}" if attempt.get("resumed_from") else ""
        yield str(attempt["number"]), f"{times}  {status}{origin}"


def _files(record: JsonObject, run: Run | None, live: Live | None) -> Iterator[NamedValue]:
    merged = None if run is None else merge_live(run, live)
    if merged is not None and merged.attempts and merged.attempt.output_path is not None:
        text = output_text(merged.attempt.output_path, merged.attempt.output_problem)
        yield "output", text.removeprefix("output goes to ")
    if log := record.get("log_path"):
        yield "log", with_tilde(log)
        yield "folder", with_tilde(os.path.dirname(log))


def with_tilde(path: str) -> str:
    """The path with `~` for the home directory of the current user."""
    home = os.path.expanduser("~")
    return "~" + path[len(home) :] if home != "/" and (path == home or path.startswith(home + "/")) else path
