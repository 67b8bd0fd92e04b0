"""Checks whether a resumed script really continued, by comparing its steps and loss with those before the resume.

A false alarm is worse than silence, so an ambiguous case gives no warning. Step counters may restart in each epoch or
attempt, a resume may use an older checkpoint than the last step seen, and losses are noisy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise

from backprop_tui.domain.lazy_dataclass import lazy_dataclass

MIN_POINTS = 3  # points needed to estimate a level
SETTLING_POINTS = 20  # a loss still high after this many points is not just a transient of the resume
_LEVEL_POINTS = 20  # points before the resume that give the loss level
_STEPS_WITHOUT_LOSS = 10  # steps needed for a verdict if no loss is known
_START_STRIDES = 5  # a step within this many logging intervals of the first step counts as near the start


class ResumeVerdict(StrEnum):
    CONTINUED = "continued"
    RECOUNTED = "recounted"  # the training continued, but its step counter restarted
    RESTARTED = "restarted"  # the training started over
    JUMPED = "jumped"  # the loss jumped


DOUBTFUL = frozenset({ResumeVerdict.RESTARTED, ResumeVerdict.JUMPED})


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class LoggedPoint:
    """The values printed on one line of the log; None for those it did not print."""

    step: int | None = None
    epoch: float | None = None
    loss: float | None = None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class BeforeResume:
    """The run before the resume: its first points, the last points before the resume, and the checkpoint's step."""

    first: Sequence[LoggedPoint]
    last: Sequence[LoggedPoint]
    saved_step: int | None = None


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class ResumeCheck:
    """The verdict on one attempt and the values it is based on; `metric` names the loss, None if none is known."""

    verdict: ResumeVerdict
    attempt: int
    message: str
    metric: str | None = None
    step_before: int | None = None
    step_after: int | None = None
    loss_before: float | None = None
    loss_after: float | None = None

    @property
    def is_doubtful(self) -> bool:
        return self.verdict in DOUBTFUL


class _StepTrend(StrEnum):
    CONTINUES = "continues"
    RESTARTS = "restarts"
    UNKNOWN = "unknown"


class _LossTrend(StrEnum):
    CONTINUES = "continues"
    JUMPED = "jumped"
    AS_AT_START = "as at start"
    UNKNOWN = "unknown"
    PENDING = "pending"  # more points are needed


def check_resume(
    before: BeforeResume, after: Sequence[LoggedPoint], *, attempt: int, metric: str | None, final: bool
) -> ResumeCheck | None:
    """Judges the points since the resume, oldest first; returns None as long as, or if, no verdict is possible.

    `attempt` is the number of the resumed attempt, `metric` the name of the loss. `final`: the attempt has ended, so
    no more points will come.
    """
    steps, (loss, level, now) = _judge_steps(before, after, final=final), _judge_loss(before, after, final=final)
    verdict = _verdict(steps, loss, epochs_continue=_epochs_continue(before, after))
    by_steps_only = verdict is ResumeVerdict.RESTARTED and loss is _LossTrend.UNKNOWN
    if verdict is None or (by_steps_only and not _stays_behind(before, after, final=final)):
        return None
    step_before, step_after = _expected_step(before), _first_step_after(before, after, steps)
    return ResumeCheck(
        verdict=verdict,
        attempt=attempt,
        message=_verdict_message(verdict, step_before, step_after, level, now),
        metric=metric if level is not None else None,
        step_before=step_before,
        step_after=step_after,
        loss_before=level,
        loss_after=now,
    )


def _verdict(steps: _StepTrend, loss: _LossTrend, *, epochs_continue: bool) -> ResumeVerdict | None:
    match steps, loss:
        case _, _LossTrend.PENDING:
            return None
        case _StepTrend.RESTARTS, _LossTrend.CONTINUES:
            return ResumeVerdict.RECOUNTED
        case _StepTrend.RESTARTS, _LossTrend.UNKNOWN:
            return ResumeVerdict.RECOUNTED if epochs_continue else ResumeVerdict.RESTARTED
        case _StepTrend.RESTARTS, _:
            return ResumeVerdict.RESTARTED
        case _StepTrend.UNKNOWN, _LossTrend.AS_AT_START:
            return ResumeVerdict.JUMPED if epochs_continue else ResumeVerdict.RESTARTED
        case _StepTrend.UNKNOWN, _LossTrend.UNKNOWN:
            return None
        case _, _LossTrend.CONTINUES | _LossTrend.UNKNOWN:
            return ResumeVerdict.CONTINUED
        case _:
            return ResumeVerdict.JUMPED


def _steps(points: Sequence[LoggedPoint]) -> list[int]:
    return [point.step for point in points if point.step is not None]


def _first_distinct_steps(after: Sequence[LoggedPoint], count: int) -> list[int]:
    """The first distinct steps since the resume; progress bars print the same step repeatedly."""
    return list(dict.fromkeys(_steps(after)))[:count]


def _stays_behind(before: BeforeResume, after: Sequence[LoggedPoint], *, final: bool) -> bool:
    """Whether the step counter keeps running from the start; a bar may show 0 for a moment before it is advanced."""
    steps, expected = _first_distinct_steps(after, _STEPS_WITHOUT_LOSS), _expected_step(before)
    return (
        len(steps) >= (MIN_POINTS if final else _STEPS_WITHOUT_LOSS) and expected is not None and max(steps) < expected
    )


def _expected_step(before: BeforeResume) -> int | None:
    """The step to continue from: the checkpoint's, limited to steps seen, since it may be counted in another way."""
    seen = max(_steps(before.last), default=None)
    if before.saved_step is None or seen is None:
        return seen
    return min(before.saved_step, seen)


