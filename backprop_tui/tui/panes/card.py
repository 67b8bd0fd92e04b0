"""The card above the tabs of the selected run: why it failed, was ended or is paused, or what it lacks."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from rich.cells import cell_len

from backprop_tui.domain.formatting import counted, duration, from_iso, plain
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.limits import RunLimits, continue_below_celsius
from backprop_tui.domain.live import Live, Pause
from backprop_tui.domain.requests import BY_HEAT, BY_RAM
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import Status
from backprop_tui.presentation import durations, numbers
from backprop_tui.presentation.advice import advice_text
from backprop_tui.presentation.known_run import KnownRun, limit_seconds, newest_usable
from backprop_tui.presentation.states import (
    cause_text,
    evidence_text,
    failed_before_removal,
    is_impossible,
    is_problem,
    undecided_text,
)
from backprop_tui.presentation.timebox import key_to_go_on, reached_timebox, too_short_text
from backprop_tui.store.fields import JsonObject
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, Piece, Token, clip_with_path, wrapped
from backprop_tui.tui.snapshot import Snapshot

_MOST_ROWS = 3  # of a text
_MUCH_ROOM = 12  # cells
_IMPORTANT = {"": 0, "advice": 1, "resume": 2}  # the title and the lines that are shown first, then the others


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A title and named lines: evidence and advice, or the times and limits of a pause.

    `remedy` is the action that a click on the card carries out; it opens a dialog.
    """

    title: str
    lines: tuple[tuple[str, str], ...] = ()
    token: Token = Token.BAD
    remedy: str | None = None


def card_of(run: KnownRun, snapshot: Snapshot) -> Card | None:
    """None if the run did not fail, was not ended, is not paused, can start, and has enough time."""
    if is_problem(run) or failed_before_removal(run.record) is not None:
        return _failure_card(run)
    if run.status is Status.PAUSED and run.live is not None and run.live.pause is not None:
        return _pause_card(run, run.live, run.live.pause, snapshot)
    if run.status is Status.RUNNING and (too_short := too_short_text(run, snapshot.moment)):
        return Card(title=f"{too_short}: t extends", token=Token.WARN, remedy="time")
    if run.status is Status.QUEUED and is_impossible(run.record):
        return _impossible_card(run.record)
    if reached_timebox(run.record) or (run.status is Status.STOPPED and run.record["attempts"]):
        return _ended_card(run)
    return None


def _ended_card(run: KnownRun) -> Card:
    """That it was ended from outside: its log may end with the traceback of the signal."""
    reason = sanitize(str(run.record.get("reason") or run.status))
    if reached_timebox(run.record):
        limit = limit_seconds(run)
        reason = "reached its limit" + ("" if limit is None else f" of {durations.elapsed(limit)}")
    return Card(title=f"{reason[:1].upper()}{reason[1:]}: {key_to_go_on(run.record)}", token=Token.INFO)


def _impossible_card(record: JsonObject) -> Card:
    reason = next(reason for reason in record["hold_reasons"] if reason.get("permanent"))
    advice = "N edits and reruns it with less, s takes it out of the queue"
    title = sanitize(str(reason["message"]))
    return Card(title=title, lines=(("advice", advice),), token=Token.WARN, remedy="copy_as_new")


def _failure_card(run: KnownRun) -> Card:
    record = run.record
    advice, removed = advice_text(record), failed_before_removal(record)
    title = cause_text(record) or str((removed or record)["status"])
    evidence = evidence_text(record)
    lines = [("evidence", evidence)] if evidence and evidence != title else []
    if advice:
        lines.append(("advice", sanitize(advice)))
    if removed is not None:
        lines.append(("then", f"removed from the queue: {sanitize(str(record['reason']))}"))
    lines.append(("resume", _resume_text(record)))
    return Card(title=title, lines=tuple(lines), remedy="copy_as_new")


def _resume_text(record: JsonObject) -> str:
    """What a resume continues from, and how much work it repeats."""
    newest = newest_usable(record)
    if newest is None:
        return f"{undecided_text(record) or 'no checkpoint'}: r starts over, N edits and reruns"
    step = newest.get("step")
    name = sanitize(os.path.basename(str(newest["path"]))) if step is None else f"step {numbers.count(step)}"
    intact = ", intact" if newest.get("sound") else ""
    saved, ended = from_iso(newest.get("saved_at")), from_iso((failed_before_removal(record) or record).get("ended_at"))
    lost = "" if saved is None or ended is None else f", {durations.age(ended - saved)} of work lost"
    return f"from {name}{intact}{lost} · r resumes, N edits and reruns"


