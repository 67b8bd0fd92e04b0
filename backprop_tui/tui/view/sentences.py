"""What a row says where it has no figures: why the run waits, what it is doing, how it ended."""

from __future__ import annotations

import re

from backprop_tui.domain.governor.active import BY_HEAT
from backprop_tui.domain.governor.figures import counted
from backprop_tui.domain.governor.reasons import Check
from backprop_tui.domain.lifecycle import timebox_seconds
from backprop_tui.domain.live import Postponed
from backprop_tui.domain.metric_names import main_loss
from backprop_tui.domain.resume_check import DOUBTFUL, Verdict
from backprop_tui.domain.run import Queued
from backprop_tui.domain.status import Status
from backprop_tui.domain.times import from_iso
from backprop_tui.domain.values import dataclass
from backprop_tui.store.fields import JsonObject
from backprop_tui.tui.neutral import neutral
from backprop_tui.tui.snapshot import KnownRun, Moment
from backprop_tui.tui.view.causes import cause_words
from backprop_tui.tui.view.states import is_problem
from backprop_tui.tui.view.tokens import Token
from backprop_tui.tui.wording import durations, numbers

_HOT_GPU = re.compile(r"^GPU \d+ at ")  # which one, another column says
_NEXT_SIGNALS = ("stop signal", "TERM", "kill")  # by the stage before them


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """Clauses, the most important first; whole ones drop where there is no room."""

    clauses: tuple[str, ...]
    token: Token = Token.MUTED


def sentence_of(run: KnownRun, moment: Moment) -> Sentence | None:
    """None where the figures say all there is to say."""
    match run.status:
        case Status.QUEUED:
            return _waiting(run, moment)
        case Status.STARTING:
            return Sentence(clauses=("starting",))
        case Status.RUNNING:
            return _running(run, moment)
        case Status.PAUSED:
            return _paused(run)
        case Status.STOPPING:
            return _stopping(run, moment)
        case _:
            return _ended(run)


def _waiting(run: KnownRun, moment: Moment) -> Sentence:
    reasons = [neutral(str(one.get("message", ""))) for one in run.record["hold_reasons"]]
    if reasons:
        awaited = [one.get("check") == Check.DEPENDENCY for one in run.record["hold_reasons"]]
        return Sentence(clauses=tuple(reasons), token=Token.MUTED if all(awaited) else Token.INFO)
    state = None if run.run is None else run.run.state
    clauses: list[str] = []
    if isinstance(state, Queued):
        if state.not_before is not None and state.not_before > moment.wall:
            clauses.append(f"{neutral(state.reason or 'starts')} in {durations.left(state.not_before - moment.wall)}")
        elif state.reason:
            clauses.append(neutral(state.reason))
    if run.place is not None:
        clauses.append(f"behind {counted(run.place - 1, 'run')}" if run.place > 1 else "next")
    return Sentence(clauses=tuple(clauses) or ("waits",))


def _running(run: KnownRun, moment: Moment) -> Sentence | None:
    live = run.live
    if live is not None and live.problem is not None:
        return Sentence(clauses=(neutral(live.problem),), token=Token.WARN)
    if live is not None and (live.step is not None or main_loss(list(live.metrics)) is not None):
        return None
    changes = run.run.attempts[-1].code_changes if run.run is not None and run.run.attempts else None
    clauses, token = ((), Token.MUTED) if changes is None else ((neutral(changes),), Token.WARN)
    if run.written_at is None:
        since = _started_at(run)
        silent = "" if since is None else f" for {durations.length(moment.wall - since)}"
        return Sentence(clauses=(*clauses, f"no output{silent}"), token=token)
    silent = f"last output {durations.ago(moment.wall - run.written_at)} ago"
    return Sentence(clauses=(*clauses, "no figures yet", silent), token=token)


def _started_at(run: KnownRun) -> float | None:
    return run.run.attempts[-1].started_at if run.run is not None and run.run.attempts else None


def _paused(run: KnownRun) -> Sentence:
    pause = None if run.live is None else run.live.pause
    if pause is None:
        return Sentence(clauses=("paused",), token=Token.WARN)
    # The limit is told in the card; a row has room for what was measured and what is waited for.
    said = [one for one in neutral(pause.reason).split(", ") if not one.startswith("limit ")]
    words = ", ".join(said)
    return Sentence(clauses=(_HOT_GPU.sub("hot: ", words) if pause.by == BY_HEAT else words,), token=Token.WARN)


