"""Watches the first steps and losses of a resumed attempt until they show whether it continued from its checkpoint."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from backprop_tui.domain.formatting import from_iso
from backprop_tui.domain.invocation import RESUME_FLAG, resume_arg
from backprop_tui.domain.metric_series import main_loss
from backprop_tui.domain.resume_check import BeforeResume, LoggedPoint, ResumeCheck, check_resume
from backprop_tui.domain.run import Run
from backprop_tui.readers.events import CheckpointSaved, Progress
from backprop_tui.runner.recorder import Recorder
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.tail import JsonTail

_TAIL_BYTES = 512 << 10
_MAX_POINTS = 400  # since the resume; without a verdict by then there is none


class ResumeWatch:
    """Does nothing unless the attempt was resumed from a checkpoint, nor after the verdict.

    A guardian that takes over reads what the attempt has reported so far from metrics.jsonl.
    """

    def __init__(self, directory: RunDirectory, run: Run, recorder: Recorder) -> None:
        self._recorder = recorder
        self._run = run
        self._before: BeforeResume | None = None
        self._after: list[LoggedPoint] = []
        self._metric: str | None = None
        self._step: int | None = None
        check = recorder.live.resume_check
        attempt = run.attempt
        if attempt.resumed_from is not None and (check is None or check.attempt != attempt.number):
            self._load_earlier_attempts(directory, attempt.resumed_from)

    def _load_earlier_attempts(self, directory: RunDirectory, resumed_from: str) -> None:
        """Reads how the run started, and what it reported last before this attempt."""
        head, tail = _ends(directory.metrics_path)
        started_at = self._run.attempt.started_at
        earlier = [line for line in tail if _time(line) < started_at]
        ended = [attempt for attempt in self._run.attempts if attempt.number < self._run.attempt.number]
        since = ([line for line in earlier if _time(line) >= attempt.started_at] for attempt in reversed(ended))
        last = next(filter(None, since), [])
        if not last:
            return
        self._metric = main_loss(dict.fromkeys(name for line in last for name in _metrics(line)))
        checkpoints = reversed(self._run.checkpoints)
        saved = next((checkpoint for checkpoint in checkpoints if checkpoint.path == resumed_from), None)
        first_end = ended[1].started_at if len(ended) > 1 else started_at
        self._before = BeforeResume(
            first=self._points(line for line in head if _time(line) < first_end),
            last=self._points(last),
            saved_step=None if saved is None else saved.step,
        )
        self._after = self._points(line for line in tail if _time(line) >= started_at)[:_MAX_POINTS]
        self._step = self._after[-1].step if self._after else None

    def _points(self, lines: Iterable[JsonObject]) -> list[LoggedPoint]:
        """The lines as points; a line without a step belongs to the last step before it."""
        points: list[LoggedPoint] = []
        step: int | None = None
        for line in lines:
            number = _number(line.get("step"))
            step = step if number is None or not math.isfinite(number) else int(number)
            points.append(self._point(step, _number(line.get("epoch")), _metrics(line)))
        return points

    def _point(self, step: int | None, epoch: float | None, metrics: Mapping[str, object]) -> LoggedPoint:
        loss = None if self._metric is None else _number(metrics.get(self._metric))
        return LoggedPoint(step=step, epoch=epoch, loss=loss)

    def observe(self, values: Sequence[Progress | CheckpointSaved]) -> None:
        """Takes what the log reported since the last call."""
        if self._before is None:
            return
        for value in values:
            if isinstance(value, Progress) and len(self._after) < _MAX_POINTS:
                self._step = value.step if value.step is not None else self._step
                self._after.append(self._point(self._step, value.epoch, value.metrics))
        # Judged once for all values: it takes milliseconds, and a log may report thousands of values at once.
        if not self._judge(final=False) and len(self._after) >= _MAX_POINTS:
            self._before, self._after = None, []

    def finish(self) -> None:
        """Judges a dead script by what it has reported."""
        self._judge(final=True)

    def _judge(self, *, final: bool) -> bool:
        """Records a verdict if there is one; returns whether there is."""
        if self._before is None:
            return False
        number = self._run.attempt.number
        check = check_resume(self._before, self._after, attempt=number, metric=self._metric, final=final)
        if check is None:
            return False
        self._before, self._after = None, []
        check = replace(check, message=f"{check.message}{self._advice(check)}")
        self._recorder.change(resume_check=check)
        kind = "resume_doubtful" if check.is_doubtful else "resume_checked"
        self._recorder.record_event(kind, f"attempt {number} {check.message}", verdict=check.verdict)
        return True

    def _advice(self, check: ResumeCheck) -> str:
        """A script that gets its checkpoint only in an environment variable has probably not read it."""
        spec = self._run.spec
        if not check.is_doubtful or resume_arg(spec) is not None or RESUME_FLAG in spec.understood_flags:
            return ""
        return "; the script got its checkpoint only in BACKPROP_RESUME_FROM, --resume-arg passes it as an option"


def _ends(path: str) -> tuple[list[JsonObject], list[JsonObject]]:
    """The objects at the beginning and at the end of a JSON lines file; none if it cannot be read."""
    head = JsonTail(path)
    try:
        head.look()
        return next(head.chunks(), []), JsonTail(path, last_bytes=_TAIL_BYTES).read()
    except OSError:
        return [], []


def _metrics(line: JsonObject) -> JsonObject:
    metrics = line.get("metrics")
    return metrics if isinstance(metrics, dict) else {}


def _number(value: object) -> float | None:
    """The value as a number; NaN and infinities are stored as text. None for other values."""
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