def _pause_card(run: KnownRun, live: Live, pause: Pause, snapshot: Snapshot) -> Card:
    now = snapshot.moment.wall
    since = durations.clock_of_day(pause.since, now, seconds=True)
    so_far = f"{since}, {durations.elapsed(now - pause.since)} so far"
    limits = RunLimits() if run.run is None else run.run.spec.limits
    lines = [("since", ", ".join((so_far, *_pause_totals(run, live, snapshot)))), *_pause_end(pause, limits)]
    reason = sanitize(pause.reason)
    title = reason.capitalize() if reason.startswith("paused") else f"Paused: {reason}"
    return Card(title=title, lines=tuple(lines), token=Token.WARN)


def _pause_totals(run: KnownRun, live: Live, snapshot: Snapshot) -> Iterator[str]:
    opened = snapshot.opened
    events = opened.events if opened is not None and opened.run_id == run.id else ()
    times = sum(event.get("event") == "paused" for event in events)
    if times > 1:
        yield f"{counted(times, 'pause')} so far"
    if live.clock.paused_seconds:
        yield f"paused for {durations.elapsed(live.clock.paused_seconds)} in total"


def _pause_end(pause: Pause, limits: RunLimits) -> Iterator[tuple[str, str]]:
    if pause.by not in (BY_HEAT, BY_RAM):
        yield "until", "p continues it; its timebox does not run"
        return
    if pause.by == BY_HEAT:
        below = plain(continue_below_celsius(limits))
        yield (
            "limit",
            f"{plain(limits.gpu_max_temp_celsius)} °C, continues by itself below {below} °C; p continues it now",
        )
    else:
        yield "limit", "continues by itself when enough RAM is free; p continues it now"
    if limits.max_pause_seconds > 0:
        yield "at most", f"{duration(limits.max_pause_seconds)}, then it is stopped and can be resumed"


def draw_card(card: Card | None, width: int, glyphs: Glyphs, *, rows: int | None = None) -> list[Line]:
    """The card with a bar of its color at the left, in at most so many rows; nothing if there is no card.

    Without room the title says how many of its lines are not shown.
    """
    if card is None:
        return []
    texts = [("", card.title), *card.lines]
    rooms = [width - 14 if name else width - 5 for name, _ in texts]
    needs = [len(_rows(text, room, _MOST_ROWS, glyphs)) for (_, text), room in zip(texts, rooms, strict=True)]
    granted = needs if rows is None else _granted(needs, [name for name, _ in texts], rows)
    hidden = granted.count(0)
    more = f"  ({counted(hidden, 'more line')})" if hidden else ""
    rooms[0] -= len(more)
    bar = Piece(f" {glyphs.cursor} ", card.token)
    lines: list[Line] = []
    for (name, text), room, most in zip(texts, rooms, granted, strict=True):
        if not name:
            lines += [(bar, Piece(row, card.token, bold=True)) for row in _rows(text, room, most, glyphs)]
            lines[-1] = (*lines[-1], Piece(more, Token.MUTED))
            continue
        shown = _whole_clauses(text, most * room, glyphs) if name == "advice" and most else text
        for index, row in enumerate(_rows(shown, room, most, glyphs) if most else ()):
            lines.append((bar, Piece(f"{'' if index else name:<10}", Token.MUTED), Piece(row)))
    return lines


def _granted(needs: Sequence[int], names: Sequence[str], rows: int) -> list[int]:
    """How many of the rows each text gets: one for each in the order of importance, then what is left."""
    order = sorted(range(len(names)), key=lambda index: _IMPORTANT.get(names[index], len(_IMPORTANT)))
    granted = [0] * len(needs)
    for most in (1, _MOST_ROWS):
        for index in order:
            granted[index] += max(0, min(needs[index], most, granted[index] + rows - sum(granted)) - granted[index])
    return granted


def _rows(text: str, width: int, most: int, glyphs: Glyphs) -> list[str]:
    rows = [row.strip() for row in wrapped(text, width)]
    rows[most - 1 :] = [" ".join(rows[most - 1 :])] if len(rows) >= most else []
    return [clip_with_path(row, width, glyphs) for row in rows]


def _whole_clauses(text: str, width: int, glyphs: Glyphs) -> str:
    """Advice without the clauses at its end that have no room in so many cells; with their first words in much room."""
    if cell_len(text) <= width:
        return text
    for least, words in ((width - _MUCH_ROOM, re.split(r"(?<=[,;]) ", text)), (1, text.split(" "))):
        shorter = (f"{' '.join(words[:count])} {glyphs.clipped}" for count in range(len(words) - 1, 0, -1))
        cut = next((cut for cut in shorter if cell_len(cut) <= width), "")
        if cell_len(cut) >= least:
            return cut
    return text
