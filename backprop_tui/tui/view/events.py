"""What happened to one run, newest first: time, glyph, sentence; with a rule between days."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.domain.times import from_iso
from backprop_tui.domain.values import dataclass
from backprop_tui.store.fields import JsonObject
from backprop_tui.tui.neutral import neutral
from backprop_tui.tui.snapshot import Snapshot
from backprop_tui.tui.view.states import DONE, HELD, TOKENS
from backprop_tui.tui.view.tokens import Token
from backprop_tui.tui.wording import durations

CHECKPOINT = "checkpoint"
_WORDS = {
    "queued": "queued",
    "admitted": DONE,
    "started": "starting",
    "paused": "paused",
    "continued": "running",
    "stopping": "stopping",
    "postponed": "stopping",
    "reached": DONE,
    "held": HELD,
    "withdrawn": "stopped",
    CHECKPOINT: CHECKPOINT,
}
_TROUBLE = frozenset(
    {"nan", "guardian_failed", "warned", "script_changed", "not_retried", "resume_doubtful", "torn_checkpoint", "disk"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """`word` chooses the glyph; a row with a `day` alone is the rule before another day."""

    time: str = ""
    word: str = ""
    token: Token = Token.MUTED
    sentence: str = ""
    day: str | None = None


def event_rows(events: Sequence[JsonObject], snapshot: Snapshot) -> tuple[EventRow, ...]:
    """The rows; the rule of a day stands above its newest event, but for today."""
    today = durations.day(snapshot.moment.wall)
    rows: list[EventRow] = []
    shown = today
    for one in reversed(events):
        at = _time(one)
        day = shown if at is None else durations.day(at)
        if day != shown:
            rows.append(EventRow(day=day))
            shown = day
        rows.append(_row(one, at))
    return tuple(rows)


def _row(one: JsonObject, at: float | None) -> EventRow:
    kind = str(one.get("event") or "")
    word = str(one.get("status") or "") if kind in ("ended", "attempt_ended") else _WORDS.get(kind, "")
    word = DONE if word == "completed" else word
    token = Token.WARN if kind in _TROUBLE else Token.VIOLET if kind == CHECKPOINT else TOKENS.get(word, Token.MUTED)
    return EventRow(
        time="" if at is None else durations.clock_with_seconds(at),
        word=word,
        token=token,
        sentence=_sentence(one, kind),
    )


def _sentence(one: JsonObject, kind: str) -> str:
    message = neutral(str(one.get("message") or ""))
    said = neutral(kind.replace("_", " "))
    if not message or message == said:
        return said
    return message if message.startswith(said) else f"{said}: {message}"


def _time(one: JsonObject) -> float | None:
    try:
        return from_iso(one.get("time"))
    except (TypeError, ValueError):
        return None
