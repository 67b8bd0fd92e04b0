"""Recognizes checkpoints with unknown names: files in a container format that are saved repeatedly."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import field, replace
from itertools import pairwise

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.runner.outputs.checkpoints import CheckpointFound

MAX_SERIES = 200
KEPT_SIGHTINGS = 20
SILENT_SAVES = 3  # that show a series if the log reports no steps
MIN_INTERVAL_SECONDS = 0.2  # saves of a training are not more frequent
MAX_INTERVAL_RATIO = 3.0  # of the longest interval to the shortest
MIN_STEP = 10  # small numbers are near one another by chance
NEAR_SHARE = 0.1  # a number this close to the step of the log is a step
_DIGITS = re.compile(r"\d+")
_MODEL = re.compile(r"(?:agent|model|policy|weights|params|network|net)\.\w+")
_NAMES_OF_DATA = (".npz", ".pkl", ".pickle")  # also used for data: without a number they are no checkpoints


def is_near(number: int, step: int) -> bool:
    return abs(number - step) <= NEAR_SHARE * step


@lazy_dataclass(slots=True)
class _Series:
    waiting: list[CheckpointFound] = field(default_factory=list)  # oldest first
    is_confirmed: bool = False


class RepeatedSaves:
    """Remembers files with unknown names until their repetition shows that they are checkpoints."""

    def __init__(self, step_at: Callable[[float], int | None]) -> None:
        """`step_at` returns the step that the log had reported at a wall-clock time; None if it had reported none."""
        self._step_at = step_at
        self._series: dict[tuple[str, str], _Series] = {}

    def confirm(self, sighting: CheckpointFound) -> list[CheckpointFound]:
        """Returns the sightings, oldest first, that are known to be checkpoints now; none while it is not known."""
        folder, name = os.path.split(sighting.path)
        is_data = sighting.number is None and name.endswith(_NAMES_OF_DATA) and not _MODEL.fullmatch(name)
        if sighting.unsound is not None or is_data:
            return []
        key = folder, _DIGITS.sub("#", name)
        if key not in self._series and len(self._series) >= MAX_SERIES:
            del self._series[next(iter(self._series))]
        series = self._series.setdefault(key, _Series())
        series.waiting = [*series.waiting, sighting][-KEPT_SIGHTINGS:]
        series.is_confirmed = series.is_confirmed or self._is_saved_repeatedly(series.waiting)
        if not series.is_confirmed:
            return []
        newest_of_path = {waiting.path: waiting for waiting in series.waiting}
        series.waiting = []
        return [replace(waiting, is_certain=True) for waiting in newest_of_path.values()]

    def _is_saved_repeatedly(self, saves: list[CheckpointFound]) -> bool:
        newest = saves[-1]
        step = self._step_at(newest.modified_at)
        number = newest.step if newest.step is not None else newest.number
        if step is not None and step >= MIN_STEP and number is not None and is_near(number, step):
            return True
        intervals = [after.modified_at - before.modified_at for before, after in pairwise(saves)]
        counts = [save.epoch if save.number is None else save.number for save in saves]
        rises = all(before is None or after is None or before < after for before, after in pairwise(counts))
        if not intervals or not rises or min(intervals) < MIN_INTERVAL_SECONDS:
            return False
        steps = [self._step_at(save.modified_at) for save in saves]
        if None not in steps:
            return steps[0] != steps[-1]
        is_steady = max(intervals) <= MAX_INTERVAL_RATIO * min(intervals)
        return step is None and is_steady and len(saves) >= SILENT_SAVES
