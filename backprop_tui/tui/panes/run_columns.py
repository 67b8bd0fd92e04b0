"""The columns of the runs list at a given width, added in the order of their importance."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from backprop_tui.domain.lazy_dataclass import lazy_dataclass

MARGIN = 1  # at the right edge
_MOST_SPACE = 3
_SPARE = 2  # cells that must stay free when a column is added


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class RunColumns:
    """The width of each column with the gap before it, 0 where it is not shown; `name` has no such gap."""

    width: int
    name: int
    gpu: int = 4
    bar: int = 8
    step: int = 14
    loss: int = 8
    left: int = 7
    trend: int = 0
    eta: int = 0
    timebox: int = 0
    saved: int = 0
    slice: int = 0
    tags: int = 0
    space: int = 0  # between the trend and the timebox
    line_from_step: bool = False  # the sentence of a row with progress starts at the step and not at the trend

    @property
    def name_at(self) -> int:
        """After the cursor, the mark, the glyph and the state."""
        return 14

    @property
    def gpu_at(self) -> int:
        return self.name_at + self.name + 1

    @property
    def progress_at(self) -> int:
        """The progress bar, or the sentence of a row without progress."""
        return self.gpu_at + self.gpu

    @property
    def step_at(self) -> int:
        """After the bar and the percentage."""
        return self.progress_at + self.bar + 5

    @property
    def loss_at(self) -> int:
        return self.step_at + self.step

    @property
    def trend_at(self) -> int:
        return self.loss_at + self.loss + 2

    @property
    def timebox_at(self) -> int:
        return (
            self.loss_at + self.loss + (self.trend + 2 if self.trend else 0) + (1 + self.space if self.timebox else 0)
        )

    @property
    def left_at(self) -> int:
        return self.timebox_at + self.timebox

    @property
    def eta_at(self) -> int:
        return self.left_at + self.left

    @property
    def saved_at(self) -> int:
        return self.eta_at + self.eta

    @property
    def slice_at(self) -> int:
        return self.saved_at + self.saved

    @property
    def tags_at(self) -> int:
        return self.slice_at + self.slice + (2 if self.tags else 0)


# Added one after the other as long as they fit: the column, its new width, and how many cells that takes.
_ADDITIONS = (
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
_LEAST = 77
_NARROW = 46


HIDEABLE = ("trend", "eta", "timebox", "saved", "slice", "tags")


def run_columns(width: int, hidden: AbstractSet[str] = frozenset()) -> RunColumns:
    """The columns at a width, without the hidden ones."""
    if width < _LEAST:
        return _narrow(width)
    shown: dict[str, int] = {"name": 16}
    used = _LEAST
    for column, size, cost in _ADDITIONS:
        if column in hidden:
            continue
        if used + cost > width - MARGIN - _SPARE:
            break
        shown[column] = size
        used += cost
    space = min(_MOST_SPACE, max(0, width - MARGIN - used))
    return RunColumns(width=width, line_from_step="trend" not in shown or width < 100, space=space, **shown)


def _narrow(width: int) -> RunColumns:
    """State, name, percentage, loss and time left; on very narrow screens only state and name."""
    if width < _NARROW:
        return RunColumns(width=width, name=max(1, width - 15), gpu=0, bar=0, step=0, loss=0, left=0)
    name = max(8, min(22, width - 15 - 5 - 8 - 8))
    step = max(0, width - MARGIN - 15 - name - 5 - 8 - 8)
    return RunColumns(width=width, name=name, gpu=0, bar=0, step=step, loss=8, left=8, line_from_step=True)
