"""Whether a resumed script really went on: its steps and its loss against those before.

A false alarm is worse than silence: what cannot be told apart gives no warning. Counters may begin anew in each epoch
or attempt, a resume may be from an older checkpoint than the last step that was seen, and a loss is noisy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise

from backprop_tui.domain.values import dataclass

ENOUGH = 3  # points, from which a level can be told
SETTLED = 20  # points after which a loss that is still high is no unrest of the resume
_LEVEL = 20  # points before the resume that make its level
_ALONE = 10  # steps that have to tell it where no loss does
_FAR_STRIDES = 5  # fewer steps than so many between two lines do not tell a beginning from going on


class Verdict(StrEnum):
    """What the figures say; the last two are reasons to look."""

    CONTINUED = "continued"
    RECOUNTED = "recounted"  # it went on, and counts its steps anew
    RESTARTED = "restarted"
    JUMPED = "jumped"


DOUBTFUL = frozenset({Verdict.RESTARTED, Verdict.JUMPED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What one line of the log said; None where it did not."""

    step: int | None = None
    epoch: float | None = None
    loss: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """The run up to the resume: how it began, the end of the attempt before, and the step of the checkpoint."""

    first: Sequence[Point]
    last: Sequence[Point]
    saved_step: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeCheck:
    """The verdict on one attempt, with the figures it rests on; `metric` is its loss, None where none is known."""

    verdict: Verdict
    attempt: int
    message: str
    metric: str | None = None
    step_before: int | None = None
    step_after: int | None = None
    loss_before: float | None = None
    loss_after: float | None = None

    @property
    def is_doubtful(self) -> bool:
        """Whether somebody should look."""
        return self.verdict in DOUBTFUL


class _Steps(StrEnum):
    GO_ON = "go on"
    BEGIN_AGAIN = "begin again"
    UNTOLD = "untold"


class _Loss(StrEnum):
    GOES_ON = "goes on"
    JUMPED = "jumped"
    AS_AT_START = "as at start"
    UNTOLD = "untold"
    NOT_YET = "not yet"


def judge(
    before: Before, after: Sequence[Point], *, attempt: int, metric: str | None, final: bool
) -> ResumeCheck | None:
    """The verdict on what came since the resume; None while, or where, nothing can be told.

    Args:
        before: What was known when the attempt began.
        after: What its log said since, oldest first.
        attempt: Its number.
        metric: The name of the loss, for the words.
        final: Nothing more will come.
    """
    steps, (loss, level, now) = _judge_steps(before, after, final=final), _judge_loss(before, after, final=final)
    verdict = _verdict(steps, loss, goes_on=_epochs_go_on(before, after))
    alone = verdict is Verdict.RESTARTED and loss is _Loss.UNTOLD
    if verdict is None or (alone and not _stays_behind(before, after, final=final)):
        return None
    step_before, step_after = _expected(before), _came_at(before, after, steps)
    return ResumeCheck(
        verdict=verdict,
        attempt=attempt,
        message=_words(verdict, step_before, step_after, level, now),
        metric=metric if level is not None else None,
        step_before=step_before,
        step_after=step_after,
        loss_before=level,
        loss_after=now,
    )


def _verdict(steps: _Steps, loss: _Loss, *, goes_on: bool) -> Verdict | None:
    match steps, loss:
        case _, _Loss.NOT_YET:
            return None
        case _Steps.BEGIN_AGAIN, _Loss.GOES_ON:
            return Verdict.RECOUNTED
        case _Steps.BEGIN_AGAIN, _Loss.UNTOLD:
            return Verdict.RECOUNTED if goes_on else Verdict.RESTARTED
        case _Steps.BEGIN_AGAIN, _:
            return Verdict.RESTARTED
        case _Steps.UNTOLD, _Loss.AS_AT_START:
            return Verdict.JUMPED if goes_on else Verdict.RESTARTED
        case _Steps.UNTOLD, _Loss.UNTOLD:
            return None
        case _, _Loss.GOES_ON | _Loss.UNTOLD:
            return Verdict.CONTINUED
        case _:
            return Verdict.JUMPED


def _steps(points: Sequence[Point]) -> list[int]:
    return [point.step for point in points if point.step is not None]


def _came(after: Sequence[Point], count: int) -> list[int]:
    """The first steps since the resume, each once: bars show where they stand again and again."""
    return list(dict.fromkeys(_steps(after)))[:count]


def _stays_behind(before: Before, after: Sequence[Point], *, final: bool) -> bool:
    """Without a loss: whether it counts on from the beginning. A bar may stand at 0 until it is told where it is."""
    came, expected = _came(after, _ALONE), _expected(before)
    return len(came) >= (ENOUGH if final else _ALONE) and expected is not None and max(came) < expected


def _expected(before: Before) -> int | None:
    """The step it should go on from: the checkpoint's, but none that was never seen, which is counted otherwise."""
    seen = max(_steps(before.last), default=None)
    if before.saved_step is None or seen is None:
        return seen
    return min(before.saved_step, seen)


