"""What the person at the screen chose about charts; it stays chosen across runs."""

from __future__ import annotations

from backprop_tui.domain.values import dataclass

# By how many stretches of a curve its mean is taken at each place: 0 leaves it as it is.
SMOOTHINGS = (("usual", 60), ("strong", 20), ("off", 0), ("light", 150))
RANGES_SECONDS = (1800.0, 7200.0, 600.0)  # of the resources


@dataclass(slots=True)
class ChartChoices:
    """`metric` None is the loss. `cursor` is a place on x, None the newest point."""

    metric: str | None = None
    by_time: bool = False
    log: bool = False
    smoothing: int = 0
    cursor: float | None = None
    resources_range: int = 0

    @property
    def stretches(self) -> int:
        """See `SMOOTHINGS`."""
        return SMOOTHINGS[self.smoothing][1]

    @property
    def range_seconds(self) -> float:
        """How far back the resources are shown."""
        return RANGES_SECONDS[self.resources_range]

    def next_axis(self) -> None:
        """By time instead of by step, or back; a place on one is none on the other."""
        self.by_time, self.cursor = not self.by_time, None

    def next_smoothing(self) -> str:
        """The next one; its word."""
        self.smoothing = (self.smoothing + 1) % len(SMOOTHINGS)
        return SMOOTHINGS[self.smoothing][0]

    def next_range(self) -> None:
        """Another range of the resources."""
        self.resources_range = (self.resources_range + 1) % len(RANGES_SECONDS)
