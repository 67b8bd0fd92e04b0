"""The Metrics tab: the chosen metric large, others small, a table of all, and what is to say about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backprop_tui.domain.course import Course
from backprop_tui.domain.metric_names import main_loss, validation_of
from backprop_tui.domain.values import dataclass
from backprop_tui.plotting.scale import Scale
from backprop_tui.presentation import numbers
from backprop_tui.presentation.known_run import Moment
from backprop_tui.tui.charts.chart import Chart
from backprop_tui.tui.charts.course_charts import Plotter, large_chart, small_chart
from backprop_tui.tui.charts.course_curves import shown
from backprop_tui.tui.charts.facts import facts_of
from backprop_tui.tui.glyphs import Glyphs
from backprop_tui.tui.tokens import Line, Token

_TREND_POINTS = 64
_MOST_READ = 64  # rows whose value at the cursor is looked for, around the chosen one


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """One metric; `token` is the colour of its curve in the large chart, None where it has none there.

    `at` is its value at the cursor; None where there is no cursor.
    """

    name: str
    last: str
    best: str
    bad: bool
    trend: tuple[float, ...]
    chosen: bool
    token: Token | None
    at: str | None = None

    @property
    def now(self) -> str:
        """At the cursor, or the last."""
        return self.last if self.at is None else self.at


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsView:
    """`rows` and `facts` stand beside the charts; `large` is the chosen metric, `small` those that follow it.

    In a grid there are only the small ones, a page of them with the chosen one, `first` being the place of the
    first. `whole` is all of x, of which the charts may show a part.
    """

    large: Chart
    small: tuple[Chart, ...]
    rows: tuple[MetricRow, ...]
    facts: tuple[Line, ...]
    whole: Scale = Scale(0.0, 1.0)
    grid: bool = False
    first: int = 0
    note: str = ""

    @property
    def steered(self) -> bool:
        """Whether a part of x is shown, a cursor reads, or not all metrics are wanted."""
        return self.large.cursor is not None or self.large.x != self.whole or bool(self.note)

    @property
    def chosen_place(self) -> int:
        """Of the chosen row; the first where none is."""
        return next((place for place, row in enumerate(self.rows) if row.chosen), 0)


def metrics_view(plotter: Plotter, moment: Moment, glyphs: Glyphs, *, most: int = 3) -> MetricsView:
    """The tab of one run, with room for `most` small charts."""
    choices, metrics = plotter.choices, plotter.figures.metrics
    name, beside = plotter.name, plotter.beside
    names = _in_order(choices.matching(metrics), metrics)
    place = names.index(name) if name in names else 0
    others = [one for one in [*names[place + 1 :], *names[:place]] if one not in (name, beside)]
    first = place // most * most if choices.grid else 0
    wanted = names[first : first + most] if choices.grid else others[:most]
    return MetricsView(
        large=large_chart(plotter),
        small=tuple(small_chart(plotter, metrics[one], among=choices.grid) for one in wanted),
        rows=tuple(_rows(plotter, [metrics[one] for one in names], place)),
        facts=tuple(line for line in facts_of(plotter, moment, glyphs) if line),
        whole=plotter.whole,
        grid=choices.grid and bool(names),
        first=first,
        note=f"{choices.wanted_words} {len(names)} of {len(metrics)}" if choices.wanted_words else "",
    )


def _in_order(names: Sequence[str], metrics: Mapping[str, Course]) -> list[str]:
    """The loss, what it is on other data, then as they came."""
    loss = main_loss(metrics)
    first = (loss, None if loss is None else validation_of(loss, metrics))
    return sorted(names, key=lambda name: first.index(name) if name in first else len(first))


def _rows(plotter: Plotter, courses: Sequence[Course], chosen: int) -> list[MetricRow]:
    read = range(chosen - _MOST_READ // 2, chosen + _MOST_READ // 2)
    return [_row(plotter, course, read=place in read) for place, course in enumerate(courses)]


def _row(plotter: Plotter, course: Course, *, read: bool) -> MetricRow:
    last, name, place = shown(course), course.name, plotter.choices.cursor
    token = Token.ACCENT if name == plotter.name else Token.WARN if name == plotter.beside else None
    at = plotter.track(course).nearest(place) if read and place is not None else None
    return MetricRow(
        name=name,
        last=last,
        best="" if course.best is None else numbers.metric(course.best.value),
        bad=last.lstrip("-") in ("NaN", "inf"),
        trend=tuple(one.mean for one in course.buckets[:: max(1, len(course.buckets) // _TREND_POINTS)]),
        chosen=name == plotter.name,
        token=token,
        at=None if at is None else numbers.metric(at.last),
    )
