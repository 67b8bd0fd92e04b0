"""Watches the first figures of a resumed attempt, until they show whether it really went on."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from backprop_tui.domain.invocation import RESUME, resume_arg
from backprop_tui.domain.metric_names import main_loss
from backprop_tui.domain.resume_check import Before, Point, ResumeCheck, judge
from backprop_tui.domain.run import Run
from backprop_tui.domain.times import from_iso
from backprop_tui.readers.values import CheckpointSaved, Progress
from backprop_tui.runner.recorder import Recorder
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.tail import parse_lines

_HEAD_BYTES = 64 << 10
_TAIL_BYTES = 512 << 10
_MOST_POINTS = 400  # since the resume; what has not shown by then is not told


class ResumeWatch:
    """Idle unless the attempt was resumed from a checkpoint, and once the verdict is told.

    A guardian that takes over reads what the attempt said so far from metrics.jsonl again.
    """

    __slots__ = ("_after", "_before", "_metric", "_recorder", "_run", "_step")

    def __init__(self, directory: RunDirectory, run: Run, recorder: Recorder) -> None:
        self._recorder = recorder
        self._run = run
        self._before: Before | None = None
        self._after: list[Point] = []
        self._metric: str | None = None
        self._step: int | None = None
        told = recorder.live.resume_check
        attempt = run.attempt
        if attempt.resumed_from is not None and (told is None or told.attempt != attempt.number):
            self._remember(directory, attempt.resumed_from)

    def _remember(self, directory: RunDirectory, resumed_from: str) -> None:
        """Looks up how the run began, and how it was before this attempt."""
        head, tail = _ends(directory.metrics_path)
        started_at = self._run.attempt.started_at
        earlier = [line for line in tail if _time(line) < started_at]
        ended = [one for one in self._run.attempts if one.number < self._run.attempt.number]
        last = next((part for one in reversed(ended) if (part := _since(earlier, one.started_at))), [])
        if not last:
            return
        self._metric = main_loss(dict.fromkeys(name for line in last for name in _metrics(line)))
        saved = next((one for one in reversed(self._run.checkpoints) if one.path == resumed_from), None)
        first_end = ended[1].started_at if len(ended) > 1 else started_at
        self._before = Before(
            first=self._points(line for line in head if _time(line) < first_end),
            last=self._points(last),
            saved_step=None if saved is None else saved.step,
        )
        self._after = self._points(line for line in tail if _time(line) >= started_at)[:_MOST_POINTS]
        self._step = self._after[-1].step if self._after else None

    def _points(self, lines: Iterable[JsonObject]) -> list[Point]:
        """A line without a step belongs to the last one that was told."""
        points: list[Point] = []
        step: int | None = None
        for line in lines:
            told = _number(line.get("step"))
            step = step if told is None or not math.isfinite(told) else int(told)
            points.append(self._point(step, _number(line.get("epoch")), _metrics(line)))
        return points

    def _point(self, step: int | None, epoch: float | None, metrics: Mapping[str, object]) -> Point:
        return Point(step=step, epoch=epoch, loss=None if self._metric is None else _number(metrics.get(self._metric)))

    def take(self, values: Sequence[Progress | CheckpointSaved]) -> None:
        """What the log said since the last call."""
        if self._before is None:
            return
        for value in values:
            if isinstance(value, Progress) and len(self._after) < _MOST_POINTS:
                self._step = value.step if value.step is not None else self._step
                self._after.append(self._point(self._step, value.epoch, value.metrics))
        # Once for all of them: judging takes milliseconds, and a log may say a thousand things at once.
        if not self._tell(final=False) and len(self._after) >= _MOST_POINTS:
            self._before, self._after = None, []

    def finish(self) -> None:
        """The script is dead: what it said has to be enough."""
        if self._before is not None:
            self._tell(final=True)

    def _tell(self, *, final: bool) -> bool:
        """Whether there is a verdict; then it is recorded and told."""
        if self._before is None:
            return False
        number = self._run.attempt.number
        check = judge(self._before, self._after, attempt=number, metric=self._metric, final=final)
        if check is None:
            return False
        self._before, self._after = None, []
        check = replace(check, message=f"{check.message}{self._advice(check)}")
        self._recorder.change(resume_check=check)
        kind = "resume_doubtful" if check.is_doubtful else "resume_checked"
        self._recorder.tell(kind, f"attempt {number} {check.message}", verdict=check.verdict)
        return True

    def _advice(self, check: ResumeCheck) -> str:
        """A script that nobody told of its checkpoint but by the environment has probably not heard of it."""
        spec = self._run.spec
        if not check.is_doubtful or resume_arg(spec) is not None or RESUME in spec.understood_flags:
            return ""
        return "; it was told by BACKPROP_RESUME_FROM alone, --resume-arg says it by an option of its own"


def _ends(path: str) -> tuple[list[JsonObject], list[JsonObject]]:
    """The objects at the beginning and at the end of a file of JSON lines; none where it cannot be read."""
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD_BYTES)
            size = file.seek(0, os.SEEK_END)
            start = max(0, size - _TAIL_BYTES)
            file.seek(start)
            tail = file.read(_TAIL_BYTES)
    except OSError:
        return [], []
    first = head[: head.rfind(b"\n") + 1]
    last = tail[tail.find(b"\n") + 1 if start else 0 : tail.rfind(b"\n") + 1]
    return parse_lines(first), parse_lines(last)


def _metrics(line: JsonObject) -> JsonObject:
    metrics = line.get("metrics")
    return metrics if isinstance(metrics, dict) else {}


def _number(value: object) -> float | None:
    """NaN and infinities are texts there; whatever else is no number is none."""
    if not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _time(line: JsonObject) -> float:
    try:
        return from_iso(line.get("time")) or 0.0
    except (TypeError, ValueError):
        return 0.0


def _since(lines: Sequence[JsonObject], time: float) -> list[JsonObject]:
    return [line for line in lines if _time(line) >= time]
