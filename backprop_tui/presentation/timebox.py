"""When the timebox of a run ends, what was saved by then, and the command to go on."""

from __future__ import annotations

import math
import os
import shlex

from backprop_tui.domain.formatting import duration, from_iso, minutes, time_or_none
from backprop_tui.domain.lifecycle import MIN_SLICE_SHARE
from backprop_tui.domain.run import TIMEBOX_END, ResumeChannel, Run
from backprop_tui.domain.status import Status
from backprop_tui.presentation import durations, numbers
from backprop_tui.presentation.known_run import (
    KnownRun,
    Moment,
    exceeds_timebox,
    limit_seconds,
    newest_usable,
    running_seconds,
    slice_text,
)
from backprop_tui.presentation.states import undecided_text
from backprop_tui.store.fields import JsonObject

MORE_SLICES = 5


def too_short_text(run: KnownRun, moment: Moment) -> str:
    """`ends at 10m, needs about 2h` of an active run; empty without an ETA, or if it will be done in time."""
    needs = needs_text(run, moment)
    return f"ends at {durations.elapsed(limit_seconds(run))}, {needs}" if needs else ""


def needs_text(run: KnownRun, moment: Moment) -> str:
    """`needs about 2h` from the start of the attempt, if that is more than the timebox."""
    if not exceeds_timebox(run, moment):
        return ""
    needed = durations.eta(_needed_seconds(run, moment))
    return "needs a little more" if needed == durations.elapsed(limit_seconds(run)) else f"needs about {needed}"


def extend_text(run: KnownRun, moment: Moment) -> str:
    """The command that makes the timebox of a running run long enough for its ETA, in steps of ten minutes."""
    needed = 10 * math.ceil(_needed_seconds(run, moment) / 600)
    return f"to extend it: backprop-tui edit {run.id} -m {needed}"


def _needed_seconds(run: KnownRun, moment: Moment) -> float:
    """From the start of the attempt to the end of the training."""
    return 0.0 if run.live is None else running_seconds(run.live, moment) + (run.live.eta_seconds or 0.0)


def ends_text(event: JsonObject, at: str | None, now: float) -> str:
    """`ends in 10m at 14:32`, from an event at that time with `ends_at`; empty without a timebox."""
    ends_at, since = time_or_none(event.get("ends_at")), time_or_none(at)
    if ends_at is None or since is None:
        return ""
    return f"ends in {duration(ends_at - since)} at {durations.clock_of_day(ends_at, now)}"


def start_text(event: JsonObject, message: str, at: str | None, run: Run, now: float) -> str:
    """`attempt 2, slice 2 of 6, 50m of 1h left, ends in 10m at 14:42`."""
    position = event.get("slice") or {}
    clauses = [message]
    if position:
        clauses.append(_slice_name(position["number"], position["of"]))
        clauses += total_left(run) if run.attempts and run.attempt.number == event.get("attempt") else []
    return ", ".join(filter(None, (*clauses, ends_text(event, at, now))))


def slice_end_text(record: JsonObject, message: str, run: Run, position: int | None) -> str:
    """`slice ended: reached its limit of 10m; checkpoint at step 900, ...; next: slice 2 of 6, 50m of 1h left`.

    `position` is that of the run in the queue, counted from 1; None: unknown.
    """
    ahead = {None: "queued", 1: "starts next"}.get(position, f"behind {(position or 1) - 1} in the queue")
    number, _, total = slice_text(run).partition("/")
    following = ", ".join([_slice_name(number, total or None), *total_left(run), ahead])
    return f"slice ended: {message}; {saved_text(record, run.last_end)}; next: {following}"


def _slice_name(number: object, of: object) -> str:
    return f"slice {number}" + ("" if of is None else f" of {of}")


def total_left(run: Run) -> list[str]:
    """`1h in total` before the first slice, then `50m of 1h left`; nothing without a total."""
    total = run.spec.total_seconds
    if total is None:
        return []
    used = sum(attempt.running_seconds for attempt in run.attempts if attempt.ended_at is not None)
    return [f"{duration(total - used)} of {duration(total)} left" if used else f"{duration(total)} in total"]


