"""Single lines about a run's progress: its pace, its checkpoints."""

from __future__ import annotations

from collections.abc import Iterator

from backprop_tui.domain.resume_check import DOUBTFUL
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.times import from_iso
from backprop_tui.plotting.axis import seconds_of
from backprop_tui.presentation import durations, numbers
from backprop_tui.presentation.known_run import KnownRun, Moment, eta_seconds
from backprop_tui.tui.charts.course_charts import Plotter
from backprop_tui.tui.charts.resumed import resume_words
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.tokens import Line, Piece, Token


def facts_of(plotter: Plotter, moment: Moment, glyphs: Glyphs) -> Iterator[Line]:
    """At the cursor; pace; resumes; checkpoints."""
    if plotter.large:
        yield _at_cursor(plotter)
        yield pace_fact(plotter.known, moment)
        yield _resume_fact(plotter)
        yield _hole_fact(plotter)
    yield checkpoint_fact(plotter.known, moment, glyphs)


def _at_cursor(plotter: Plotter) -> Line:
    """`at cursor step 38.4k  0:12:31  2.2137  2.342`."""
    place, axis = plotter.choices.cursor, plotter.axis
    found = [track.nearest(place) for track in plotter.large]
    first = found[0]
    if first is None:
        return ()
    values = [
        Piece(f"  {numbers.metric(one.last)}", token)
        for one, token in zip(found, (Token.ACCENT, Token.WARN), strict=False)
        if one is not None
    ]
    at = seconds_of(first.time)
    time = f"  {durations.elapsed(axis.attempts.elapsed(at))}" if at and axis.attempts.starts else ""
    words = Piece("newest " if place is None else "at cursor ", Token.MUTED)
    return words, Piece(f"step {numbers.count(first.step)}"), Piece(time, Token.MUTED), *values


def _resume_fact(plotter: Plotter) -> Line:
    """What the guardian found out of the newest resume, else what the curve shows; empty where there was none."""
    check = plotter.known.record.get("resume_check")
    if check:
        words = f"attempt {check['attempt']} {sanitize(str(check['message']))}"
        return Piece("resume ", Token.MUTED), Piece(words, Token.WARN if check["verdict"] in DOUBTFUL else Token.FG)
    resumed = resume_words(plotter.large[0].course, plotter.axis.attempts)
    if resumed is None:
        return ()
    words, jumped = resumed
    return Piece("resumed ", Token.MUTED), Piece(words, Token.WARN if jumped else Token.FG)


def _hole_fact(plotter: Plotter) -> Line:
    """`! loss not finite 3 times, first at 1.20k`; empty where it always was."""
    course = next((one.course for one in plotter.large if one.course.holes), None)
    if course is None:
        return ()
    times = "once" if course.not_finite == 1 else f"{numbers.count(course.not_finite)} times"
    where = f"first at {numbers.count(course.holes[0].step)}"
    return Piece("!", Token.BAD), Piece(f" {sanitize(course.name)} not finite {times}, {where}")


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
            Piece(f"  {numbers.compact_count(known.live.total_steps)} in ", Token.MUTED),
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
        words += f", newest {durations.ago(moment.wall - saved_at)}"
    line = [Piece(glyphs.checkpoint, Token.VIOLET), Piece(words)]
    if sound is not None:
        line.append(Piece(", sound" if sound else ", not sound", Token.FG if sound else Token.BAD))
    return tuple(line)
