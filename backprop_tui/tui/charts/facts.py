"""Single lines about a run's progress, shown beside its charts: values, pace, resumes, gaps, checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from backprop_tui.domain.formatting import from_iso
from backprop_tui.domain.metric_series import MetricSeries
from backprop_tui.domain.resume_check import DOUBTFUL
from backprop_tui.domain.run import AttemptTimeline
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.plotting.axes import find_restarts, parse_time, trimmed_range
from backprop_tui.presentation import durations, numbers
from backprop_tui.presentation.known_run import KnownRun, Moment, eta_seconds
from backprop_tui.tui.charts.metric_charts import Plotter
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.tokens import Line, Piece, Token

_NEARBY_BUCKETS = 5  # compared before and after a resume
_JUMP = 0.25  # of the range of the curve


def run_facts(plotter: Plotter, moment: Moment, glyphs: Glyphs) -> Iterator[Line]:
    """The lines about a run; a line that does not apply is empty."""
    if plotter.large:
        yield _values_at_cursor(plotter)
        yield _pace_line(plotter.known, moment)
        yield _resume_line(plotter)
        yield _gap_line(plotter)
    yield _checkpoint_line(plotter.known, moment, glyphs)


def _values_at_cursor(plotter: Plotter) -> Line:
    """`at cursor step 38.4k  0:12:31  2.2137  2.342`."""
    cursor, attempts = plotter.choices.cursor, plotter.axis.attempts
    buckets = [track.nearest(cursor) for track in plotter.large]
    first = buckets[0]
    if first is None:
        return ()
    values = [
        Piece(f"  {numbers.metric(bucket.last)}", token)
        for bucket, token in zip(buckets, (Token.ACCENT, Token.WARN), strict=False)
        if bucket is not None
    ]
    time = parse_time(first.time)
    elapsed = f"  {durations.elapsed(attempts.elapsed(time))}" if time and attempts.starts else ""
    words = Piece("newest " if cursor is None else "at cursor ", Token.MUTED)
    return words, Piece(f"step {numbers.count(first.step)}"), Piece(elapsed, Token.MUTED), *values


def _resume_line(plotter: Plotter) -> Line:
    """What the guardian found out about the newest resume, else what the curve shows; empty without a resume."""
    check = plotter.known.record.get("resume_check")
    if check:
        words = f"attempt {check['attempt']} {sanitize(str(check['message']))}"
        return Piece("resume ", Token.MUTED), Piece(words, Token.WARN if check["verdict"] in DOUBTFUL else Token.FG)
    resumes = _describe_resumes(plotter.large[0].series, plotter.axis.attempts)
    if resumes is None:
        return ()
    words, is_suspicious = resumes
    return Piece("resumed ", Token.MUTED), Piece(words, Token.WARN if is_suspicious else Token.FG)


def _describe_resumes(series: MetricSeries, attempts: AttemptTimeline) -> tuple[str, bool] | None:
    """How often a run was resumed and how the metric continued, and whether that is suspicious; None if never."""
    restarts = find_restarts(series, attempts)
    if not restarts:
        return None
    low, high = trimmed_range([bucket.mean for bucket in series.buckets])
    times = {1: "once", 2: "twice"}.get(len(restarts), f"{len(restarts)} times")
    for index, bucket in reversed(restarts):
        if bucket.step <= series.buckets[0].step < series.buckets[index - 1].step:
            return f"{times}, started over at step {bucket.step:.0f}", True
        before = median(near.mean for near in series.buckets[max(0, index - _NEARBY_BUCKETS) : index])
        after = median(near.mean for near in series.buckets[index : index + _NEARBY_BUCKETS])
        if abs(after - before) > _JUMP * (high - low):
            return f"{times}, {sanitize(series.name)} jumped at step {bucket.step:.0f}", True
    return f"{times}, no jump in {sanitize(series.name)}", False


def _gap_line(plotter: Plotter) -> Line:
    """`! loss not finite 3 times, first at 1.20k`; empty if all values were finite."""
    series = next((track.series for track in plotter.large if track.series.holes), None)
    if series is None:
        return ()
    times = "once" if series.not_finite == 1 else f"{numbers.count(series.not_finite)} times"
    where = f"first at {numbers.count(series.holes[0].step)}"
    return Piece("!", Token.BAD), Piece(f" {sanitize(series.name)} not finite {times}, {where}")


def _pace_line(known: KnownRun, moment: Moment) -> Line:
    """`pace 118 ms/step  ETA 13m, at 14:44`; empty if the pace is unknown."""
    pace = known.curve.step_seconds
    if pace is None:
        return ()
    words = f"{pace * 1000:.0f} ms/step" if pace < 0.9995 else f"{pace:.1f} s/step"
    if pace < 0.001:
        words = f"{numbers.count(1 / pace)} steps/s"
    line = [Piece("pace ", Token.MUTED), Piece(words)]
    eta = None if known.live is None else eta_seconds(known, known.live)
    if eta is not None and known.live is not None and known.live.total_steps:
        line += [
            Piece("  ETA ", Token.MUTED),
            Piece(durations.eta(eta)),
            Piece(", at ", Token.MUTED),
            Piece(durations.clock(moment.wall + eta)),
        ]
    return tuple(line)


def _checkpoint_line(known: KnownRun, moment: Moment, glyphs: Glyphs) -> Line:
    """`◆ 5 checkpoints, newest 1m ago, verified`; empty without checkpoints."""
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
        line.append(Piece(", verified" if sound else ", damaged", Token.FG if sound else Token.BAD))
    return tuple(line)
