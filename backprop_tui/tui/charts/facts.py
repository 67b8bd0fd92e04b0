"""Single lines about a run's progress: its pace, its checkpoints."""

from __future__ import annotations

from backprop_tui.domain.times import from_iso
from backprop_tui.tui.snapshot import KnownRun, Moment
from backprop_tui.tui.view.run_row import eta_seconds
from backprop_tui.tui.view.tokens import Line, Piece, Token
from backprop_tui.tui.wording import durations, numbers
from backprop_tui.tui.wording.glyphs import Glyphs


def pace_fact(known: KnownRun, moment: Moment) -> Line:
    """`pace 118 ms/step  60k in 13m  14:44`; empty where it has none."""
    pace = known.curve.step_seconds
    if pace is None:
        return ()
    words = f"{pace * 1000:.0f} ms/step" if pace < 0.9995 else f"{pace:.1f} s/step"
    if pace < 0.001:
        words = f"{numbers.count(1 / pace)} steps/s"
    line = [Piece("pace ", Token.MUTED), Piece(words)]
    left = None if known.live is None else eta_seconds(known, known.live)
    if left is not None and known.live is not None and known.live.total_steps:
        line += [
            Piece(f"  {numbers.goal(known.live.total_steps)} in ", Token.MUTED),
            Piece(durations.eta(left)),
            Piece(f"  {durations.clock(moment.wall + left)}"),
        ]
    return tuple(line)


def checkpoint_fact(known: KnownRun, moment: Moment, glyphs: Glyphs) -> Line:
    """`◆ 5 checkpoints, newest 1m ago, sound`; empty where none is known."""
    if known.live is not None and known.live.checkpoints:
        saved_at: float | None = known.live.checkpoints[-1].saved_at
        count, sound = len(known.live.checkpoints), known.live.checkpoints[-1].sound
    else:
        records = known.record.get("checkpoints") or ()
        if not records:
            return ()
        newest = records[-1]
        count, sound, saved_at = len(records), newest.get("sound"), from_iso(newest.get("saved_at"))
    words = f" {count} checkpoint{'s' if count > 1 else ''}"
    if saved_at is not None:
        words += f", newest {durations.ago(moment.wall - saved_at)} ago"
    line = [Piece(glyphs.checkpoint, Token.VIOLET), Piece(words)]
    if sound is not None:
        line.append(Piece(", sound" if sound else ", not sound", Token.FG if sound else Token.BAD))
    return tuple(line)
