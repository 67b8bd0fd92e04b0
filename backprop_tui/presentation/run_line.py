"""One line about a run: why it waits, what it is doing, or how it ended; and one line about each of its events."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from enum import StrEnum

from backprop_tui.domain.formatting import counted, duration, from_iso, plain
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.lifecycle import timebox_seconds
from backprop_tui.domain.limits import continue_below_celsius
from backprop_tui.domain.live import Live, displayed_status
from backprop_tui.domain.metric_names import main_loss
from backprop_tui.domain.objective import best_words, unprinted
from backprop_tui.domain.resume_verdict import DOUBTFUL, ResumeVerdict
from backprop_tui.domain.run import Queued, Run
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.presentation import durations, numbers
from backprop_tui.presentation.advice import advice_lines
from backprop_tui.presentation.known_run import (
    KnownRun,
    Moment,
    kept_per_run,
    last_loss,
    limit_seconds,
    newest_usable,
    running_seconds,
    slice_text,
)
from backprop_tui.presentation.objective import best_of_run, objective_of
from backprop_tui.presentation.states import (
    cause_text,
    checks_of,
    exit_text,
    failed_before_removal,
    is_held_back,
    is_impossible,
    is_problem,
    shared_text,
    status_word,
)
from backprop_tui.presentation.timebox import go_on_lines, key_to_go_on, reached_timebox, saved_clauses, too_short_text
from backprop_tui.store.fields import JsonObject

LAST, BEST = "last:", "best:"  # before the name of a metric: the keys of its columns
_NEXT_SIGNALS = ("stop signal", "TERM", "kill")  # by the stage of the stop sequence
_STATUS_LINE_METRICS = 3
_SILENT_SECONDS = 5.0  # without output, after which the row says so
_EVENT_NAMES = {"held": "waits"}


class Tone(StrEnum):
    PLAIN = "plain"
    MUTED = "muted"
    INFO = "info"
    WARNING = "warning"


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """Clauses, the most important first; if there is no room whole clauses are dropped from the end."""

    clauses: tuple[str, ...]
    tone: Tone = Tone.MUTED
    is_list: bool = False  # clauses of one kind, so that the number of those left out says something


def run_line(run: KnownRun, moment: Moment, *, shown: AbstractSet[str] = frozenset()) -> RunLine | None:
    """Why the run waits, what it is doing or how it ended; None if its progress and metrics say it all.

    Of an ended run the figures are left out that are `shown` in columns, by the keys of `run_fields`.
    """
    match run.status:
        case Status.QUEUED:
            return _queued(run, moment)
        case Status.STARTING:
            return RunLine(clauses=("starting",))
        case Status.RUNNING:
            return _running(run, moment)
        case Status.PAUSED:
            return _paused(run)
        case Status.STOPPING:
            return _stopping(run, moment)
        case _:
            return _ended(run, frozenset(shown))


def reason_text(run: KnownRun, moment: Moment) -> str:
    """As `run_line` in one clause, for where progress and results have columns of their own; may be empty."""
    match run.status:
        case Status.QUEUED:
            clauses = _queued(run, moment).clauses
            place = "" if run.queue_position is None else f"#{run.queue_position} "
            more = f" (+{len(clauses) - 1} more)" if len(clauses) > 1 else ""
            return f"{place}{clauses[0]}{more}"
        case Status.PAUSED:
            return ", ".join(_paused(run).clauses)
        case Status.STOPPING:
            return ", ".join(_stopping(run, moment).clauses)
        case Status.STARTING | Status.RUNNING:
            reason = sanitize(str(run.record.get("reason") or ""))
            return _joined(reason, too_short_text(run, moment), shared_text(run.record))
        case _:
            return _joined(*_end_reasons(run), shared_text(run.record))


def _joined(*clauses: str) -> str:
    return "; ".join(filter(None, clauses))


def _queued(run: KnownRun, moment: Moment) -> RunLine:
    reasons = tuple(sanitize(str(reason.get("message", ""))) for reason in checks_of(run.record["hold_reasons"]))
    if reasons:
        waits = Tone.INFO if is_held_back(run) else Tone.MUTED
        return RunLine(clauses=reasons, tone=Tone.WARNING if is_impossible(run.record) else waits, is_list=True)
    state = None if run.run is None else run.run.state
    reason = sanitize(str(run.record.get("reason") or ""))
    if isinstance(state, Queued):
        reason = sanitize(state.reason or "")
        if state.not_before is not None and state.not_before > moment.wall:
            reason = f"{reason or 'starts'} in {durations.remaining(state.not_before - moment.wall)}"
    ahead = ""
    if run.queue_position is not None:
        ahead = f"behind {counted(run.queue_position - 1, 'run')}" if run.queue_position > 1 else "starts next"
    return RunLine(clauses=(", ".join(filter(None, (reason, ahead))) or "waiting",))


def _running(run: KnownRun, moment: Moment) -> RunLine | None:
    live = run.live
    if live is not None and live.problem is not None:
        return RunLine(clauses=(sanitize(live.problem),), tone=Tone.WARNING)
    if live is not None and live.script_end is not None and live.script_end.message is not None:
        return RunLine(clauses=(sanitize(live.script_end.message),), tone=Tone.INFO)
    if live is not None and (live.step is not None or main_loss(list(live.metrics)) is not None):
        return None
    if live is not None and live.own_log is not None:
        is_read = live.own_log.problem is None
        return RunLine(
            clauses=(output_text(live.own_log.path, live.own_log.problem),),
            tone=Tone.MUTED if is_read else Tone.WARNING,
        )
    attempt = run.run.attempts[-1] if run.run is not None and run.run.attempts else None
    changes = None if attempt is None else attempt.code_changes
    clauses, tone = ((), Tone.MUTED) if changes is None else ((sanitize(changes),), Tone.WARNING)
    if run.written_at is None:
        seconds = 0.0 if attempt is None else moment.wall - attempt.started_at
        silence = f"for {durations.elapsed(seconds)}" if seconds >= _SILENT_SECONDS else "yet"
        return RunLine(clauses=(*clauses, f"no output {silence}"), tone=tone)
    last_output = f"last output {durations.ago(moment.wall - run.written_at)}"
    return RunLine(clauses=(*clauses, "no metrics yet", last_output), tone=tone)


def output_text(path: str, problem: str | None) -> str:
    """`output goes to /path/train.log (read)`: where the output is redirected to."""
    return f"output goes to {sanitize(path)} ({'read' if problem is None else f'nothing can be read: {problem}'})"


def _paused(run: KnownRun) -> RunLine:
    pause = None if run.live is None else run.live.pause
    text = sanitize(pause.reason if pause is not None else str(run.record.get("reason") or "paused"))
    if pause is not None and pause.celsius is not None and run.run is not None:
        # Shorter than the reason: the GPU is named beside the line.
        below = continue_below_celsius(run.run.spec.limits)
        text = f"too hot, {plain(pause.celsius)} °C, continues below {plain(below)}"
    return RunLine(clauses=(text,), tone=Tone.WARNING)


def _stopping(run: KnownRun, moment: Moment) -> RunLine:
    live = run.live
    stopping = None if live is None else live.stopping
    if live is not None and stopping is None and live.postponed is not None:
        at_most = ""
        if live.clock.boot_id == moment.boot_id:
            at_most = f", max {durations.remaining(max(0.0, live.postponed.deadline - moment.monotonic))}"
        by = sanitize(live.postponed.reason).removeprefix("stopped ")
        return RunLine(clauses=(f"at the next checkpoint{at_most}", by), tone=Tone.WARNING)
    if live is None or stopping is None:
        return RunLine(clauses=(sanitize(str(run.record.get("reason") or "stopping")),), tone=Tone.WARNING)
    clauses = [sanitize(stopping.reason).removeprefix("stopped ")]
    if stopping.stage < len(_NEXT_SIGNALS) and live.clock.boot_id == moment.boot_id:
        until = max(0.0, stopping.deadline - moment.monotonic)
        clauses.append(f"{_NEXT_SIGNALS[stopping.stage]} in {durations.remaining(until)}")
    return RunLine(clauses=tuple(clauses), tone=Tone.WARNING)


@kept_per_run
def _ended(run: KnownRun, shown: frozenset[str]) -> RunLine | None:
    record = run.record
    reasons = _end_reasons(run)
    shared = [f"! {shared_text(record)}"] if record.get("shared_directory") else []
    if is_problem(run):
        return RunLine(clauses=(*reasons, *shared), tone=Tone.PLAIN)
    is_timebox = reached_timebox(record)
    clauses: list[str] = []
    check = record.get("resume_check")
    if check and check["verdict"] in DOUBTFUL:
        restarted = check["verdict"] == ResumeVerdict.RESTARTED
        clauses.append("! started over after the resume" if restarted else "! jumped at the resume")
    clauses += [key_to_go_on(record), *reasons] if is_timebox else reasons
    clauses += [*_results(run, shown), *shared]
    changes = record["attempts"][-1].get("code_changes") if record["attempts"] else None
    clauses += [sanitize(str(changes))] if changes else []
    if clauses or (shown and (run.record.get("metrics") or run.record.get("step") is not None)):
        return RunLine(clauses=tuple(clauses)) if clauses else None
    return RunLine(clauses=("no metrics",))


def _end_reasons(run: KnownRun) -> list[str]:
    """Why the run ended, if its status does not say it all."""
    failed = failed_before_removal(run.record)
    if failed is not None:
        return [cause_text(run.record) or str(failed["status"]), "removed from the queue"]
    return [reason] if (reason := _end_reason(run)) else []


def _end_reason(run: KnownRun) -> str:
    if is_problem(run):
        return cause_text(run.record) or run.status.value
    if reached_timebox(run.record):
        limit = limit_seconds(run)
        return "reached its limit" + (f" of {durations.elapsed(limit)}" if limit is not None else "")
    if run.status is Status.STOPPED:
        return sanitize(str(run.record.get("reason") or "")).removeprefix("stopped ")
    return sanitize(str(run.record.get("reason") or ""))


def _results(run: KnownRun, shown: AbstractSet[str]) -> list[str]:
    """Where a resume would continue comes first; for a completed run its metrics come first."""
    record = run.record
    newest = None if run.status is Status.COMPLETED or reached_timebox(record) else newest_usable(record)
    has_step = record.get("step") is not None and "step" not in shown
    step = [f"step {numbers.count(record['step'])}"] if has_step else []
    if newest is None:
        return [*_losses(run, shown), *step]
    at = newest.get("step")
    checkpoint = "checkpoint" + ("" if at is None else f" {numbers.count(at)}")
    return [*step, checkpoint, "r resume", *_losses(run, shown)]


def _losses(run: KnownRun, shown: AbstractSet[str]) -> list[str]:
    """The last loss, and the best value of the objective if that is another figure."""
    name = main_loss(list(run.record.get("metrics") or {}))
    last = None if name is None else numbers.metric(last_loss(run))
    clauses = [] if last is None or not shown.isdisjoint(("loss", f"{LAST}{name}")) else [f"loss {last}"]
    best = best_of_run(run.record)
    if best is not None:
        objective, extreme = best
        value = numbers.metric(extreme.value)
        at = "" if extreme.step is None else f" at {numbers.count(extreme.step)}"
        if (objective.metric, value) != (name, last) and BEST + objective.metric not in shown:
            clauses.append(f"{best_words(objective.metric)} {sanitize(objective.metric)} {value}{at}")
    given = objective_of(run.record)
    if given is not None and unprinted(given, run.record.get("metrics") or ()):
        clauses.append(f"{sanitize(given.metric)} not printed yet")
    return clauses


def end_facts(run: KnownRun, moment: Moment) -> str:
    """How long an ended run took and when it ended: `1h16m · 3m ago`."""
    ended = from_iso(run.record.get("ended_at"))
    parts = []
    if run.record.get("duration_seconds") is not None:
        parts.append(durations.elapsed(run.record["duration_seconds"]))
    if ended is not None:
        parts.append(durations.ago(moment.wall - ended))
    return " · ".join(parts)


def event_line(kind: str, message: str) -> str:
    """One event of a run: `paused: GPU 0 too hot, 91 °C`."""
    message, name = sanitize(message), sanitize(_EVENT_NAMES.get(kind, kind).replace("_", " "))
    if not message or message.startswith(name):
        return message or name
    return f"{name}: {message}"


def end_line(record: JsonObject) -> str:
    """How a run ended, why, and what to do: `failed with exit code 3 after 12m04s at step 9,500; ValueError: x`."""
    parts = ["timeboxed, not completed," if reached_timebox(record) else str(record["status"])]
    exited = exit_text(record)
    if record["status"] == Status.FAILED:
        parts.append(f"with {exited}" if exited.startswith("exit code") else exited or "before it started")
    if record.get("duration_seconds") is not None:
        parts.append(_after(record))
    parts += [f"at {clause}" for clause in progress_clauses(record.get("step"), None, record.get("epoch"), None)[:1]]
    reason = str(record.get("reason") or "").removeprefix(exited).lstrip(",: ")  # parts have it already
    advice, following = advice_lines(record)
    failed = failed_before_removal(record)
    before = "" if failed is None else ": ".join(filter(None, (f"it had {failed['status']}", cause_text(record))))
    clauses = [" ".join(parts), reason, before, advice, shared_text(record)]
    if reached_timebox(record):
        clauses += saved_clauses(record)
        # The original tool's runs have no log, and cannot be resumed.
        following += go_on_lines(record) if record.get("log_path") else []
    return "\n  ".join([_joined(*clauses), *following])


def _after(record: JsonObject) -> str:
    """`after 12m04s`, or of several attempts the last one and all: `after 3m (15m04s in total)`."""
    total, attempts = durations.elapsed(record["duration_seconds"]), record["attempts"]
    seconds = attempts[-1].get("duration_seconds") if len(attempts) > 1 else None
    return f"after {total}" if seconds is None else f"after {durations.elapsed(seconds)} ({total} in total)"


def following_line(runs: Sequence[tuple[Run, Live | None]], moment: Moment, waits_for: str = "") -> str:
    """The status line while runs are followed: everything about a single run, else how many are in which state."""
    if len(runs) == 1:
        return _followed(*runs[0], moment, waits_for)
    statuses = [displayed_status(run, live) for run, live in runs]
    unfinished = [status for status in dict.fromkeys(statuses) if status not in ENDED]
    counts = [f"{statuses.count(status)} {status_word(status)}" for status in unfinished]
    ended = sum(status in ENDED for status in statuses)
    return "  ".join([counted(len(runs), "run"), *counts, *([f"{ended} ended"] if ended else [])])


def _followed(run: Run, live: Live | None, moment: Moment, waits_for: str) -> str:
    parts = [run.label, status_word(displayed_status(run, live))]
    if isinstance(run.state, Queued):
        parts.append(durations.elapsed(max(0.0, moment.wall - run.state.since)))
        parts += [sanitize(waits_for)] if waits_for else []
    elif live is not None:
        limit = timebox_seconds(run)
        time_used = durations.elapsed(running_seconds(live, moment))
        parts.append(time_used + ("" if limit is None else f" of {durations.elapsed(limit)}"))
        parts += progress_clauses(live.step, live.total_steps, live.epoch, live.total_epochs)[:1]
        parts += [
            f"{name} {numbers.metric(value)}" for name, value in list(live.metrics.items())[:_STATUS_LINE_METRICS]
        ]
        if live.stopping is not None:
            parts.append(live.stopping.reason)
        elif live.postponed is not None:
            parts.append(f"{live.postponed.reason}, after the next checkpoint")
        elif live.pause is not None:
            parts.append(live.pause.reason)
        elif live.script_end is not None and live.script_end.message is not None:
            parts.append(live.script_end.message)
        parts += [] if live.problem is None else [live.problem]
    return "  ".join(parts)


def progress_clauses(
    step: float | None, total_steps: float | None, epoch: float | None, total_epochs: float | None
) -> list[str]:
    """`step 9,500 of 10,000` and `epoch 1.5 of 3`, as far as they are known."""
    clauses = []
    if step is not None:
        clauses.append(f"step {numbers.count(step)}" + (f" of {numbers.count(total_steps)}" if total_steps else ""))
    if epoch is not None:
        clauses.append(f"epoch {epoch:.4g}" + (f" of {total_epochs}" if total_epochs is not None else ""))
    return clauses


def slice_line(run: Run) -> str:
    """`2 of 12, 2h total, until step=10000`: the plan of a run that is trained in slices."""
    clauses = [slice_text(run).replace("/", " of ")] if slice_text(run) else []
    if run.spec.total_seconds is not None:
        clauses.append(f"{duration(run.spec.total_seconds)} total")
    if run.spec.until:
        clauses.append(f"until {' or '.join(map(str, run.spec.until))}")
    return ", ".join(clauses)
