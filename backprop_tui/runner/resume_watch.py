"""Watches the first steps and losses of a resumed attempt until they show whether it continued from its checkpoint."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from time import time

from backprop_tui.domain.checkpoint_pace import CheckpointPace
from backprop_tui.domain.formatting import from_iso
from backprop_tui.domain.invocation import RESUME_VARIABLE, resumes_by
from backprop_tui.domain.lifecycle import is_sliced
from backprop_tui.domain.metric_names import main_loss
from backprop_tui.domain.resume_check import BeforeResume, LoggedPoint, check_resume
from backprop_tui.domain.resume_verdict import NOTHING_LEFT, ResumeCheck, ResumeVerdict, attempt_message
from backprop_tui.domain.run import ResumeChannel, Run
from backprop_tui.domain.status import Status
from backprop_tui.readers.events import CheckpointSaved, Progress
from backprop_tui.runner.recorder import Recorder
from backprop_tui.store.fields import JsonObject
from backprop_tui.store.run_directory import RunDirectory
from backprop_tui.store.tail import JsonTail

_TAIL_BYTES = 512 << 10
_OPENING_POINTS = 40  # at the start of the run
_FIRST_SECONDS = 60.0  # in which a script that has nothing to do ends; the import of its framework may take long
_MAX_POINTS = 400  # since the resume; then there is a verdict in any case


class ResumeWatch:
    """Does nothing unless the attempt was resumed from a checkpoint, nor after the verdict.

    The log is judged first; metric files of the script count if the log is not conclusive.
    A guardian that takes over reads what the attempt has reported so far from metrics.jsonl.
    """

    def __init__(self, directory: RunDirectory, run: Run, recorder: Recorder) -> None:
        self._recorder = recorder
        self._run = run
        self._log = self._files = None
        check, attempt = recorder.live.resume_check, run.attempt
        is_judged = check is not None and check.attempt == attempt.number
        if attempt.resumed_from is None or attempt.number == 1 or is_judged:
            return
        head, tail = _ends(directory.metrics_path)
        self._log = _Evidence(run, recorder, head, tail, of_log=True)
        self._files = _Evidence(run, recorder, head, tail, of_log=False)

    def observe(self, values: Sequence[Progress | CheckpointSaved]) -> None:
        """Takes what the log reported since the last call."""
        if self._log is not None:
            self._log.add(value for value in values if isinstance(value, Progress))
            self._judge(final=self._log.is_full)

    def observe_files(self, values: Sequence[Progress]) -> None:
        """Takes the content of files that changed in this attempt, new or not."""
        if self._files is not None:
            self._files.add_new(values)
            self._judge(final=False)

    def finish(self, exit_code: int | None = None) -> None:
        """Judges a dead script by what it has reported."""
        self._judge(final=True, exit_code=exit_code)

    def _judge(self, *, final: bool, exit_code: int | None = None) -> None:
        """Records the verdict if there is one."""
        if self._log is None or self._files is None:
            return
        check = self._log.check(final=final)
        if (check is None and not self._log.has_counts) or (check is not None and not check.is_known):
            by_files = self._files.check(final=final)
            check = by_files if by_files is not None and by_files.is_known else check
        if check is None:
            return
        is_silent = not (self._log.has_begun or self._files.has_begun)
        if not check.is_known and exit_code == 0 and is_silent and self._was_complete():
            check = replace(check, message=NOTHING_LEFT)
        self._log = self._files = None
        check = replace(check, message=f"{check.message}{self._advice(check)}")
        self._recorder.change(resume_check=check)
        message = attempt_message(check.attempt, check.verdict, check.message)
        message += "; no further slice follows" if check.is_doubtful and is_sliced(self._run.spec) else ""
        kind = "resume_checked" if check.message == NOTHING_LEFT else _EVENTS.get(check.verdict, "resume_checked")
        self._recorder.record_event(kind, message, verdict=check.verdict)

    def _was_complete(self) -> bool:
        """Whether the training was complete at its checkpoint, and this attempt ended by itself soon."""
        run, live = self._run, self._recorder.live
        written = [saved for saved in run.checkpoints if saved.written]
        if not written or written[-1].path != run.attempt.resumed_from or run.attempts[-2].status != Status.COMPLETED:
            return False
        is_final = written[-1].step is None or run.step is None or written[-1].step >= run.step
        return is_final and live.stopping is None and live.clock.running_seconds < _FIRST_SECONDS

    def _advice(self, check: ResumeCheck) -> str:
        """What to look at: a script that gets only an environment variable has probably not read its checkpoint."""
        spec = self._run.spec
        if not check.is_doubtful:
            return ""
        method = resumes_by(spec)
        if method in (None, RESUME_VARIABLE, ResumeChannel.ITSELF):
            return f"; the script got its checkpoint only in {RESUME_VARIABLE}, --resume-arg passes it as an option"
        origin = "" if spec.resume_arg is None else "--resume-arg "
        return f"; it was given {origin}{method}: check that it loads its checkpoint, or set another --resume-arg"


_EVENTS = {
    ResumeVerdict.RESTARTED: "resume_doubtful",
    ResumeVerdict.JUMPED: "resume_doubtful",
    ResumeVerdict.UNKNOWN: "resume_unconfirmed",
}


class _Evidence:
    """What either the log or the files of the script reported before and after the resume."""

    def __init__(
        self, run: Run, recorder: Recorder, head: list[JsonObject], tail: list[JsonObject], *, of_log: bool
    ) -> None:
        """`head` and `tail` are the lines at the beginning and at the end of metrics.jsonl."""
        started_at = run.attempt.started_at
        ended = [attempt for attempt in run.attempts if attempt.number < run.attempt.number]
        second = run.attempts[1]
        head, tail = ([line for line in lines if (line.get("offset") is not None) == of_log] for lines in (head, tail))
        head, earlier = ([line for line in lines if _time(line) < started_at] for lines in (head, tail))
        since = ([line for line in earlier if _time(line) >= attempt.started_at] for attempt in reversed(ended))
        last = next(filter(None, since), [])
        names = dict.fromkeys(name for line in last for name in _metrics(line))
        # A score is evidence too; what depends on the step alone, such as a learning rate, is not.
        self._metric = main_loss(names) or next((name for name in names if name in run.best), None)
        self._attempt = run.attempt.number
        points = self._points(last)
        # A progress bar without metrics is not in metrics.jsonl.
        if of_log and not any(point.step is not None or point.epoch is not None for point in points):
            points.append(LoggedPoint(step=run.step, epoch=run.epoch, time=ended[-1].ended_at))
        self._before = replace(
            _saves(run, recorder.live.pace),
            first=self._points([line for line in head if _time(line) < second.started_at][:_OPENING_POINTS]),
            last=points,
            ended_at=ended[-1].ended_at,
            resumed_at=started_at,
        )
        self._reported = {item for line in (*head, *earlier) for item in _items(line.get("step"), _metrics(line))}
        self._is_ambiguous = False
        # Of files only the values beyond those known before are in metrics.jsonl, and they are read again anyway.
        self._after = self._points(line for line in tail if of_log and _time(line) >= started_at)[:_MAX_POINTS]
        self._step = self._after[-1].step if self._after else None

    @property
    def has_begun(self) -> bool:
        """Whether a step, an epoch or a loss was reported since the resume."""
        return any(point.step is not None or point.epoch is not None or point.loss is not None for point in self._after)

    @property
    def is_full(self) -> bool:
        return len(self._after) >= _MAX_POINTS

    @property
    def has_counts(self) -> bool:
        """Whether steps or epochs were reported before the resume."""
        return any(point.step is not None or point.epoch is not None for point in self._before.last)

    def _points(self, lines: Iterable[JsonObject]) -> list[LoggedPoint]:
        """The lines as points; a line without a step belongs to the last step before it."""
        points: list[LoggedPoint] = []
        step: int | None = None
        for line in lines:
            number = _number(line.get("step"))
            step = step if number is None or not math.isfinite(number) else int(number)
            points.append(self._point(step, _number(line.get("epoch")), _metrics(line), _time(line)))
        return points

    def _point(self, step: int | None, epoch: float | None, metrics: Mapping[str, object], at: float) -> LoggedPoint:
        loss = None if self._metric is None else _number(metrics.get(self._metric))
        return LoggedPoint(step=step, epoch=epoch, loss=loss, time=at)

    def add(self, values: Iterable[Progress]) -> None:
        now = time()
        for value in values:
            if self.is_full:
                return
            self._step = value.step if value.step is not None else self._step
            self._after.append(self._point(self._step, value.epoch, value.metrics, now))

    def add_new(self, values: Iterable[Progress]) -> None:
        """Adds the values of files, unless they contain values of before the resume.

        Then it cannot be known whether an old file was continued, or the same values were written again.
        """
        for value in values:
            self._is_ambiguous |= not self._reported.isdisjoint(_items(value.step, value.metrics))
            self.add([value])

    def check(self, *, final: bool) -> ResumeCheck | None:
        """The verdict; None if there is none yet, or these values are ambiguous."""
        if self._is_ambiguous:
            return None
        # Judged once for all values: it takes milliseconds, and a log may report thousands of values at once.
        return check_resume(self._before, self._after, attempt=self._attempt, metric=self._metric, final=final)


def _saves(run: Run, pace: CheckpointPace | None) -> BeforeResume:
    """What is known of the checkpoint that the run was resumed from, and how often it saves."""
    saved = next((saved for saved in reversed(run.checkpoints) if saved.path == run.attempt.resumed_from), None)
    steps = [saved.step for saved in run.checkpoints if saved.step is not None]
    return BeforeResume(
        saved_step=None if saved is None else saved.step,
        saved_at=None if saved is None else saved.saved_at,
        save_steps=max((later - step for step, later in pairwise(steps) if later > step), default=None),
        save_seconds=None if pace is None else pace.every_seconds,
    )


def _items(step: object, metrics: Mapping[str, object]) -> Iterator[tuple[object, ...]]:
    """What identifies a value of a file: not its name, under which it may be recorded differently."""
    return ((step, _number(value)) for value in metrics.values())


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
