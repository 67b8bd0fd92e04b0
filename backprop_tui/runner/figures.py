"""What a script's log says becomes the run's step, metrics and checkpoints; a loss that is no number is told."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence

from backprop_tui.domain.run import Spec
from backprop_tui.domain.status import Status
from backprop_tui.readers.values import CheckpointSaved, Progress
from backprop_tui.runner.checkpoint_book import CheckpointRecord
from backprop_tui.runner.ladder import StopSequence
from backprop_tui.runner.recorder import Recorder
from backprop_tui.runner.standing import LiveProgress


class ProgressRecorder:
    """Takes in values as they were read, oldest first."""

    __slots__ = ("_began_epoch", "_began_step", "_book", "_ladder", "_recorder", "_spec", "_told_nan")

    def __init__(self, recorder: Recorder, ladder: StopSequence, spec: Spec, book: CheckpointRecord) -> None:
        self._recorder = recorder
        self._ladder = ladder
        self._spec = spec
        self._book = book
        self._told_nan = False
        self._began_step, self._began_epoch = recorder.live.step, recorder.live.epoch

    def take_in(self, values: Sequence[Progress | CheckpointSaved], cwd: str) -> None:
        """Updates the live record; `cwd` is where a relative checkpoint path starts."""
        standing = LiveProgress(self._recorder.live)
        for value in values:
            if isinstance(value, CheckpointSaved):
                # With all that was said before it, and the offset behind it: so it is told once, whoever dies.
                self._recorder.change(**standing.fields())
                self._book.announced(value, cwd, standing.step)
                continue
            standing.take_in(value)
            self._look_at_loss(value.metrics, standing.step)
            self._look_at_goal(value)
        self._recorder.change(**standing.fields())
        self._book.stepped(standing.step)

    def _look_at_goal(self, value: Progress) -> None:
        """What was printed just now counts; what an earlier attempt had reached does not."""
        if not self._spec.until or self._recorder.live.reached is not None:
            return
        for until in self._spec.until:
            reached = until.reached(step=value.step, epoch=value.epoch, metrics=value.metrics)
            if reached is not None:
                self._recorder.commit(reached=reached)
                self._recorder.tell("reached", reached)
                return

    def take_in_beside(self, values: Sequence[Progress]) -> None:
        """What the script wrote into files, which may be older than what it printed: it never takes the step back."""
        if not values:
            return
        standing = LiveProgress(self._recorder.live)
        for value in values:
            standing.take_in_beside(value)
            self._look_at_loss(value.metrics, value.step)
            if self._is_farther(value):
                self._look_at_goal(value)
        self._recorder.change(**standing.fields())
        self._book.stepped(standing.step)

    def _is_farther(self, value: Progress) -> bool:
        """Whether it lies beyond what was known when this began: a file still has what an earlier attempt wrote."""
        for place, began in ((value.step, self._began_step), (value.epoch, self._began_epoch)):
            if place is not None and began is not None:
                return place > began
        return self._began_step is None and self._began_epoch is None

    def _look_at_loss(self, metrics: Mapping[str, float], step: int | None) -> None:
        bad = [name for name, value in metrics.items() if "loss" in name.lower() and not math.isfinite(value)]
        if not bad or self._told_nan:
            return
        self._told_nan = True
        message = f"{bad[0]} is {metrics[bad[0]]} at step {step}"
        self._recorder.tell("nan", message)
        if self._spec.limits.on_nan == "stop":
            self._ladder.begin(Status.STOPPED, by="guard", reason=message, now=time.monotonic(), cause="nan_loss")
