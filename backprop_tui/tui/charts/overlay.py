"""Curves of one metric of any number of runs in one chart."""

from __future__ import annotations

from collections.abc import Sequence

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.metric_series import MetricSeries
from backprop_tui.domain.run import AttemptTimeline
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.plotting.axes import Axis, Scale
from backprop_tui.plotting.canvas import Bar
from backprop_tui.plotting.track import Pieces, PlottedSeries, PlottedSeriesCache, y_scale
from backprop_tui.presentation.compare import ComparedRun
from backprop_tui.presentation.curves import X_UNITS, missing_text
from backprop_tui.tui.charts.chart import Chart, ChartCurve
from backprop_tui.tui.charts.choices import AXIS_WORDS, ChartChoices
from backprop_tui.tui.charts.metric_charts import last_value_text
from backprop_tui.tui.lines import Token

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CATEGORY_TOKENS = (Token.ACCENT, Token.WARN, Token.VIOLET, Token.OK, Token.BAD, Token.FG)
RAMP_TOKENS = (Token.RAMP_1, Token.RAMP_2, Token.RAMP_3, Token.RAMP_4, Token.RAMP_5, Token.RAMP_6)
MAX_BARS = 600  # of a curve: more columns of dots than a wide terminal has for a chart
MIN_BARS, MAX_BARS_TOGETHER = 60, 12_000
_MAX_POINTS = 4000  # that the cursor stops at


def letter_of(index: int) -> str:
    return LETTERS[index % len(LETTERS)]


def category_token(index: int) -> Token:
    return CATEGORY_TOKENS[index % len(CATEGORY_TOKENS)]


def ramp_token(index: int, count: int) -> Token:
    """The color of the value at `index` of `count` ascending ones."""
    last = len(RAMP_TOKENS) - 1
    return RAMP_TOKENS[round(index * last / (count - 1)) if count > 1 else 0]


class OverlayCache:
    """Keeps what was computed of the curves, so that a key press does not compute it again."""

    def __init__(self) -> None:
        self._tracks = PlottedSeriesCache()
        self._pieces: dict[tuple[str, str], tuple[PlottedSeries, tuple[int, int], Pieces]] = {}

    def track(self, series: MetricSeries, run: ComparedRun, choices: ChartChoices) -> PlottedSeries:
        axis = Axis(attempts=AttemptTimeline.of(run.run), by=choices.by)
        return self._tracks.of(series, axis, run_id=run.known.id)

    def pieces(self, track: PlottedSeries, run_id: str, stretches: int, most: int) -> Pieces:
        """The curve with about `most` bars."""
        key = (run_id, track.series.name)
        cached = self._pieces.get(key)
        if cached is None or cached[0] is not track or cached[1] != (stretches, most):
            cached = self._pieces[key] = (track, (stretches, most), thinned(track.drawn(stretches).pieces, most))
        return cached[2]


def thinned(pieces: Pieces, most: int) -> Pieces:
    """The curve with neighboring bars merged into one from their minimum to their maximum, if it has too many."""
    size = -(-sum(map(len, pieces)) // most)
    if size <= 1:
        return pieces
    return tuple(tuple(_merged(piece[at : at + size]) for at in range(0, len(piece), size)) for piece in pieces)


def _merged(bars: Sequence[Bar]) -> Bar:
    return bars[-1][0], min(low for _, low, _ in bars), max(high for _, _, high in bars)


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class OverlaidRun:
    """A run with the color and the letter of its curve; only a curve that `ends_in_letter` has it at its end.

    `column` is its index where not all runs are drawn.
    """

    compared: ComparedRun
    token: Token
    letter: str
    ends_in_letter: bool = True
    column: int = 0


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """`tracks` has each curve with its run, `whole` is the full range of x, `points` has the x of the points."""

    chart: Chart
    tracks: Sequence[tuple[OverlaidRun, PlottedSeries]]
    whole: Scale
    points: tuple[float, ...]


def overlay_of(runs: Sequence[OverlaidRun], metric: str | None, choices: ChartChoices, cache: OverlayCache) -> Overlay:
    tracks = []
    for run in runs:
        series = None if metric is None else run.compared.metrics.get(metric)
        if series is not None and series.buckets:
            tracks.append((run, cache.track(series, run.compared, choices)))
    whole = Scale(0.0, max([1.0, *(max(track.positions) for _, track in tracks)]))
    points = sorted({x for _, track in tracks for x in track.positions})
    is_read = all(run.compared.is_read for run in runs)
    chart = Chart(title="curves", empty_text="these runs have no metrics" if is_read else "reading")
    if metric is not None and not tracks and is_read:
        chart = Chart(title=sanitize(metric), empty_text="no points on record, only the values above")
    elif metric is not None and tracks:
        chart = _chart(metric, tracks, whole, choices, cache)
    every = -(-len(points) // _MAX_POINTS) or 1
    return Overlay(chart=chart, tracks=tracks, whole=whole, points=tuple(points[::-every][::-1]))


def _chart(
    metric: str,
    tracks: Sequence[tuple[OverlaidRun, PlottedSeries]],
    whole: Scale,
    choices: ChartChoices,
    cache: OverlayCache,
) -> Chart:
    notes = [AXIS_WORDS[choices.by], *(["log scale"] if choices.log else [])]
    notes += ["zoomed"] if choices.window is not None else []
    most = max(MIN_BARS, min(MAX_BARS, MAX_BARS_TOGETHER // max(1, len(tracks))))
    curves = [
        ChartCurve(
            label="",
            value=last_value_text(track.series),
            token=run.token,
            letter=run.letter,
            pieces=cache.pieces(track, run.compared.known.id, choices.stretches, most),
            ends_in_letter=run.ends_in_letter,
        )
        for run, track in tracks
    ]
    return Chart(
        title=sanitize(metric),
        note=", ".join(notes),
        warning=missing_text([run.letter for run, track in tracks if track.series.skips]),
        curves=tuple(curves),
        x=whole if choices.window is None else Scale(*choices.window),
        y=y_scale([track for _, track in tracks], log=choices.log, window=choices.window),
        x_unit=X_UNITS[choices.by],
        cursor=choices.cursor,
        dragged=choices.dragged,
        empty_text="no finite value",
    )
