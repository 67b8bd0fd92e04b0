"""What the person at the screen chose about charts; it stays chosen across runs."""

from __future__ import annotations

import re
from collections.abc import Iterable

from backprop_tui.domain.values import dataclass
from backprop_tui.plotting.by import By

# By how many stretches of a curve its mean is taken at each place: 0 leaves it as it is.
SMOOTHINGS = (("usual", 60), ("strong", 20), ("off", 0), ("light", 150))
RANGES_SECONDS = (1800.0, 7200.0, 600.0)  # of the resources
_AXES = (By.STEP, By.TIME, By.CLOCK)
Window = tuple[float, float]  # the part of x that is shown
AXIS_WORDS = {By.STEP: "by step", By.TIME: "by time", By.CLOCK: "by clock time"}


@dataclass(slots=True)
class ChartChoices:
    """`metric` None is the loss. `cursor` is a place on x, None the newest point; `window` None is the whole of x.

    `dragged` is a part of x that is being chosen; `wanted` a regular expression for names of metrics, to which more may
    be typed; `grid` shows all of them alike.
    """

    metric: str | None = None
    by: By = By.STEP
    log: bool = False
    smoothing: int = 0
    cursor: float | None = None
    window: Window | None = None
    dragged: Window | None = None
    grid: bool = False
    wanted: str = ""
    typing: bool = False
    resources_range: int = 0

    @property
    def stretches(self) -> int:
        """See `SMOOTHINGS`."""
        return SMOOTHINGS[self.smoothing][1]

    @property
    def range_seconds(self) -> float:
        """How far back the resources are shown."""
        return RANGES_SECONDS[self.resources_range]

    @property
    def next_by(self) -> By:
        """The axis after this one."""
        return _AXES[(_AXES.index(self.by) + 1) % len(_AXES)]

    def next_axis(self) -> None:
        """Another axis; a place on one is none on the other."""
        self.by = self.next_by
        self.forget_places()

    def forget_places(self) -> None:
        """Another axis or run: what was read and zoomed into means nothing there."""
        self.cursor = self.window = self.dragged = None

    def next_smoothing(self) -> str:
        """The next one; its word."""
        self.smoothing = (self.smoothing + 1) % len(SMOOTHINGS)
        return SMOOTHINGS[self.smoothing][0]

    def next_range(self) -> None:
        """Another range of the resources."""
        self.resources_range = (self.resources_range + 1) % len(RANGES_SECONDS)

    @property
    def wanted_words(self) -> str:
        """`/loss`, with a place for the next letter while it is typed; empty where all metrics are wanted."""
        return f"/{self.wanted}{'_' if self.typing else ''}" if self.wanted or self.typing else ""

    def matching(self, names: Iterable[str]) -> list[str]:
        """The metrics that are wanted; all of them where the expression is none or matches nothing."""
        known = list(names)
        try:
            found = [name for name in known if re.search(self.wanted, name, re.IGNORECASE)]
        except re.error:
            return known
        return found or known
