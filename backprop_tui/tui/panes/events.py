"""The Events tab: what happened to a run, newest first, with a rule between days."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.domain.formatting import from_iso
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.status import Status
from backprop_tui.presentation import durations
from backprop_tui.presentation.run_line import event_line
from backprop_tui.store.fields import JsonObject
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import STATE_TOKENS, Line, Piece, Token, clip_with_path, heading
from backprop_tui.tui.snapshot import Snapshot

CHECKPOINT = "checkpoint"
_STATES = {
    "queued": Status.QUEUED,
    "admitted": Status.COMPLETED,
    "started": Status.STARTING,
    "paused": Status.PAUSED,
    "continued": Status.RUNNING,
    "stopping": Status.STOPPING,
    "postponed": Status.STOPPING,
    "reached": Status.COMPLETED,
    "held": Status.QUEUED,
    "withdrawn": Status.STOPPED,
    CHECKPOINT: CHECKPOINT,
}
_WARNINGS = frozenset(
    (
        *("nan", "guardian_failed", "warned", "script_changed", "not_retried", "resume_doubtful", "resume_unconfirmed"),
        *("refused_option", "torn_checkpoint", "disk", "directory_shared", "log_skipped", "limits_lower"),
        "live_lost",
    )
)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """`state` chooses the glyph; a row with only a `day` is the rule before another day."""

    time: str = ""
    state: str = ""
    token: Token = Token.MUTED
    sentence: str = ""
    day: str | None = None


def event_rows(events: Sequence[JsonObject], snapshot: Snapshot) -> tuple[EventRow, ...]:
    """The rows; each day but today has a rule above its newest event."""
    now, current_day = snapshot.moment.wall, ""
    rows: list[EventRow] = []
    for event in reversed(events):
        at = event_time(event)
        day = current_day if at is None else durations.date(at, now)
        if day != current_day:
            rows.append(EventRow(day=day))
            current_day = day
        rows.append(_row(event, at))
    return tuple(rows)


def _row(event: JsonObject, at: float | None) -> EventRow:
    kind = str(event.get("event") or "")
    state = str(event.get("status") or "") if kind in ("ended", "attempt_ended") else str(_STATES.get(kind, ""))
    token = Token.WARN if kind in _WARNINGS else STATE_TOKENS.get(state, Token.MUTED)
    return EventRow(
        time="" if at is None else durations.clock(at, seconds=True),
        state=state,
        token=Token.VIOLET if kind == CHECKPOINT else token,
        sentence=event_line(kind, str(event.get("message") or "")),
    )


def event_time(event: JsonObject) -> float | None:
    try:
        return from_iso(event.get("time"))
    except (TypeError, ValueError):
        return None


def draw_events(rows: Sequence[EventRow], width: int, glyphs: Glyphs) -> list[Line]:
    lines: list[Line] = []
    for row in rows:
        if row.day is not None:
            lines.append(heading([(2, [Piece(row.day, Token.MUTED)])], width, glyphs))
            continue
        glyph = glyphs.checkpoint if row.state == CHECKPOINT else glyphs.state(row.state)
        sentence = Piece(clip_with_path(row.sentence, width - 14, glyphs))
        lines.append((Piece(f" {row.time:<8}  ", Token.MUTED), Piece(f"{glyph} ", row.token), sentence))
    return lines
