"""While you were away: what ended and how, what was paused for heat, what waited longest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from backprop_tui.domain.governor.active import BY_HEAT
from backprop_tui.domain.governor.figures import counted
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.domain.times import from_iso
from backprop_tui.domain.values import dataclass
from backprop_tui.store.fields import JsonObject
from backprop_tui.tui.digest.history import AbsenceDigest, DigestRun
from backprop_tui.tui.neutral import neutral
from backprop_tui.tui.snapshot import KnownRun, Snapshot
from backprop_tui.tui.view.causes import cause_words
from backprop_tui.tui.view.states import DONE, PROBLEMS, WAITING, is_problem
from backprop_tui.tui.wording import durations, numbers

MOST_FAILURES = 12
_MOST_TIMEBOXED = 3
LONG_WAIT_SECONDS = 600.0  # a shorter one is not worth a line
_HEAT = re.compile(r"GPU (\d+) at (\d+) C")


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestRow:
    """`word` is the state; what it is about, what there is to tell of it, and what can be done."""

    word: str
    subject: str
    story: str
    advice: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestView:
    """Rows of what went wrong, then rows of everything else; `retry` are the runs that a retry may help."""

    title: str
    when: str
    failures: Sequence[DigestRow] = ()
    rows: Sequence[DigestRow] = ()
    first_failure: str | None = None
    retry: Sequence[str] = ()


def digest_view(digest: AbsenceDigest, snapshot: Snapshot) -> DigestView:
    """The digest; of runs that were resumed or removed meanwhile nothing can be retried."""
    ended = [one for one in digest.runs if one.run.status in ENDED]
    bad = sorted((one for one in ended if is_problem(one.run)), key=_severity)
    rows = [_failure(one.run) for one in bad[:MOST_FAILURES]]
    if len(bad) > MOST_FAILURES:
        rows.append(
            DigestRow(word="failed", subject=f"{len(bad) - MOST_FAILURES} more", story="! goes from one to the next")
        )
    others = [*_done(ended), *_timeboxed(ended), *_went_on(digest), *_stopped(ended)]
    others += [*_paused(digest), *_waited(digest)]
    if digest.unread:
        story = "too many to look for pauses in them"
        others.append(DigestRow(word="", subject=counted(digest.unread, "run"), story=story))
    return DigestView(
        title="The last day" if digest.back_at is None else "While you were away",
        when=_when(digest),
        failures=tuple(rows),
        rows=tuple(others),
        first_failure=bad[0].run.id if bad else None,
        retry=tuple(one.run.id for one in bad if _may_go_through(one.run, snapshot)),
    )


def has_news(digest: AbsenceDigest) -> bool:
    """Whether anything ended."""
    return any(one.run.status in ENDED for one in digest.runs)


def _when(digest: AbsenceDigest) -> str:
    since = durations.clock(digest.since)
    if durations.day(digest.since) != durations.day(digest.until):
        since = f"{durations.day(digest.since)} {since}"
    if digest.back_at is None:
        return f"Since {since}"
    return f"Away {durations.in_words(digest.back_at - digest.since)}, since {since}"


def _severity(one: DigestRun) -> int:
    """Failed, then lost, then what a guard stopped; the newest first, as they come."""
    return (Status.FAILED, Status.LOST, Status.STOPPED).index(one.run.status)


def _failure(run: KnownRun) -> DigestRow:
    cause = run.record.get("cause") or {}
    advice = [] if cause.get("advice") is None else [neutral(str(cause["advice"]))]
    saved = [one for one in run.record.get("checkpoints") or () if one.get("sound") is not False]
    if saved and saved[-1].get("step") is not None:
        advice.append(f"saved at step {numbers.count(saved[-1]['step'])}")
    return DigestRow(
        word=run.status.value,
        subject=_name(run),
        story=cause_words(run.record) or run.status.value,
        advice="; ".join(advice) or None,
    )


def _done(ended: Sequence[DigestRun]) -> Iterable[DigestRow]:
    done = [one for one in ended if one.run.status is Status.COMPLETED]
    if not done:
        return
    told = [one for one in done if one.best_loss is not None]
    best = min(told, key=lambda one: one.best_loss or 0.0, default=None)
    story = "printed no loss"
    if best is not None:
        whose = f", {_name(best.run)}" if len(done) > 1 else ""
        story = f"best loss {numbers.metric(best.best_loss)}{whose}"
    yield DigestRow(word=DONE, subject=_subject([one.run for one in done]), story=story)


def _timeboxed(ended: Sequence[DigestRun]) -> Iterable[DigestRow]:
    boxed = [one.run for one in ended if one.run.status is Status.TIMEBOXED]
    for run in boxed[:_MOST_TIMEBOXED]:
        saved = [one for one in run.record.get("checkpoints") or () if one.get("sound") is not False]
        step = saved[-1].get("step") if saved else None
        if not saved:
            story = "nothing is saved, r begins again"
        else:
            story = "r resumes" + ("" if step is None else f" from step {numbers.count(step)}")
        yield DigestRow(word="timeboxed", subject=_name(run), story=story)
    if len(boxed) > _MOST_TIMEBOXED:
        yield DigestRow(word="timeboxed", subject=f"{len(boxed) - _MOST_TIMEBOXED} more", story="r resumes each")


def _went_on(digest: AbsenceDigest) -> Iterable[DigestRow]:
    """Runs whose timebox came in that time, and that go on, or wait to, in another slice."""
    found = [one.run for one in digest.runs if one.run.status not in ENDED and _was_timeboxed(one, digest)]
    for run in found[:_MOST_TIMEBOXED]:
        which = run.record.get("slice") or {}
        number, of = which.get("number"), which.get("of")
        story = "went on in another slice" if number is None else f"went on in slice {number}"
        yield DigestRow(word="timeboxed", subject=_name(run), story=story + ("" if of is None else f" of {of}"))
    if len(found) > _MOST_TIMEBOXED:
        yield DigestRow(word="timeboxed", subject=f"{len(found) - _MOST_TIMEBOXED} more", story="went on in slices")


def _was_timeboxed(one: DigestRun, digest: AbsenceDigest) -> bool:
    attempts = one.run.record.get("attempts") or ()
    ends = [_moment(each, "ended_at") for each in attempts if each.get("status") == Status.TIMEBOXED]
    return any(at is not None and digest.since <= at <= digest.until for at in ends)


def _stopped(ended: Sequence[DigestRun]) -> Iterable[DigestRow]:
    stopped = [one.run for one in ended if one.run.status is Status.STOPPED and not is_problem(one.run)]
    if stopped:
        reasons = dict.fromkeys(neutral(str(one.record.get("reason") or "")) for one in stopped)
        yield DigestRow(
            word="stopped", subject=_subject(stopped), story=", ".join(filter(None, reasons)) or "by a person"
        )


def _paused(digest: AbsenceDigest) -> Iterable[DigestRow]:
    """Pauses for heat: how often, how long in all, where, and how hot."""
    count, seconds = 0, 0.0
    gpus: dict[str, None] = {}
    hottest: int | None = None
    for one in digest.runs:
        began: float | None = None
        for event in one.events:
            at = from_iso(event.get("time"))
            kind = event.get("event")
            if kind == "paused" and event.get("by") == BY_HEAT:
                count, began = count + 1, at
                found = _HEAT.search(str(event.get("message")))
                if found is not None:
                    gpus[found[1]] = None
                    hottest = max(hottest or 0, int(found[2]))
            elif began is not None and at is not None and kind in ("continued", "ended", "stopping"):
                seconds, began = seconds + at - began, None
        if began is not None:
            seconds += digest.until - began
    if count:
        clauses = [f"{durations.in_words(seconds)} in all"]
        clauses += [f"GPU {', '.join(sorted(gpus, key=int))}"] if gpus else []
        clauses += [] if hottest is None else [f"hottest {hottest} C"]
        times = "once" if count == 1 else "twice" if count == 2 else f"{count} times"
        yield DigestRow(word="paused", subject=f"{times} for heat", story=", ".join(clauses))


def _waited(digest: AbsenceDigest) -> Iterable[DigestRow]:
    """The longest wait of a run that waits still or came from the queue meanwhile."""
    waits = [(seconds, one) for one in digest.runs if (seconds := _wait_seconds(one, digest)) is not None]
    if not waits:
        return
    seconds, one = max(waits, key=lambda wait: wait[0])
    if seconds >= LONG_WAIT_SECONDS:
        reasons = [neutral(str(each.get("message", ""))) for each in one.run.record.get("hold_reasons") or ()]
        goes_on = one.run.status is Status.QUEUED
        story = durations.in_words(seconds) + (" and waits still" if goes_on else ", then started")
        yield DigestRow(word=WAITING, subject=_name(one.run), story=": ".join([story, *reasons[:1]]))


def _wait_seconds(one: DigestRun, digest: AbsenceDigest) -> float | None:
    created, started = _moment(one.run.record, "created_at"), _moment(one.run.record, "started_at")
    if created is None or (started is not None and started < digest.since):
        return None
    if started is None and one.run.status in ENDED:
        return None
    return (digest.until if started is None else started) - created


def _may_go_through(run: KnownRun, snapshot: Snapshot) -> bool:
    now = snapshot.find(run.id)
    if now is None or now.status not in PROBLEMS:
        return False
    return run.status is Status.LOST or bool((run.record.get("cause") or {}).get("retryable"))


def _subject(runs: Sequence[KnownRun]) -> str:
    return _name(runs[0]) if len(runs) == 1 else counted(len(runs), "run")


def _name(run: KnownRun) -> str:
    return neutral(str(run.record["name"]))


def _moment(record: JsonObject, key: str) -> float | None:
    try:
        return from_iso(record.get(key))
    except (TypeError, ValueError):
        return None
