"""The card above a run's tabs: why it ended badly, or why it stands still."""

from __future__ import annotations

import os
from collections.abc import Iterator

from backprop_tui.domain.governor.active import BY_HEAT, BY_RAM
from backprop_tui.domain.governor.figures import counted, duration, plain
from backprop_tui.domain.governor.heat import continue_below_celsius
from backprop_tui.domain.limits import RunLimits
from backprop_tui.domain.live import Live, Pause
from backprop_tui.domain.status import Status
from backprop_tui.domain.times import from_iso
from backprop_tui.domain.values import dataclass
from backprop_tui.store.fields import JsonObject
from backprop_tui.tui.neutral import neutral
from backprop_tui.tui.snapshot import KnownRun, Snapshot
from backprop_tui.tui.view.causes import cause_words, evidence_words
from backprop_tui.tui.view.states import is_problem
from backprop_tui.tui.view.tokens import Token
from backprop_tui.tui.wording import durations, numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What happened, then named lines: evidence and advice, or since when and until what."""

    title: str
    lines: tuple[tuple[str, str], ...] = ()
    token: Token = Token.BAD


def card_of(run: KnownRun, snapshot: Snapshot) -> Card | None:
    """None where there is nothing that has to be said above everything else."""
    if is_problem(run):
        return _cause(run)
    if run.status is Status.PAUSED and run.live is not None and run.live.pause is not None:
        return _pause(run, run.live, run.live.pause, snapshot)
    return None


def _cause(run: KnownRun) -> Card:
    record = run.record
    cause = record.get("cause") or {}
    title = cause_words(record) or run.status.value
    evidence = evidence_words(record)
    lines = [("evidence", evidence)] if evidence and evidence != title else []
    if cause.get("advice"):
        lines.append(("advice", neutral(str(cause["advice"]))))
    lines.append(("resume", f"{_saved(record)} · r resumes, N opens it as a new run"))
    return Card(title=title, lines=tuple(lines))


def _saved(record: JsonObject) -> str:
    """What a resume goes on from, and what it has to do again."""
    usable = [one for one in record.get("checkpoints") or () if one.get("sound") is not False]
    if not usable:
        return "no checkpoint is known"
    newest = usable[-1]
    step = newest.get("step")
    what = neutral(os.path.basename(str(newest["path"]))) if step is None else f"step {numbers.count(step)}"
    sound = " and sound" if newest.get("sound") else ""
    saved, ended = from_iso(newest.get("saved_at")), from_iso(record.get("ended_at"))
    lost = "" if saved is None or ended is None else f", {durations.ago(ended - saved)} of work lost"
    return f"{what} is saved{sound}{lost}"


def _pause(run: KnownRun, live: Live, pause: Pause, snapshot: Snapshot) -> Card:
    since = max(0.0, snapshot.moment.wall - pause.since)
    so_far = f"{durations.clock_with_seconds(pause.since)}, {durations.length(since)} so far"
    limits = RunLimits() if run.run is None else run.run.spec.limits
    lines = [("since", ", ".join((so_far, *_times(run, live, snapshot)))), *_until(pause, limits)]
    reason = neutral(pause.reason)
    title = reason.capitalize() if reason.startswith("paused") else f"Paused: {reason}"
    return Card(title=title, lines=tuple(lines), token=Token.WARN)


def _times(run: KnownRun, live: Live, snapshot: Snapshot) -> Iterator[str]:
    opened = snapshot.opened
    events = opened.events if opened is not None and opened.run_id == run.id else ()
    times = sum(one.get("event") == "paused" for one in events)
    if times > 1:
        yield f"{counted(times, 'time')} by now"
    if live.clock.paused_seconds:
        yield f"{durations.length(live.clock.paused_seconds)} paused in all"


def _until(pause: Pause, limits: RunLimits) -> Iterator[tuple[str, str]]:
    if pause.by not in (BY_HEAT, BY_RAM):
        yield "until", "p continues it; its timebox stands still"
        return
    if pause.by == BY_HEAT:
        below = plain(continue_below_celsius(limits))
        yield (
            "limit",
            f"{plain(limits.gpu_max_temp_celsius)} C, continues by itself below {below} C; p continues it now",
        )
    else:
        yield "limit", "continues by itself when enough RAM is free; p continues it now"
    if limits.max_pause_seconds > 0:
        yield "at most", f"{duration(limits.max_pause_seconds)}, then it is stopped and can be resumed"