def _judge_steps(before: BeforeResume, after: Sequence[LoggedPoint], *, final: bool) -> _StepTrend:
    earlier_steps, steps = _steps(before.last), _first_distinct_steps(after, MIN_POINTS)
    expected, limit = _expected_step(before), _start_limit(before)
    if expected is None or limit is None or len(steps) < (1 if final else MIN_POINTS):
        return _StepTrend.UNKNOWN
    if any(later < earlier for earlier, later in pairwise(earlier_steps)):
        return _StepTrend.UNKNOWN  # the counter restarts by itself, in each epoch
    if expected <= limit:
        return _StepTrend.UNKNOWN  # the run had hardly started
    return _StepTrend.RESTARTS if max(steps) < limit else _StepTrend.CONTINUES


def _start_limit(before: BeforeResume) -> int | None:
    """Steps below this are near the start of the run; None if it printed no steps."""
    steps, first = _steps(before.last), next(iter(_steps(before.first)), None)
    if not steps or first is None:
        return None
    strides = [later - earlier for earlier, later in pairwise(steps) if later > earlier]
    return first + _START_STRIDES * max(1, round(_median(strides or [1])))


def _first_step_after(before: BeforeResume, after: Sequence[LoggedPoint], trend: _StepTrend) -> int | None:
    steps, limit = _first_distinct_steps(after, MIN_POINTS), _start_limit(before)
    if trend is _StepTrend.CONTINUES and limit is not None:
        steps = [step for step in steps if step >= limit] or steps
    return steps[0] if steps else None


def _epochs_continue(before: BeforeResume, after: Sequence[LoggedPoint]) -> bool:
    """Whether epochs are printed and continue where they were."""
    earlier = [point.epoch for point in before.last if point.epoch is not None]
    first = next((point.epoch for point in before.first if point.epoch is not None), None)
    resumed = next((point.epoch for point in after if point.epoch is not None), None)
    if not earlier or first is None or resumed is None or earlier[-1] - first < 1.0:
        return False
    return resumed >= earlier[-1] - 1.0 and resumed > first


def _judge_loss(
    before: BeforeResume, after: Sequence[LoggedPoint], *, final: bool
) -> tuple[_LossTrend, float | None, float | None]:
    """Returns the trend, and the loss level before and after the resume; None if it is unknown."""
    earlier, losses = _losses(_up_to_checkpoint(before))[-_LEVEL_POINTS:], _losses(after)[:SETTLING_POINTS]
    if len(earlier) < MIN_POINTS:
        return _LossTrend.UNKNOWN, None, None
    level = _median(earlier)
    undecided = _LossTrend.UNKNOWN if final else _LossTrend.PENDING
    if len(losses) < MIN_POINTS:
        return undecided, level, (losses[-1] if losses else None)
    spread = max(1.4826 * _median([abs(value - level) for value in earlier]), 0.02 * abs(level), 1e-12)
    start = _start_level(before)
    drop = start - level if start is not None and start - level > max(6 * spread, 0.15 * abs(start)) else None
    at_first, now = _median(losses[:MIN_POINTS]), _median(losses[-MIN_POINTS:])
    bound = max(level + max(4 * spread, 0.25 * (drop or 0.0)), max(earlier) + 2 * spread)
    if min(at_first, now) <= bound:
        # A loss that has not dropped since the start looks the same after a restart, so it proves nothing.
        return (_LossTrend.UNKNOWN, level, at_first) if drop is None else (_LossTrend.CONTINUES, level, now)
    as_at_start = drop is not None and at_first >= level + 0.75 * drop
    if as_at_start and _judge_steps(before, after, final=final) is _StepTrend.RESTARTS:
        return _LossTrend.AS_AT_START, level, at_first  # steps and loss agree, so there is no need to wait
    if len(losses) < SETTLING_POINTS and not (final and len(losses) >= SETTLING_POINTS // 2):
        return undecided, level, now
    return (_LossTrend.AS_AT_START if as_at_start else _LossTrend.JUMPED), level, now


def _up_to_checkpoint(before: BeforeResume) -> Sequence[LoggedPoint]:
    """The points up to the checkpoint, since later ones are repeated; all points if those are too few."""
    saved = before.saved_step
    if saved is None:
        return before.last
    up_to = [point for point in before.last if point.step is None or point.step <= saved]
    return up_to if len(_losses(up_to)) >= MIN_POINTS else before.last


def _start_level(before: BeforeResume) -> float | None:
    first = _losses(before.first)[:MIN_POINTS]
    return _median(first) if len(first) >= MIN_POINTS else None


def _losses(points: Sequence[LoggedPoint]) -> list[float]:
    return [point.loss for point in points if point.loss is not None and math.isfinite(point.loss)]


def _median(values: Sequence[float]) -> float:
    """Avoids `statistics`, whose import takes longer than the whole start of a guardian."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _verdict_message(
    verdict: ResumeVerdict, expected: int | None, step: int | None, level: float | None, now: float | None
) -> str:
    losses = "" if level is None or now is None else f"loss {now:.4g}, before {level:.4g}"
    match verdict:
        case ResumeVerdict.CONTINUED:
            at = "" if step is None else f" at step {step}"
            return f"continued{at}" + (f", {losses}" if losses else "")
        case ResumeVerdict.RECOUNTED:
            return f"continued, but counts from step {step} again" + (f", {losses}" if losses else "")
        case ResumeVerdict.RESTARTED:
            at = "restarted" if step is None else f"restarted at step {step}"
            return at + ("" if expected is None else f" after {expected}") + (f": {losses}" if losses else "")
        case ResumeVerdict.JUMPED:
            return f"the loss jumped at the resume: {losses}"
