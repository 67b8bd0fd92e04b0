"""Which columns the runs get at a width: granted in the order of what is missed most."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from backprop_tui.domain.values import dataclass

MARGIN = 1  # at the right end
_MOST_AIR = 3
_AIR = 2  # more than what is needed, before a column is granted


@dataclass(frozen=True, slots=True, kw_only=True)
class RunColumns:
    """The width of each column, 0 where it is not granted; every column but the name stands behind a gap of its own."""

    width: int
    name: int
    gpu: int = 4
    bar: int = 8
    step: int = 12
    loss: int = 8
    left: int = 7
    trend: int = 0
    eta: int = 0
    timebox: int = 0
    saved: int = 0
    slice: int = 0
    tags: int = 0
    air: int = 0  # between the trend and the timebox
    sentence_from_step: bool = False  # that of a row with progress, where the trend is narrow

    @property
    def name_at(self) -> int:
        """Behind cursor, mark, glyph and word."""
        return 14

    @property
    def gpu_at(self) -> int:
        """The GPUs, or the place in the queue."""
        return self.name_at + self.name + 1

    @property
    def progress_at(self) -> int:
        """The progress bar, or the sentence of a row without figures."""
        return self.gpu_at + self.gpu

    @property
    def step_at(self) -> int:
        """Behind bar and percent."""
        return self.progress_at + self.bar + 5

    @property
    def loss_at(self) -> int:
        """Behind the step."""
        return self.step_at + self.step

    @property
    def trend_at(self) -> int:
        """Behind the loss, with a gap of two."""
        return self.loss_at + self.loss + 2

    @property
    def timebox_at(self) -> int:
        """The timebox bar."""
        return self.loss_at + self.loss + (self.trend + 2 if self.trend else 0) + (1 + self.air if self.timebox else 0)

    @property
    def left_at(self) -> int:
        """The time left."""
        return self.timebox_at + self.timebox

    @property
    def eta_at(self) -> int:
        """When it will be done."""
        return self.left_at + self.left

    @property
    def saved_at(self) -> int:
        """When the last checkpoint was saved."""
        return self.eta_at + self.eta

    @property
    def slice_at(self) -> int:
        """Which slice."""
        return self.saved_at + self.saved

    @property
    def tags_at(self) -> int:
        """The tags."""
        return self.slice_at + self.slice + (2 if self.tags else 0)


# What is granted, one after the other, as long as it fits: the column, its new width, and what that costs.
_GRANTS = (
    ("trend", 10, 12),
    ("eta", 6, 6),
    ("name", 22, 6),
    ("timebox", 6, 7),
    ("bar", 12, 4),
    ("saved", 9, 9),
    ("name", 28, 6),
    ("slice", 7, 7),
    ("tags", 16, 18),
    ("name", 40, 12),
)
_LEAST = 75
_NARROW = 46


HIDEABLE = ("trend", "eta", "timebox", "saved", "slice", "tags")


def run_columns(width: int, hidden: AbstractSet[str] = frozenset()) -> RunColumns:
    """The columns of a width, without those that are not wanted."""
    if width < _LEAST:
        return _narrow(width)
    granted: dict[str, int] = {"name": 16}
    used = _LEAST
    for column, size, cost in _GRANTS:
        if column in hidden:
            continue
        if used + cost > width - MARGIN - _AIR:
            break
        granted[column] = size
        used += cost
    air = min(_MOST_AIR, max(0, width - MARGIN - used))
    return RunColumns(width=width, sentence_from_step="trend" not in granted or width < 100, air=air, **granted)


def _narrow(width: int) -> RunColumns:
    """State, name, progress in percent, loss and time left; below that state and name alone."""
    if width < _NARROW:
        return RunColumns(width=width, name=max(1, width - 15), gpu=0, bar=0, step=0, loss=0, left=0)
    name = max(8, min(22, width - 15 - 5 - 8 - 8))
    step = max(0, width - MARGIN - 15 - name - 5 - 8 - 8)
    return RunColumns(width=width, name=name, gpu=0, bar=0, step=step, loss=8, left=8, sentence_from_step=True)
