"""The charts of a run's metrics: one large with what it is on other data, the others small, all over the same x."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from backprop_tui.domain.attempts import Attempts
from backprop_tui.domain.course import Course
from backprop_tui.domain.metric_names import main_loss, validation_of
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.plotting.axis import Axis
from backprop_tui.plotting.by import By
from backprop_tui.plotting.scale import Scale
from backprop_tui.plotting.track import Track, Tracks, x_scale, y_scale
from backprop_tui.presentation.known_run import KnownRun
from backprop_tui.tui.charts.chart import Chart, Curve, Unit
from backprop_tui.tui.charts.choices import AXIS_WORDS, ChartChoices
from backprop_tui.tui.charts.course_curves import curves_of, shown, value_at
from backprop_tui.tui.charts.figures import RunFigures
from backprop_tui.tui.tokens import Token

NOTHING_YET = "No figures yet. Understood: JSON, tqdm, HF, Lightning, Keras, timm, YOLO, loss: 0.5, …"
UNITS = {By.STEP: Unit.STEPS, By.TIME: Unit.SECONDS, By.CLOCK: Unit.SECONDS}


class Plotter:
    """What all charts of a run share; `name` is the chosen metric, `beside` the same on data not trained on."""

    def __init__(
        self, known: KnownRun, figures: RunFigures, choices: ChartChoices, tracks: Tracks | None = None
    ) -> None:
        """`tracks` are kept from paint to paint."""
        self._tracks = tracks or Tracks()
        self.known, self.figures, self.choices = known, figures, choices
        metrics = figures.metrics
        first = choices.matching(metrics) if choices.wanted else metrics
        chosen = choices.metric if choices.metric in first else None
        self.name = chosen or main_loss(first) or next(iter(first), None)
        self.beside = None if self.name is None else validation_of(self.name, metrics)
        self.axis = Axis(attempts=Attempts.of(figures.run), by=choices.by)
        self.large = [self.track(metrics[one]) for one in (self.name, self.beside) if one is not None]
        self.whole = x_scale(self.large, total=self.total)

    def track(self, course: Course) -> Track:
        """A metric of the run on the chosen axis."""
        return self._tracks.of(course, self.axis, run_id=self.figures.run_id)

    @property
    def total(self) -> float | None:
        """Of steps, as planned."""
        live = self.known.live
        total = live.total_steps if live is not None else self.known.record.get("total_steps")
        return float(total) if total else None

    @property
    def x(self) -> Scale:
        """The part that is shown."""
        return self.whole if self.choices.window is None else Scale(*self.choices.window)

    def y(self, tracks: Sequence[Track]) -> Scale:
        """Of what is shown."""
        return y_scale(tracks, log=self.choices.log, window=self.choices.window)

    def note(self) -> str:
        """What is chosen, in words."""
        words = [AXIS_WORDS[self.choices.by]] if self.choices.by is not By.STEP else []
        words += ["log scale"] if self.choices.log else []
        words += [self.choices.wanted_words] if self.choices.wanted_words else []
        words += ["zoomed"] if self.choices.window is not None else []
        words += [] if self.figures.caught_up else ["reading"]
        return ", ".join(words)

    def checkpoints(self) -> Iterator[float]:
        """Where they were saved."""
        live, run = self.known.live, self.known.run
        for one in live.checkpoints if live is not None else () if run is None else run.checkpoints:
            if self.axis.by is not By.STEP:
                yield self.axis.moment(one.saved_at)
            elif one.step is not None:
                yield float(one.step)


def large_chart(plotter: Plotter) -> Chart:
    """The chosen metric, and what it is on data that is not trained on."""
    if plotter.name is None:
        return Chart(title="metrics", nothing=plotter.figures.problem or NOTHING_YET)
    tracks = plotter.large
    holes = sorted({plotter.axis.place(hole) for track in tracks for hole in track.course.holes})
    return Chart(
        title=sanitize(plotter.name),
        name=plotter.name,
        value="" if len(tracks) > 1 else _value(plotter, tracks[0]),
        note=plotter.note(),
        curves=tuple(_main_curves(plotter, tracks)),
        x=plotter.x,
        y=plotter.y(tracks),
        x_unit=UNITS[plotter.axis.by],
        checkpoints=tuple(plotter.checkpoints()),
        restarts=plotter.axis.restarts(tracks[0].course),
        holes=tuple(holes),
        cursor=plotter.choices.cursor,
        dragged=plotter.choices.dragged,
        nothing="no finite value",
    )


def _main_curves(plotter: Plotter, tracks: Sequence[Track]) -> list[Curve]:
    two = len(tracks) > 1
    names = (("train", "t"), ("val", "v")) if two else (("", "*"),)
    found: list[Curve] = []
    for track, (label, letter), token in zip(tracks, names, (Token.ACCENT, Token.WARN), strict=False):
        value = _value(plotter, track)
        shape = Curve(label=label, value=value, token=token, letter=letter, pieces=(), ends_in_letter=two)
        few = token is Token.WARN  # what is measured now and then needs no smoothing
        found += curves_of(track, shape=shape, stretches=0 if few else plotter.choices.stretches)
    return found


def _value(plotter: Plotter, track: Track) -> str:
    """At the cursor, or the newest."""
    place = plotter.choices.cursor
    return shown(track.course) if place is None else value_at(track, place)


def small_chart(plotter: Plotter, course: Course, *, among: bool) -> Chart:
    """One of several; `among` them may be the chosen one."""
    track = plotter.track(course)
    shape = Curve(label="", token=Token.INFO, letter="*", pieces=())
    return Chart(
        title=sanitize(course.name),
        name=course.name,
        value=_value(plotter, track),
        curves=tuple(curves_of(track, shape=shape, stretches=plotter.choices.stretches)),
        x=plotter.x,
        y=plotter.y([track]),
        x_unit=UNITS[plotter.axis.by],
        holes=tuple(plotter.axis.place(hole) for hole in course.holes),
        restarts=plotter.axis.restarts(course),
        cursor=plotter.choices.cursor,
        nothing="no finite value",
        chosen=among and course.name == plotter.name,
    )
