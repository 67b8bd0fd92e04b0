"""What people are told of a run, in one line each."""

from __future__ import annotations

import time
from collections.abc import Sequence

from backprop_tui.cli import figures
from backprop_tui.cli.event_stream import ENDED, HELD, PROGRESS, Event, EventStream
from backprop_tui.domain.governor.figures import counted, duration
from backprop_tui.domain.lifecycle import timebox_seconds
from backprop_tui.domain.live import Live, shown_status
from backprop_tui.domain.run import Queued, Run
from backprop_tui.domain.slices import slice_number
from backprop_tui.domain.status import ENDED as ENDED_STATUSES
from backprop_tui.domain.status import Status
from backprop_tui.store.fields import JsonObject

_SHOWN_METRICS = 3


def event_words(event: Event) -> str | None:
    """An event for a person; None where there is nothing to tell."""
    if event.kind in (PROGRESS, "admitted"):
        return None
    if event.kind == HELD:
        return f"waits: {event.message}"
    if event.kind == ENDED:
        return end_words(event.figures["run"])
    kind = event.kind.replace("_", " ")
    if event.message.startswith(kind):
        return event.message
    return f"{kind}: {event.message}" if event.message else kind


def end_words(record: JsonObject) -> str:
    """How it ended, why, and what may be done."""
    seconds = record.get("duration_seconds")
    words = [str(record["status"])]
    if record["status"] == Status.FAILED:
        words.append(_exit(record))
    if seconds is not None:
        words.append(f"after {duration(seconds)}")
    if record.get("step") is not None:
        words.append(f"at step {record['step']}")
    cause = record.get("cause") or {}
    reasons = [reason for reason in (record.get("reason"), cause.get("advice")) if reason]
    return " ".join(words) + "".join(f"; {reason}" for reason in reasons)


def _exit(record: JsonObject) -> str:
    if record.get("signal") is not None:
        return f"by {record['signal']}"
    return "before it started" if record.get("exit_code") is None else f"with exit code {record['exit_code']}"


def status_words(stories: Sequence[EventStream], now: float) -> str:
    """The line at the bottom: all about one run, or how many do what; `now` is monotonic."""
    if len(stories) == 1:
        return _one(stories[0].run, stories[0].live(), now)
    statuses = [shown_status(story.run, story.live()) for story in stories]
    unfinished = [status for status in dict.fromkeys(statuses) if status not in ENDED_STATUSES]
    parts = [f"{statuses.count(status)} {status}" for status in unfinished]
    ended = sum(status in ENDED_STATUSES for status in statuses)
    return "  ".join([counted(len(stories), "run"), *parts, *([f"{ended} ended"] if ended else [])])


def _one(run: Run, live: Live | None, now: float) -> str:
    status = shown_status(run, live)
    parts = [run.name, str(status)]
    if isinstance(run.state, Queued):
        parts.append(duration(max(0.0, time.time() - run.state.since)))
    elif live is not None:
        parts += _figures(run, live, now)
    return "  ".join(parts)


def _figures(run: Run, live: Live, now: float) -> list[str]:
    seconds = live.clock.at(now, paused=live.pause is not None).running_seconds
    limit = timebox_seconds(run)
    parts = [duration(seconds) + (f" of {duration(limit)}" if limit is not None else "")]
    if live.step is not None:
        parts.append(f"step {live.step}" + (f" of {live.total_steps}" if live.total_steps is not None else ""))
    elif live.epoch is not None:
        parts.append(f"epoch {live.epoch:g}" + (f" of {live.total_epochs}" if live.total_epochs is not None else ""))
    parts += [f"{name} {value:.4g}" for name, value in list(live.metrics.items())[:_SHOWN_METRICS]]
    if live.stopping is not None:
        parts.append(live.stopping.reason)
    elif live.postponed is not None:
        parts.append(f"{live.postponed.reason}, after its next checkpoint")
    elif live.pause is not None:
        parts.append(live.pause.reason)
    return parts if live.problem is None else [*parts, live.problem]


def slice_words(run: Run) -> str:
    """`2 of 12, 2:00:00 in all, until step=10000`: of a run that is trained in slices."""
    number = slice_number(run)
    parts = [] if number is None else [str(number).replace("/", " of ")]
    if run.spec.total_seconds is not None:
        parts.append(f"{figures.seconds(run.spec.total_seconds)} in all")
    if run.spec.until:
        parts.append(f"until {' or '.join(map(str, run.spec.until))}")
    return ", ".join(parts)
