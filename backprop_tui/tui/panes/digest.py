"""The digest of an absence: what ended and how, as lines and as a dialog."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from backprop_tui.domain.formatting import counted, plain, time_or_none
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.requests import BY_HEAT
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ENDED, Status
from backprop_tui.presentation import durations, numbers
from backprop_tui.presentation.advice import shared_advice
from backprop_tui.presentation.known_run import KnownRun, newest_usable
from backprop_tui.presentation.objective import best_of, objective_of, rank_records
from backprop_tui.presentation.run_facts import metric_value
from backprop_tui.presentation.states import PROBLEM_STATUSES, cause_text, is_impossible, is_problem, undecided_text
from backprop_tui.presentation.timebox import key_to_go_on, reached_timebox
from backprop_tui.store.fields import JsonObject
from backprop_tui.tui.absence import AbsenceDigest
from backprop_tui.tui.actions import DIGEST_ACTIONS, bindings
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import STATE_TOKENS, Line, LineBuilder, Piece, Token, clip, hint, left, wrapped
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.textual_patches.dismiss_once import LeftByClick
from backprop_tui.tui.widgets.line_widget import LineWidget, Page

_LEAST_FAILURES, _LEAST_ROWS = 12, 3  # rows of failures, and of each other state, that are always shown
_FAILURES = "failures"
_LONG_WAIT_SECONDS = 600.0  # shorter waits are left out
_WAITED, _NEVER_STARTS = "waited", "waiting"
_STATE_CELLS = 12
_SUBJECT_LEAST, _SUBJECT_MOST = 12, 24


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class DigestRow:
    """What happened to a run or to several; `state` chooses the glyph, `advice` says what to do.

    `runs` counts them. `advised` counts the runs that the advice is for if they are of several rows, of which this is
    the last.
    """

    state: str
    subject: str
    story: str
    saved: str = ""
    advice: str = ""
    advised: int = 0
    runs: int = 1

    @property
    def note(self) -> str:
        """The advice and what is saved."""
        label = f"advice for all {self.advised}: " if self.advised else "advice: "
        return "; ".join(filter(None, (f"{label}{self.advice}" if self.advice else "", self.saved)))


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class DigestView:
    """Failures first, then everything else; `retry` has the runs that may succeed when they are retried."""

    title: str
    when: str
    failures: Sequence[DigestRow] = ()
    rows: Sequence[DigestRow] = ()
    first_failure: str | None = None
    retry: Sequence[str] = ()


def digest_view(digest: AbsenceDigest, snapshot: Snapshot) -> DigestView:
    """The digest; runs that were resumed or removed since are not offered for a retry."""
    ended = [entry.run for entry in digest.runs if entry.run.status in ENDED]
    # Failed runs before lost ones, then those that a guard stopped.
    order = (Status.FAILED, Status.LOST, Status.STOPPED)
    problems = sorted(filter(is_problem, ended), key=lambda run: order.index(run.status))
    rows = [*_completed(digest), *_timeboxed(ended), *_continued(digest), *_stopped(ended)]
    rows += [*_paused(digest), *_impossible(digest), *_longest_wait(digest), *_undecided(ended)]
    if digest.unread:
        story = "too many runs to look for pauses"
        rows.append(DigestRow(state="", subject=counted(digest.unread, "run"), story=story))
    return DigestView(
        title=f"What happened {'in the last day' if digest.back_at is None else 'while you were away'}",
        when=_when(digest),
        failures=tuple(_failures(problems)),
        rows=tuple(rows),
        first_failure=problems[0].id if problems else None,
        retry=tuple(run.id for run in problems if _may_succeed(run, snapshot)),
    )


def _when(digest: AbsenceDigest) -> str:
    since = durations.clock_of_day(digest.since, digest.until)
    if digest.back_at is None:
        return f"Since {since}"
    return f"Away {durations.elapsed(digest.back_at - digest.since)}, since {since}"


def _failures(problems: Sequence[KnownRun]) -> list[DigestRow]:
    """One row for each cause, with all runs that ended for it: those of a sweep often fail alike.

    Causes with the same advice follow each other.
    """
    by_advice: dict[object, dict[str, list[KnownRun]]] = {}
    for run in problems:
        cause = run.record.get("cause") or {}
        by_cause = by_advice.setdefault((run.status, cause.get("kind"), cause.get("advice")), {})
        by_cause.setdefault(_without_figures(cause_text(run.record)), []).append(run)
    return [_failure(runs) for by_cause in by_advice.values() for runs in by_cause.values()]


def _without_figures(text: str) -> str:
    return re.sub(r"\d[\d.,]*", "#", text)


def _advised_once(rows: Sequence[DigestRow]) -> Iterator[DigestRow]:
    """The rows, with the advice that several share below the last of them."""
    for _, group in groupby(rows, key=lambda row: (row.state, row.advice)):
        *before, last = group
        yield from (replace(row, advice="") for row in before)
        yield replace(last, advised=sum(row.runs for row in (*before, last))) if before else last


def _failure(runs: Sequence[KnownRun]) -> DigestRow:
    """Of one run, or of several with the same cause, whose figures may differ."""
    record = runs[0].record
    newest = [checkpoint for checkpoint in (newest_usable(run.record) for run in runs) if checkpoint is not None]
    saved = ""
    if newest and len(runs) > 1:
        saved = f"{len(newest)} of them {'has' if len(newest) == 1 else 'have'} a checkpoint"
    elif newest and newest[0].get("step") is not None:
        saved = f"checkpoint at step {numbers.count(newest[0]['step'])}"
    elif not newest:
        saved = next(filter(None, (undecided_text(run.record) for run in runs)), "")
    story = cause_text(record) or runs[0].status.value
    if len({cause_text(run.record) for run in runs}) > 1:
        story += f" ({_name(runs[0])})"
    advice = sanitize(shared_advice([run.record for run in runs]))
    return DigestRow(
        state=runs[0].status.value, subject=_subject(runs), story=story, saved=saved, advice=advice, runs=len(runs)
    )


def _completed(digest: AbsenceDigest) -> Iterator[DigestRow]:
    """The completed runs of each group or script, with the best of them; only those are comparable."""
    trainings: dict[str, list[KnownRun]] = {}
    for run in (entry.run for entry in digest.runs if entry.run.status is Status.COMPLETED):
        trainings.setdefault(str(run.record["group"] or run.record["script"] or run.id), []).append(run)
    for runs in trainings.values():
        yield DigestRow(state="completed", subject=_subject(runs), story=_result(runs), runs=len(runs))


def _result(runs: Sequence[KnownRun]) -> str:
    ranking = rank_records(run.record for run in runs)
    best = best_of(ranking)
    if best is None:
        return f"no best run: {sanitize(str(ranking.problem))}" if len(runs) > 1 else _last_value(runs[0])
    has_name = len(runs) > 1 and ranking.tied == 1
    return best.text + (next(f", {_name(run)}" for run in runs if run.id == best.run_id) if has_name else "")


def _last_value(run: KnownRun) -> str:
    """The result of a run of which it is unknown what is better."""
    objective = objective_of(run.record)
    last = None if objective is None else metric_value(run.record, objective.metric)
    return "no metrics" if objective is None or last is None else f"last {objective.metric} {numbers.metric(last)}"


def _timeboxed(ended: Sequence[KnownRun]) -> Iterator[DigestRow]:
    runs = [run for run in ended if run.status is Status.TIMEBOXED]
    yield from _rows_by_story("timeboxed", [(run, _timebox_story(run.record)) for run in runs])


def _timebox_story(record: JsonObject) -> str:
    return key_to_go_on(record) if reached_timebox(record) else sanitize(str(record["reason"]))


def _rows_by_story(state: str, stories: Sequence[tuple[KnownRun, str]]) -> Iterator[DigestRow]:
    """A row for each story, with all runs that have it; of many stories those that differ in figures share one, too."""
    is_many = len({story for _, story in stories}) > _LEAST_ROWS
    alike: dict[str, list[tuple[KnownRun, str]]] = {}
    for run, story in stories:
        alike.setdefault(_without_figures(story) if is_many else story, []).append((run, story))
    for members in alike.values():
        runs, story = [run for run, _ in members], members[0][1]
        story += f" ({_name(runs[0])})" if any(other != story for _, other in members) else ""
        yield DigestRow(state=state, subject=_subject(runs), story=story, runs=len(runs))


def _continued(digest: AbsenceDigest) -> Iterator[DigestRow]:
    """Runs that reached their timebox and continue, or wait to continue, in another slice."""
    unfinished = [entry.run for entry in digest.runs if entry.run.status not in ENDED]
    runs = [run for run in unfinished if _was_timeboxed(run, digest)]
    yield from _rows_by_story("timeboxed", [(run, _slice_story(run.record)) for run in runs])


def _slice_story(record: JsonObject) -> str:
    position = record.get("slice") or {}
    story = f"continued in slice {position['number']}" if position else "continued in another slice"
    return story + (f" of {position['of']}" if position.get("of") is not None else "")


def _was_timeboxed(run: KnownRun, digest: AbsenceDigest) -> bool:
    attempts = [attempt for attempt in run.record.get("attempts") or () if attempt.get("status") == Status.TIMEBOXED]
    return any(digest.since <= (time_or_none(attempt.get("ended_at")) or 0.0) <= digest.until for attempt in attempts)


def _stopped(ended: Sequence[KnownRun]) -> Iterator[DigestRow]:
    runs = [run for run in ended if run.status is Status.STOPPED and not is_problem(run)]
    if runs:
        reasons = dict.fromkeys(sanitize(str(run.record.get("reason") or "")) for run in runs)
        story = ", ".join(filter(None, reasons)) or "by a user"
        yield DigestRow(state="stopped", subject=_subject(runs), story=story)


def _paused(digest: AbsenceDigest) -> Iterator[DigestRow]:
    """Pauses for heat: how often, for how long in total, on which GPUs, and the highest temperature."""
    seconds = 0.0
    heat: list[JsonObject] = []
    for entry in digest.runs:
        paused_at: float | None = None
        for event in entry.events:
            at, kind = time_or_none(event.get("time")), event.get("event")
            if kind == "paused" and event.get("by") == BY_HEAT:
                heat.append(event)
                paused_at = at
            elif paused_at is not None and at is not None and kind in ("continued", "ended", "stopping"):
                seconds, paused_at = seconds + at - paused_at, None
        if paused_at is not None:
            seconds += digest.until - paused_at
    if heat:
        gpus = sorted({event["gpu"] for event in heat if event.get("gpu") is not None})
        hottest = max((event["celsius"] for event in heat if event.get("celsius") is not None), default=None)
        clauses = [f"{durations.elapsed(seconds)} in total"]
        clauses += [f"GPU {', '.join(map(str, gpus))}"] if gpus else []
        clauses += [] if hottest is None else [f"up to {plain(hottest)} °C"]
        times = {1: "once", 2: "twice"}.get(len(heat), f"{len(heat)} times")
        yield DigestRow(state="paused", subject=f"{times} for heat", story=", ".join(clauses))


def _impossible(digest: AbsenceDigest) -> Iterator[DigestRow]:
    """The waiting runs that the machine is too small for."""
    runs = [entry.run for entry in digest.runs]
    runs = [run for run in runs if run.status is Status.QUEUED and is_impossible(run.record)]
    yield from _rows_by_story(_NEVER_STARTS, [(run, sanitize(str(run.record["reason"]))) for run in runs])


def _undecided(ended: Sequence[KnownRun]) -> Iterator[DigestRow]:
    """Runs that may have saved what another run has written; of problems that is beside the cause."""
    stories = [(run, undecided_text(run.record)) for run in ended if not is_problem(run)]
    yield from _rows_by_story("", [(run, story) for run, story in stories if story])


def _longest_wait(digest: AbsenceDigest) -> Iterator[DigestRow]:
    runs = [entry.run for entry in digest.runs if not is_impossible(entry.run.record)]
    seconds, run = max(((_wait_seconds(run, digest), run) for run in runs), key=lambda wait: wait[0], default=(0, None))
    if run is None or seconds < _LONG_WAIT_SECONDS:
        return
    story = _wait_story(run, digest)
    alike = [other for other in runs if _wait_story(other, digest) == story]
    yield DigestRow(state=_WAITED, subject=_subject(alike), story=story)


def _wait_story(run: KnownRun, digest: AbsenceDigest) -> str:
    reasons = [sanitize(str(reason.get("message", ""))) for reason in run.record.get("hold_reasons") or ()]
    waited = durations.elapsed(_wait_seconds(run, digest))
    story = f"waiting for {waited}" if run.status is Status.QUEUED else f"{waited}, then started"
    return ": ".join([story, *reasons[:1]])


def _wait_seconds(run: KnownRun, digest: AbsenceDigest) -> float:
    """How long the run waited until now or until it started meanwhile; 0 for any other run."""
    created, started = time_or_none(run.record.get("created_at")), time_or_none(run.record.get("started_at"))
    if created is None or (started is not None and started < digest.since):
        return 0.0
    if started is None and run.status in ENDED:
        return 0.0
    return (digest.until if started is None else started) - created


def _may_succeed(run: KnownRun, snapshot: Snapshot) -> bool:
    """Whether a retry may help: the run is still failed, and for a reason that can pass."""
    current = snapshot.find(run.id)
    if current is None or current.status not in PROBLEM_STATUSES:
        return False
    return run.status is Status.LOST or bool((run.record.get("cause") or {}).get("retryable"))


def _subject(runs: Sequence[KnownRun]) -> str:
    if len(runs) == 1:
        return _name(runs[0])
    groups = {run.record.get("group") for run in runs}
    group = groups.pop() if len(groups) == 1 else None
    of = f": {', '.join(map(_name, runs))}" if group is None else f" of {sanitize(str(group))}"
    return counted(len(runs), "run") + of


def _name(run: KnownRun) -> str:
    return sanitize(run.label)


def draw_digest(view: DigestView, width: int, glyphs: Glyphs, *, height: int | None = None) -> list[Line]:
    """Everything but the keys; long stories are wrapped, names are clipped.

    What is more than `height` lines is counted, down to the least rows of each state; then the lines are more.
    """
    longest = max((cell_len(row.subject) for row in (*view.failures, *view.rows)), default=0)
    subject = max(_SUBJECT_LEAST, min(_SUBJECT_MOST, longest, width // 3)) + 2
    most = {_FAILURES: len(view.failures)} | Counter(row.state for row in view.rows)
    if height is not None:
        most = {state: min(count, max(_least(state), height)) for state, count in most.items()}
    lines = _draw_sections(view, most, width, subject, glyphs)
    while height is not None and len(lines) > height:
        able = {state: count for state, count in most.items() if count > _least(state)}
        if not able:
            break
        longest_state = max(able, key=lambda state: able[state] - _least(state))
        fewer = able[longest_state] - max(1, (len(lines) - height) // 4)
        most[longest_state] = max(_least(longest_state), fewer)
        lines = _draw_sections(view, most, width, subject, glyphs)
    return lines


def _least(state: str) -> int:
    return _LEAST_FAILURES if state == _FAILURES else _LEAST_ROWS


def _draw_sections(view: DigestView, most: Mapping[str, int], width: int, subject: int, glyphs: Glyphs) -> list[Line]:
    """The lines with at most so many rows of each state."""
    lines: list[Line] = [(Piece(f" {view.when}", Token.MUTED),), ()]
    failures = shown_failures(view, most[_FAILURES])
    others = [row for _, rows in groupby(view.rows, key=lambda row: row.state) for row in _counted(rows, most)]
    if not failures and not others:
        return [*lines, (Piece(" No run ended or was paused.", Token.MUTED),)]
    for rows in filter(None, (failures, others)):
        lines += [line for row in rows for line in _draw_row(row, width, subject, glyphs)]
        lines.append(())
    return lines[:-1]


def shown_failures(view: DigestView, most: int) -> list[DigestRow]:
    """The first failures, with the advice that several share given once, and how many runs are in the others."""
    rows = list(_advised_once(view.failures[:most]))
    hidden = sum(row.runs for row in view.failures[most:])
    if hidden:
        rows.append(DigestRow(state="failed", subject=f"{hidden} more", story="! goes from one to the next"))
    return rows


def _counted(rows: Iterable[DigestRow], most: Mapping[str, int]) -> list[DigestRow]:
    """The first rows of a state, and how many runs are in the others."""
    every = list(rows)
    count = most[every[0].state]
    hidden = sum(row.runs for row in every[count:])
    more = [DigestRow(state=every[0].state, subject=f"{hidden} more", story="in the list")] if hidden else []
    return [*every[:count], *more]


def _draw_row(row: DigestRow, width: int, subject: int, glyphs: Glyphs) -> list[Line]:
    tokens = STATE_TOKENS | {Status.COMPLETED.value: Token.OK, _NEVER_STARTS: Token.WARN}
    token = tokens.get(row.state, Token.MUTED)
    story_at = 1 + _STATE_CELLS + subject
    story = wrapped(row.story, max(12, width - story_at - 1))
    glyph = glyphs.state("waiting" if row.state == _WAITED else row.state)
    builder = LineBuilder().put(f" {glyph} ", token).put(row.state, token, bold=True).at(1 + _STATE_CELLS)
    builder.put(left(row.subject, subject - 2, glyphs), bold=True).at(story_at)
    builder.put(clip(story[0], width - story_at - 1, glyphs))
    lines: list[Line] = [builder.line()]
    lines += [(Piece(" " * story_at + clip(more.strip(), width - story_at - 1, glyphs)),) for more in story[1:]]
    if row.note:
        note = wrapped(row.note, max(12, width - _STATE_CELLS - 2))
        lines += [(Piece(" " * (1 + _STATE_CELLS) + text, Token.MUTED),) for text in note]
    return lines


def draw_digest_keys(view: DigestView, width: int, *, scrolls: bool) -> Line:
    keys = [("enter", "open the first failure")] if view.first_failure is not None else []
    keys += [("R", f"retry {len(view.retry)} of them")] if view.retry else []
    keys += [("j k", "scroll")] if scrolls else []
    builder = LineBuilder().put(" ")
    for key, text in [*keys, ("esc", "close")]:
        fits = builder.column == 1 or builder.column + len(key) + len(text) + 2 <= width
        builder.extend(hint(key, text if fits else text.split(" ")[0]))
        builder.put("    " if width >= 80 else "  ")
    return builder.line()


SHOW, RETRY, CLOSE = "show", "retry", "close"
_WIDTH = 92
_FRAME_ROWS = 4  # border, blank row, and the row of keys


class Digest(LeftByClick, ModalScreen[str]):
    """As high as its text, or as the screen; then it scrolls."""

    CSS_PATH = "../dialogs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(DIGEST_ACTIONS)

    def __init__(self, view: DigestView, *, glyphs: Glyphs) -> None:
        super().__init__()
        self.view = view
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="digest") as box:
            box.border_title = f" {self.view.title} "
            yield Page(glyphs=self._glyphs, id="digest")
            yield LineWidget(glyphs=self._glyphs, id="digest-gap")
            yield LineWidget(glyphs=self._glyphs, id="digest-keys")

    def on_mount(self) -> None:
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def show_view(self, view: DigestView) -> None:
        """Replaces what is shown."""
        if view != self.view:
            self.view = view
            self._draw()

    def action_answer(self, answer: str) -> None:
        """Closes with an answer; enter closes when there is no failure to show, and R does nothing without a retry."""
        if answer == RETRY and not self.view.retry:
            return
        self.dismiss(CLOSE if answer == SHOW and self.view.first_failure is None else answer)

    def action_scroll(self, rows: int) -> None:
        self.query_one(Page).move(rows)

    def _draw(self) -> None:
        width = min(_WIDTH, self.app.size.width)
        lines = draw_digest(self.view, width - 4, self._glyphs, height=self.app.size.height - _FRAME_ROWS)
        box = self.query_one("#dialog")
        height = min(len(lines) + _FRAME_ROWS, self.app.size.height)
        box.styles.width, box.styles.height = width, height
        self.query_one(Page).show_content(lines)
        keys = draw_digest_keys(self.view, width - 4, scrolls=len(lines) + _FRAME_ROWS > height)
        self.query_one("#digest-keys", LineWidget).show([keys])
