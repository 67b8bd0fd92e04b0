"""The charts of a run's metrics, and lines about its progress."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median

from backprop_tui.domain.formatting import counted, from_iso
from backprop_tui.domain.metric_names import main_loss, validation_counterpart
from backprop_tui.domain.metric_series import MetricSeries
from backprop_tui.domain.resume_verdict import DOUBTFUL, attempt_message
from backprop_tui.domain.run import AttemptTimeline
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.domain.status import ENDED
from backprop_tui.plotting.axes import Axis, Scale, XUnit, find_restarts, parse_time, trimmed_range
from backprop_tui.plotting.track import PlottedSeries, PlottedSeriesCache, Style, Window, x_scale, y_scale
from backprop_tui.presentation import durations, numbers
from backprop_tui.presentation.curves import FIGURES_MISSING, X_UNITS, train_and_gap
from backprop_tui.presentation.known_run import KnownRun, Moment
from backprop_tui.tui.charts.chart import Chart, ChartCurve
from backprop_tui.tui.charts.choices import AXIS_WORDS, ChartChoices
from backprop_tui.tui.charts.source import ChartData
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.lines import Line, Piece, Token

_UNDERSTOOD = "Understood: JSON, tqdm, HF, Lightning, Keras, timm, YOLO, loss: 0.5, …"
_NEARBY_BUCKETS = 5  # compared before and after a resume
_JUMP = 0.25  # of the range of the curve


class Plotter:
    """What all charts of a run share; `name` is the selected metric, `validation` the same on validation data."""

    def __init__(
        self, known: KnownRun, data: ChartData, choices: ChartChoices, tracks: PlottedSeriesCache | None = None
    ) -> None:
        """`tracks` is a cache that the caller keeps from one paint to the next."""
        self._tracks = tracks or PlottedSeriesCache()
        self.known, self.data, self.choices = known, data, choices
        metrics = data.metrics
        names = choices.matching(metrics) if choices.name_filter else metrics
        chosen = choices.metric if choices.metric in names else None
        self.name = chosen or main_loss(names) or next(iter(names), None)
        self.validation = None if self.name is None else validation_counterpart(self.name, metrics)
        self.axis = Axis(attempts=AttemptTimeline.of(data.run), by=choices.by)
        self.large = [self.track(metrics[name]) for name in (self.name, self.validation) if name is not None]
        total = known.record.get("total_steps") if known.live is None else known.live.total_steps
        self.planned = float(total) if total and choices.by is XUnit.STEP else None
        self.whole = x_scale(self.large, total=self.planned if choices.shows_plan else None)

    def track(self, series: MetricSeries) -> PlottedSeries:
        return self._tracks.of(series, self.axis, run_id=self.data.run_id)

    @property
    def x(self) -> Scale:
        return self.whole if self.choices.window is None else Scale(*self.choices.window)

    def note(self) -> str:
        """The choices that differ from the default, as text."""
        notes = [AXIS_WORDS[self.choices.by]] if self.choices.by is not XUnit.STEP else []
        notes += [log_note(self.large)] if self.choices.log else []
        notes += [self.choices.filter_text] if self.choices.filter_text else []
        notes += ["zoomed"] if self.choices.window is not None else []
        notes += [] if self.data.caught_up else ["reading"]
        return ", ".join(notes)

    def pauses(self) -> tuple[Window, ...]:
        """The pauses on an axis of time; one that lasts ends with the axis."""
        return tuple(
            (self.axis.moment(start), self.whole.high if end is None else self.axis.moment(end))
            for start, end in self.data.pauses
        )

    def checkpoints(self) -> Iterator[float]:
        live, run = self.known.live, self.known.run
        for checkpoint in live.checkpoints if live is not None else () if run is None else run.checkpoints:
            if not checkpoint.written:
                continue
            if self.axis.by is not XUnit.STEP:
                yield self.axis.moment(checkpoint.saved_at)
            elif checkpoint.step is not None:
                yield float(checkpoint.step)


def log_note(tracks: Sequence[PlottedSeries]) -> str:
    """Says what a logarithmic scale cannot show."""
    if not any(track.series.most is not None and track.series.most.value > 0 for track in tracks):
        return "no value above 0 for a log scale"
    is_cut = any(track.series.least is not None and track.series.least.value <= 0 for track in tracks)
    return "log scale without values of 0 and less" if is_cut else "log scale"


def large_chart(plotter: Plotter) -> Chart:
    """The chart of the selected metric and its validation curve."""
    if plotter.name is None:
        return Chart(title="metrics", empty_text=plotter.data.problem or _why_empty(plotter))
    train, gap = train_and_gap(*plotter.large, cursor=plotter.choices.cursor)
    return replace(
        _metric_chart(plotter, plotter.large, _train_and_validation_curves(plotter, plotter.large, train)),
        note=plotter.note(),
        warning=FIGURES_MISSING if any(track.series.skips for track in plotter.large) else "",
        gap=gap,
        checkpoints=tuple(plotter.checkpoints()),
        dragged=plotter.choices.dragged,
    )


def _why_empty(plotter: Plotter) -> str:
    """Its output has no metrics only if nothing is left to be read, and no value is known from elsewhere."""
    known, is_ended = plotter.known, plotter.known.status in ENDED
    if not plotter.data.caught_up:
        return "reading"
    if known.record.get("metrics") if known.live is None else known.live.metrics:
        return "no points are recorded" if is_ended else "waiting for the first points"
    return f"No metrics{'' if is_ended else ' yet'}. {_UNDERSTOOD}"


def small_chart(plotter: Plotter, series: MetricSeries, *, in_grid: bool) -> Chart:
    """The chart of another metric; in a grid, the selected metric is one of the small charts and is highlighted."""
    track = plotter.track(series)
    template = ChartCurve(label="", token=Token.INFO, letter="*", pieces=())
    curves = metric_curves(track, template=template, stretches=plotter.choices.stretches)
    return replace(_metric_chart(plotter, [track], curves), chosen=in_grid and series.name == plotter.name)


def _metric_chart(plotter: Plotter, tracks: Sequence[PlottedSeries], curves: Sequence[ChartCurve]) -> Chart:
    """The chart of a metric, which is the first of the tracks."""
    series = tracks[0].series
    return Chart(
        title=sanitize(series.name),
        name=series.name,
        value="" if len(tracks) > 1 else _current_value(plotter, tracks[0]),
        curves=tuple(curves),
        x=plotter.x,
        y=y_scale(tracks, log=plotter.choices.log, window=plotter.choices.window),
        x_unit=X_UNITS[plotter.axis.by],
        restarts=plotter.axis.restarts(series),
        holes=tuple(sorted({plotter.axis.place(gap) for track in tracks for gap in track.series.holes})),
        pauses=() if plotter.axis.by is XUnit.STEP else plotter.pauses(),
        planned=plotter.planned if plotter.planned is not None and plotter.planned > plotter.whole.high else None,
        cursor=plotter.choices.cursor,
        empty_text="no finite value",
    )


def _train_and_validation_curves(plotter: Plotter, tracks: Sequence[PlottedSeries], value: str) -> list[ChartCurve]:
    """The training as a line; the validation, which has fewer values, as points that are not smoothed.

    `value` is that of the training to which the gap refers, empty without a gap.
    """
    train, *validation = tracks
    template = ChartCurve(label="train" if validation else "", token=Token.ACCENT, letter="t", pieces=())
    template = replace(template, value=value or _current_value(plotter, train), letter="t" if validation else "*")
    curves = metric_curves(train, template=template, stretches=plotter.choices.stretches)
    for track in validation:
        value = _current_value(plotter, track)
        template = ChartCurve(label="val", value=value, token=Token.WARN, letter="v", pieces=(), style=Style.POINTS)
        curves += metric_curves(track, template=template, stretches=0)
    return curves


def metric_curves(track: PlottedSeries, *, template: ChartCurve, stretches: int) -> list[ChartCurve]:
    """The curve of a metric, last; behind it the range of its values, and faint the steps that were later repeated."""
    drawn = track.drawn(stretches)
    shape = replace(template, label="", value="", token=Token.FAINT, ends_in_letter=False)
    behind = [replace(shape, style=style, pieces=pieces) for style, pieces in drawn.behind]
    return [*behind, replace(template, pieces=drawn.pieces)]


def _current_value(plotter: Plotter, track: PlottedSeries) -> str:
    """The value at the cursor, or the newest."""
    if plotter.choices.cursor is None:
        return last_value_text(track.series)
    bucket = track.nearest(plotter.choices.cursor)
    return numbers.metric(None if bucket is None else bucket.last)


def last_value_text(series: MetricSeries) -> str:
    return numbers.metric(None if series.last is None else series.last.value)


def run_facts(plotter: Plotter, moment: Moment, glyphs: Glyphs) -> Iterator[Line]:
    """The lines about a run; a line that does not apply is empty."""
    if plotter.large:
        values = list(_values_at_cursor(plotter))
        yield from values[:1]
        yield _skip_line(plotter)
        yield _gap_line(plotter)  # before the values that the legend has too: there may be room for two lines only
        yield from values[1:]
        yield _pace_line(plotter.known, moment)
        yield _resume_line(plotter)
    yield _checkpoint_line(plotter.known, moment, glyphs)


def _values_at_cursor(plotter: Plotter) -> Iterator[Line]:
    """`step 38,400  12m31s  train 2.2137`, `val 2.342 at step 38,000`; in one line if both are of the same step."""
    cursor, axis = plotter.choices.cursor, plotter.axis
    buckets = [track.nearest(cursor) for track in plotter.large]
    first = buckets[0]
    if first is None:
        return
    time = parse_time(first.time)
    elapsed = f"  {durations.elapsed(axis.attempts.elapsed(time))}" if time and axis.attempts.starts else ""
    line = [Piece("" if cursor is None else "at ", Token.MUTED), Piece(f"step {numbers.count(first.step)}")]
    line += [Piece(elapsed, Token.MUTED), Piece("  train " if len(buckets) > 1 else "  ", Token.MUTED)]
    line.append(Piece(numbers.metric(first.last), Token.ACCENT))
    for bucket in filter(None, buckets[1:]):
        value = Piece(numbers.metric(bucket.last), Token.WARN)
        if bucket.step == first.step:
            line += [Piece("  val ", Token.MUTED), value]
        else:
            yield tuple(line)
            line = [Piece("val ", Token.MUTED), value, Piece(f" at step {numbers.count(bucket.step)}", Token.MUTED)]
    yield tuple(line)


def _resume_line(plotter: Plotter) -> Line:
    """What the guardian found out about the newest resume, else what the curve shows; empty without a resume."""
    check = plotter.known.record.get("resume_check")
    if check:
        text = sanitize(attempt_message(check["attempt"], check["verdict"], check["message"]))
        return Piece("resume ", Token.MUTED), Piece(text, Token.WARN if check["verdict"] in DOUBTFUL else Token.FG)
    resumes = _describe_resumes(plotter.large[0].series, plotter.axis.attempts)
    if resumes is None:
        return ()
    text, is_suspicious = resumes
    return Piece("resumed ", Token.MUTED), Piece(text, Token.WARN if is_suspicious else Token.FG)


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
    count, step = series.not_finite, numbers.count(series.holes[0].step)
    when = f"at {step}" if count == 1 else f"{numbers.count(count)} times, first at {step}"
    return Piece("!", Token.BAD), Piece(f" {sanitize(series.name)} not finite {when}")


def _skip_line(plotter: Plotter) -> Line:
    if not any(track.series.skips for track in plotter.large):
        return ()
    return Piece("!", Token.WARN), Piece(f" {FIGURES_MISSING}: not all output was read")


def _pace_line(known: KnownRun, moment: Moment) -> Line:
    """`pace 118 ms/step  ETA 13m, at 14:44`; empty if the pace is unknown."""
    live = known.live
    pace = None if live is None else live.step_seconds
    if pace is None:
        return ()
    text = f"{pace * 1000:.0f} ms/step" if pace < 0.9995 else f"{pace:.1f} s/step"
    if pace < 0.001:
        text = f"{numbers.count(1 / pace)} steps/s"
    line = [Piece("pace ", Token.MUTED), Piece(text)]
    eta = None if live is None else live.eta_seconds
    if eta is not None:
        line += [Piece("  ETA ", Token.MUTED), Piece(durations.eta(eta))]
        line += [Piece(", at ", Token.MUTED), Piece(durations.clock_of_day(moment.wall + eta, moment.wall))]
    return tuple(line)


def _checkpoint_line(known: KnownRun, moment: Moment, glyphs: Glyphs) -> Line:
    """`◆ 5 checkpoints, newest 1m ago, intact`; empty without checkpoints."""
    written = [] if known.live is None else [checkpoint for checkpoint in known.live.checkpoints if checkpoint.written]
    if written:
        saved_at: float | None = written[-1].saved_at
        count, sound = len(written), written[-1].sound
    else:
        records = [record for record in known.record.get("checkpoints") or () if record.get("written") is not False]
        if not records:
            return ()
        newest = records[-1]
        count, sound, saved_at = len(records), newest.get("sound"), from_iso(newest.get("saved_at"))
    text = f" {counted(count, 'checkpoint')}"
    if saved_at is not None:
        text += f", newest {durations.ago(moment.wall - saved_at)}"
    line = [Piece(glyphs.checkpoint, Token.VIOLET), Piece(text)]
    if sound is not None:
        line.append(Piece(", intact" if sound else ", damaged", Token.FG if sound else Token.BAD))
    return tuple(line)