def _judge_steps(before: Before, after: Sequence[Point], *, final: bool) -> _Steps:
    known, came = _steps(before.last), _came(after, ENOUGH)
    expected, near = _expected(before), _near_the_beginning(before)
    if expected is None or near is None or len(came) < (1 if final else ENOUGH):
        return _Steps.UNTOLD
    if any(later < earlier for earlier, later in pairwise(known)):
        return _Steps.UNTOLD  # a counter that falls by itself, with each epoch
    if expected <= near:
        return _Steps.UNTOLD  # it had hardly begun
    return _Steps.BEGIN_AGAIN if max(came) < near else _Steps.GO_ON


def _near_the_beginning(before: Before) -> int | None:
    """Below it lie the first lines of the run; None where it told no steps."""
    known, began = _steps(before.last), next(iter(_steps(before.first)), None)
    if not known or began is None:
        return None
    gaps = [later - earlier for earlier, later in pairwise(known) if later > earlier]
    return began + _FAR_STRIDES * max(1, round(median(gaps or [1])))


def _came_at(before: Before, after: Sequence[Point], steps: _Steps) -> int | None:
    came, near = _came(after, ENOUGH), _near_the_beginning(before)
    if steps is _Steps.GO_ON and near is not None:
        came = [step for step in came if step >= near] or came
    return came[0] if came else None


def _epochs_go_on(before: Before, after: Sequence[Point]) -> bool:
    """Whether epochs are counted, and go on where they were."""
    earlier = [point.epoch for point in before.last if point.epoch is not None]
    began = next((point.epoch for point in before.first if point.epoch is not None), None)
    came = next((point.epoch for point in after if point.epoch is not None), None)
    if not earlier or began is None or came is None or earlier[-1] - began < 1.0:
        return False
    return came >= earlier[-1] - 1.0 and came > began


def _judge_loss(before: Before, after: Sequence[Point], *, final: bool) -> tuple[_Loss, float | None, float | None]:
    """With the level before, and that after; None where there is none."""
    known, came = _losses(_up_to_checkpoint(before))[-_LEVEL:], _losses(after)[:SETTLED]
    if len(known) < ENOUGH:
        return _Loss.UNTOLD, None, None
    level = median(known)
    if len(came) < ENOUGH:
        return (_Loss.UNTOLD if final else _Loss.NOT_YET), level, (came[-1] if came else None)
    spread = max(1.4826 * median([abs(value - level) for value in known]), 0.02 * abs(level), 1e-12)
    start = _start_level(before)
    fallen = start - level if start is not None and start - level > max(6 * spread, 0.15 * abs(start)) else None
    at_first, now = median(came[:ENOUGH]), median(came[-ENOUGH:])
    bound = max(level + max(4 * spread, 0.25 * (fallen or 0.0)), max(known) + 2 * spread)
    if min(at_first, now) <= bound:
        # A loss that never fell is the same at the start: then it tells nothing of a restart.
        return (_Loss.UNTOLD, level, at_first) if fallen is None else (_Loss.GOES_ON, level, now)
    if (
        fallen is not None
        and at_first >= level + 0.75 * fallen
        and _judge_steps(before, after, final=final) is _Steps.BEGIN_AGAIN
    ):
        return _Loss.AS_AT_START, level, at_first  # two witnesses: no need to wait
    if len(came) < SETTLED and not (final and len(came) >= SETTLED // 2):
        return (_Loss.UNTOLD if final else _Loss.NOT_YET), level, now
    if fallen is not None and at_first >= level + 0.75 * fallen:
        return _Loss.AS_AT_START, level, now
    return _Loss.JUMPED, level, now


def _up_to_checkpoint(before: Before) -> Sequence[Point]:
    """What came after the checkpoint is done again; where little came before it, all of it counts."""
    saved = before.saved_step
    if saved is None:
        return before.last
    up_to = [point for point in before.last if point.step is None or point.step <= saved]
    return up_to if len(_losses(up_to)) >= ENOUGH else before.last


def _start_level(before: Before) -> float | None:
    first = _losses(before.first)[:ENOUGH]
    return median(first) if len(first) >= ENOUGH else None


def _losses(points: Sequence[Point]) -> list[float]:
    return [point.loss for point in points if point.loss is not None and math.isfinite(point.loss)]


def median(values: Sequence[float]) -> float:
    """The middle value of some; importing the library's costs more than a guardian's whole start."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _words(verdict: Verdict, expected: int | None, came: int | None, level: float | None, now: float | None) -> str:
    figures = "" if level is None or now is None else f"loss {now:.4g}, before {level:.4g}"
    match verdict:
        case Verdict.CONTINUED:
            at = "" if came is None else f" at step {came}"
            return f"went on{at}" + (f", {figures}" if figures else "")
        case Verdict.RECOUNTED:
            return f"went on, counting from step {came} again" + (f", {figures}" if figures else "")
        case Verdict.RESTARTED:
            at = "began again" if came is None else f"began again at step {came}"
            return at + ("" if expected is None else f" after {expected}") + (f": {figures}" if figures else "")
        case Verdict.JUMPED:
            return f"the loss jumped at the resume: {figures}"