def _stopping(run: KnownRun, moment: Moment) -> Sentence:
    live = run.live
    stopping = None if live is None else live.stopping
    if live is not None and stopping is None and live.postponed is not None:
        return _postponed(live.postponed, moment, same_boot=live.clock.boot_id == moment.boot_id)
    if live is None or stopping is None:
        return Sentence(clauses=("stopping",), token=Token.WARN)
    clauses = [neutral(stopping.reason).removeprefix("stopped ")]
    if stopping.stage < len(_NEXT_SIGNALS) and live.clock.boot_id == moment.boot_id:
        until = max(0.0, stopping.deadline - moment.monotonic)
        clauses.append(f"{_NEXT_SIGNALS[stopping.stage]} in {durations.left(until)}")
    return Sentence(clauses=tuple(clauses), token=Token.WARN)


def _postponed(postponed: Postponed, moment: Moment, *, same_boot: bool) -> Sentence:
    until = ""
    if same_boot:
        until = f", {durations.left(max(0.0, postponed.deadline - moment.monotonic))} at most"
    by = neutral(postponed.reason).removeprefix("stopped ")
    return Sentence(clauses=(f"at its next checkpoint{until}", by), token=Token.WARN)


def _ended(run: KnownRun) -> Sentence:
    record = run.record
    if is_problem(run):
        return Sentence(clauses=(cause_words(record) or run.status.value,), token=Token.FG)
    clauses: list[str] = []
    if run.status is Status.TIMEBOXED:
        limit = _timebox(run)
        clauses.append(f"at its {durations.length(limit)}" if limit is not None else "at its limit")
    elif run.status is Status.STOPPED and record.get("reason"):
        clauses.append(neutral(str(record["reason"])).removeprefix("stopped "))
    check = record.get("resume_check")
    if check and check["verdict"] in DOUBTFUL:
        restarted = check["verdict"] == Verdict.RESTARTED
        clauses.append("! began again after the resume" if restarted else "! loss jumped at the resume")
    clauses += _figures(record)
    changes = record["attempts"][-1].get("code_changes") if record["attempts"] else None
    clauses += [neutral(str(changes))] if changes else []
    return Sentence(clauses=tuple(clauses) or ("no figures",))


def _figures(record: JsonObject) -> list[str]:
    """What can be resumed tells first from where, and what is done how good it is."""
    figures, saved = _losses(record), _saved(record)
    step = [f"step {numbers.count(record['step'])}"] if record.get("step") is not None else []
    return [*step, *saved, *figures] if saved else [*figures, *step]


def _losses(record: JsonObject) -> list[str]:
    found: list[str] = []
    loss = main_loss(list(record.get("metrics") or {}))
    if loss is not None:
        last = numbers.metric(float(record["metrics"][loss]))
        found.append(f"loss {last}")
        found += _best(record, loss, last)
    return found


def _saved(record: JsonObject) -> list[str]:
    saved = [one for one in record.get("checkpoints") or () if one.get("sound") is not False]
    if not saved or record["status"] == Status.COMPLETED:
        return []
    step = saved[-1].get("step")
    return [f"saved{'' if step is None else f' {numbers.count(step)}'}, r resumes"]


def _best(record: JsonObject, name: str, last: str) -> list[str]:
    """Where it was better before."""
    best = (record.get("best") or {}).get(name)
    shown = last if best is None else numbers.metric(float(best["value"]))
    if best is None or shown == last:
        return []
    return [f"best {shown}" + ("" if best["step"] is None else f" at {numbers.count(best['step'])}")]


def _timebox(run: KnownRun) -> float | None:
    if run.run is not None:
        return timebox_seconds(run.run)
    minutes = run.record.get("max_run_minutes")
    return None if minutes is None else float(minutes) * 60


def tail_of(run: KnownRun, moment: Moment) -> str:
    """What stands at the right end of an ended run: how long it took, and how long ago that was."""
    ended = from_iso(run.record.get("ended_at"))
    parts = []
    if run.record.get("duration_seconds") is not None:
        parts.append(durations.length(run.record["duration_seconds"]))
    if ended is not None:
        parts.append(f"{durations.ago(moment.wall - ended)} ago")
    return " · ".join(parts)