def reached_timebox(record: JsonObject) -> bool:
    """Whether the run ended at its timebox before it had completed or reached its goal."""
    if record["status"] != Status.TIMEBOXED:
        return False
    return not record.get("until") or str(record.get("reason") or "").startswith(TIMEBOX_END)


def saved_text(record: JsonObject, ended_at: float | None) -> str:
    """`checkpoint at step 9,000, saved 12s before the end`; or that there is none, and what a resume does then."""
    newest = newest_usable(record)
    if newest is None:
        finds_itself = record.get("resumes_by") == ResumeChannel.ITSELF
        saved = undecided_text(record) or "no checkpoint was found"
        return saved + ("" if finds_itself else ", so a resume begins again")
    step, saved_at = newest.get("step"), from_iso(newest.get("saved_at"))
    name = os.path.basename(str(newest["path"]).rstrip("/")) if step is None else f"at step {numbers.count(step)}"
    age = "" if saved_at is None or ended_at is None else f", saved {_age(ended_at - saved_at)}"
    return f"checkpoint {name}{age}" + ("" if newest.get("sound") else ", not checked")


def _age(seconds: float) -> str:
    return "just before the end" if seconds < 1 else f"{durations.age(seconds)} before the end"


def key_to_go_on(record: JsonObject) -> str:
    """`saved step 9,000, r resumes`, for the dashboard."""
    newest, total = newest_usable(record), record.get("total_run_minutes")
    if newest is None:
        return f"{undecided_text(record) or 'no checkpoint'}, r starts over"
    step = newest.get("step")
    saved = "saved" if step is None else f"saved step {numbers.count(step)}"
    if total is not None and _is_total_used(record, total):
        return f"{saved}, its {duration(60 * total)} are used up"  # which `r` cannot change
    return f"{saved}, r resumes"


def resume_command(record: JsonObject) -> str:
    """The command that goes on with a run after its timebox."""
    command, newest = f"backprop-tui resume {record['id']}", newest_usable(record)
    if newest is None:
        return f"{command} -m none"
    if newest.get("candidates"):
        command += f" --resume-from {shlex.quote(str(newest['candidates'][0]))}"
    if record.get("resumes_by") is None:
        command += " --resume-arg '--your-flag {path}'"
    total = record.get("total_run_minutes")
    if total is not None and _is_total_used(record, total):
        command += f" --total-minutes {minutes(120 * total)}"
    return command


def saved_clauses(record: JsonObject) -> list[str]:
    """What was saved before the timebox ended, and what keeps a resume from using it."""
    newest = newest_usable(record)
    clauses = [saved_text(record, from_iso(record.get("ended_at")))]
    if newest is not None and newest.get("candidates"):
        names = ", ".join(os.path.basename(str(path)) for path in newest["candidates"])
        clauses.append(f"choose one of {names}")
    if newest is not None and record.get("resumes_by") is None:
        clauses.append("no option that takes a checkpoint was found in the source of the script")
    return clauses


def go_on_lines(record: JsonObject) -> list[str]:
    """`to go on: backprop-tui resume ID`, `(10m more; -m none: no limit; --total-minutes 60: in slices)`."""
    line, limit = f"to go on: {resume_command(record)}", record.get("max_run_minutes")
    is_in_slices = record.get("total_run_minutes") is not None or bool(record.get("until"))
    if newest_usable(record) is None or limit is None or is_in_slices:
        return [line]
    total = limit * (round(_used_minutes(record) / limit) + MORE_SLICES)
    return [line, f"({duration(60 * limit)} more; -m none: no limit; --total-minutes {minutes(60 * total)}: in slices)"]


def _is_total_used(record: JsonObject, total: float) -> bool:
    return total - _used_minutes(record) <= MIN_SLICE_SHARE * float(record.get("max_run_minutes") or 0.0)


def _used_minutes(record: JsonObject) -> float:
    return (float(record.get("duration_seconds") or 0.0) - float(record.get("paused_seconds") or 0.0)) / 60
