"""Checks whether a resumed script really continued, by comparing what it prints with what it printed before.

Steps decide; where they are not comparable, epochs do. A loss only confirms or corrects them, and decides alone only if
its level at the checkpoint is far from that of a fresh start. Without enough evidence the verdict is `unknown`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from itertools import pairwise
from typing import Any

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.resume_verdict import ResumeCheck, ResumeVerdict

MIN_POINTS = 3  # points needed to estimate a level
SETTLING_POINTS = 20  # a loss still high after this many points is not just a transient of the resume
_LEVEL_POINTS = 20  # points before the resume that give the loss level
_FALLING_LEVEL_POINTS = 5  # that give it while the loss changes quickly
_UNSUPPORTED_POINTS = 10  # needed for `restarted` by steps alone: a bar may count skipped batches first
_FRESH_SHARE = 0.1  # of the way to the checkpoint: a count that begins below this started over
_LEAP_STRIDES = 5  # logging intervals by which a count cannot advance at once
_PACE_FACTOR = 4.0  # no training is this much faster than before


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class LoggedPoint:
    """The values printed on one line of the log; None for those it did not print. `time` is when it was read.

    `loss` is a score, such as a reward, if the script prints no loss.
    """

    step: int | None = None
    epoch: float | None = None
    loss: float | None = None
    time: float | None = None


Points = Sequence[LoggedPoint]


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class BeforeResume:
    """The run before the resume: its first points, the last ones, and what is known of its checkpoints.

    `saved_step` and `saved_at` belong to the checkpoint that it was resumed from. `save_steps` and `save_seconds` are
    the usual distance between saves. `ended_at` and `resumed_at` are the end of the attempt that printed `last` and the
    start of the resumed one. All are None if unknown; times are wall-clock times.
    """

    first: Points = ()
    last: Points = ()
    saved_step: int | None = None
    saved_at: float | None = None
    save_steps: int | None = None
    save_seconds: float | None = None
    ended_at: float | None = None
    resumed_at: float | None = None


class _Trend(StrEnum):
    CONTINUES = "continues"
    BACK = "back"  # before the checkpoint by more than the distance between two saves
    AT_START = "at start"
    JUMPED = "jumped"
    UNKNOWN = "unknown"


class _LossTrend(StrEnum):
    MATCHES = "matches"  # as at the checkpoint, and clearly not as at the start
    AS_AT_START = "as at start"
    JUMPED = "jumped"
    UNKNOWN = "unknown"
    PENDING = "pending"  # more points are needed


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class _Count:
    """A counter before and after the resume; `points` is the number of different lines after it that had it."""

    name: str
    trend: _Trend = _Trend.UNKNOWN
    expected: float | None = None
    begin: float | None = None
    points: int = 0

    @property
    def fell(self) -> bool:
        return self.trend in (_Trend.AT_START, _Trend.BACK)

    @property
    def is_known(self) -> bool:
        return self.trend is not _Trend.UNKNOWN


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class _Loss:
    trend: _LossTrend = _LossTrend.UNKNOWN
    before: float | None = None
    after: float | None = None
    before_lines: int = 0  # whose median `before` is
    after_of: str = ""  # the lines that `after` is of
    repeats: bool = False  # the first losses of the run are repeated, point by point


def check_resume(
    before: BeforeResume, after: Points, *, attempt: int, metric: str | None, final: bool
) -> ResumeCheck | None:
    """Judges the points since the resume, oldest first; returns None while more points are needed.

    `attempt` is the number of the resumed attempt, `metric` the name of the loss. `final`: no more points will come, so
    there is a verdict in any case.
    """
    steps, epochs = (_judge_count(name, before, after, final=final) for name in ("step", "epoch"))
    # A step that went back within an epoch that continues is counted differently, or its epoch is trained again.
    is_epoch_again = steps.trend is _Trend.BACK and epochs.trend is _Trend.CONTINUES
    count = steps if steps.is_known and not is_epoch_again else epochs
    loss = _judge_loss(_up_to_resume(before.last, count), before.first, after, count, final=final)
    verdict = _verdict(steps, epochs, loss, is_enough=_is_enough(steps, loss, after, final=final))
    if verdict is None:
        if not final:
            return None
        verdict = ResumeVerdict.UNKNOWN
    message = (
        _why_unknown(before, after, epochs if steps.begin is None else steps)
        if verdict is ResumeVerdict.UNKNOWN
        else _message(verdict, count, loss, metric)
    )
    return ResumeCheck(
        verdict=verdict,
        attempt=attempt,
        message=message,
        metric=metric if loss.before is not None else None,
        step_before=None if steps.expected is None else int(steps.expected),
        step_after=None if steps.begin is None else int(steps.begin),
        epoch_before=epochs.expected,
        epoch_after=epochs.begin,
        loss_before=loss.before,
        loss_after=loss.after,
    )


def _verdict(steps: _Count, epochs: _Count, loss: _Loss, *, is_enough: bool) -> ResumeVerdict | None:
    """None if there is none yet."""
    count = steps if steps.is_known else epochs
    if loss.trend is _LossTrend.PENDING and count.trend is not _Trend.JUMPED:
        return None
    if count.trend is _Trend.JUMPED:
        return ResumeVerdict.JUMPED
    if count.fell:
        if steps.fell and epochs.trend is _Trend.CONTINUES:
            # The interrupted epoch is trained again, by steps of the whole training or of this attempt.
            return ResumeVerdict.CONTINUED if steps.trend is _Trend.BACK else ResumeVerdict.RECOUNTED
        if loss.trend is _LossTrend.MATCHES and count.trend is _Trend.AT_START:
            return ResumeVerdict.RECOUNTED
        return ResumeVerdict.RESTARTED if is_enough else None
    if count.trend is _Trend.CONTINUES:
        is_high = loss.trend in (_LossTrend.AS_AT_START, _LossTrend.JUMPED)
        return ResumeVerdict.JUMPED if is_high else ResumeVerdict.CONTINUED
    if count.begin is not None or steps.begin is not None:
        return None  # they neither continue nor restart, and the loss is no better evidence
    if loss.trend is _LossTrend.MATCHES:
        return ResumeVerdict.CONTINUED
    return ResumeVerdict.RESTARTED if loss.repeats else None


def _is_enough(steps: _Count, loss: _Loss, after: Points, *, final: bool) -> bool:
    """Whether a counter that fell shows that the run restarted.

    A bar may show 0 for a moment before it is advanced, or count the batches that are skipped.
    """
    if loss.trend is _LossTrend.AS_AT_START or not steps.is_known:
        return True
    is_loss_missing = loss.before is not None and not _losses(after)
    return steps.points >= (MIN_POINTS if final and not is_loss_missing else _UNSUPPORTED_POINTS)


def _judge_count(name: str, before: BeforeResume, after: Points, *, final: bool) -> _Count:
    """Compares where a counter begins after the resume with where it was at the checkpoint."""
    earlier, points = _with_value(name, before.last), _with_value(name, after)
    start = next((number for _, number in _with_value(name, before.first)), 0.0)
    if not earlier or not points or _starts_again(earlier, start):
        return _Count(name=name, points=_distinct(points))
    seen = max(number for _, number in earlier)
    stride = _stride(earlier)
    rate = _rate(earlier)
    interval = _interval(before, rate, is_step=name == "step")
    expected = _expected(before, earlier, start, slack=max(interval or 0.0, _LEAP_STRIDES * stride), name=name)
    target = seen if expected is None else expected
    floor = target - (interval or 0.0) - (stride if name == "step" else 0.0)
    begin = _settled(points, floor, _LEAP_STRIDES * stride)
    first, number = points[begin]
    highest = max(seen, before.saved_step or 0.0) if name == "step" else seen
    is_rise = number - highest > max(interval or 0.0, _LEAP_STRIDES * stride)
    if number <= start + _FRESH_SHARE * (target - start):
        trend = _Trend.AT_START if target - start >= 2 * stride else _Trend.UNKNOWN
    elif is_rise:
        trend = _judge_rise(number - seen, rate, before, first)
    elif expected is not None and number < floor:
        trend = _Trend.UNKNOWN if interval is None else _Trend.BACK
    else:
        trend = _Trend.CONTINUES
    count = _distinct(points[begin:])
    needed = 1 if final and (trend is _Trend.CONTINUES or first.loss is not None) else 2 if final else MIN_POINTS
    return _Count(
        name=name,
        trend=trend if count >= needed else _Trend.UNKNOWN,
        expected=target,
        begin=number,
        points=count,
    )


def _with_value(name: str, points: Points) -> list[tuple[LoggedPoint, float]]:
    values = ((point, getattr(point, name)) for point in points)
    return [(point, float(value)) for point, value in values if value is not None and math.isfinite(value)]


def _distinct(points: Sequence[tuple[LoggedPoint, float]]) -> int:
    """How many different lines there are: progress bars print the same one repeatedly."""
    return len({(point.step, point.epoch, point.loss) for point, _ in points})


def _starts_again(earlier: Sequence[tuple[LoggedPoint, float]], start: float) -> bool:
    """Whether the counter restarts regularly, like that of the batches of an epoch."""
    half = 0.5 * (max(number for _, number in earlier) - start)
    return any(high - low >= half for (_, high), (_, low) in pairwise(earlier) if low < high)


def _stride(points: Sequence[tuple[LoggedPoint, float]]) -> float:
    strides = [high - low for (_, low), (_, high) in pairwise(points) if high > low]
    return _median(strides) if strides else 1.0


def _rate(points: Sequence[tuple[LoggedPoint, float]]) -> float | None:
    """How much the counter advances in a second; None if all was read at the same time."""
    (first, low), (last, high) = points[0], points[-1]
    if first.time is None or last.time is None or last.time <= first.time or high <= low:
        return None
    return (high - low) / (last.time - first.time)


def _interval(before: BeforeResume, rate: float | None, *, is_step: bool) -> float | None:
    """The distance between two saves, as this counter counts it; at least an epoch. None if it is unknown."""
    by_time = None if before.save_seconds is None or rate is None else before.save_seconds * rate
    if not is_step:
        return max(1.0, by_time or 0.0)
    known = [distance for distance in (before.save_steps, by_time) if distance is not None]
    return max(known, default=None)


def _expected(
    before: BeforeResume, earlier: Sequence[tuple[LoggedPoint, float]], start: float, *, slack: float, name: str
) -> float | None:
    """The counter at the checkpoint, by its step or by the time when it was saved; None if it is unknown."""
    seen = max(number for _, number in earlier)
    saved, at = before.saved_step if name == "step" else None, before.saved_at
    until = [number for point, number in earlier if at is not None and point.time is not None and point.time <= at]
    by_time = until[-1] if until else None
    # A checkpoint's step may be counted in another unit than the printed one.
    is_same_unit = saved is not None and max(start, ((by_time or start) + start) / 2) <= saved <= seen + slack
    return saved if is_same_unit else by_time


def _settled(points: Sequence[tuple[LoggedPoint, float]], floor: float, leap: float) -> int:
    """The index of the first value that counts: a bar may first show less until it is advanced."""
    for index, ((_, low), (_, high)) in enumerate(pairwise(points), start=1):
        if low < floor <= high and high - low > leap:
            return index
    return 0


def _judge_rise(rise: float, rate: float | None, before: BeforeResume, first: LoggedPoint) -> _Trend:
    """Whether a rise is possible in the time since the last point before the resume."""
    last = before.last[-1].time
    if rate is None or first.time is None or before.resumed_at is None or last is None:
        return _Trend.UNKNOWN
    unseen = max(0.0, (before.resumed_at if before.ended_at is None else before.ended_at) - last)
    possible = _PACE_FACTOR * rate * (max(0.0, first.time - before.resumed_at) + unseen)
    return _Trend.JUMPED if rise > possible else _Trend.CONTINUES


def _judge_loss(until: Points, first: Points, after: Points, count: _Count, *, final: bool) -> _Loss:
    """Compares the loss with that `until` the checkpoint and that of a fresh start, whichever of them is higher."""
    earlier, losses, opening = _recent(_losses(until)), _losses(after)[:SETTLING_POINTS], _losses(first)
    if len(earlier) < MIN_POINTS:
        return _Loss()
    level = _median(earlier)
    seen = partial(_Loss, before=level, before_lines=len(earlier))
    undecided = _LossTrend.UNKNOWN if final else _LossTrend.PENDING
    if len(losses) < MIN_POINTS:
        is_awaited = not count.fell or count.points < _UNSUPPORTED_POINTS or bool(losses)
        trend, newest = undecided if is_awaited else _LossTrend.UNKNOWN, losses[-1] if losses else None
        return seen(trend=trend, after=newest, after_of="newest line")
    first_line, first_lines, newest_lines = _named_losses(losses)
    at_first, now = first_lines["after"], newest_lines["after"]
    spread = max(1.4826 * _median([abs(value - level) for value in earlier]), 0.02 * abs(level), 1e-12)
    start = _median(opening[:MIN_POINTS]) if len(opening) >= MIN_POINTS else level
    gap = abs(start - level)
    if gap <= max(6 * spread, 0.15 * max(abs(start), abs(level))):
        # A loss that has not changed since the start looks the same after a restart, so it proves nothing.
        return seen(**(first_line if count.fell else first_lines))
    repeats = _repeats(opening, losses, gap)
    near = 0.25 * gap if count.trend is _Trend.AT_START else min(0.25 * gap, max(2 * spread, 0.1 * gap))
    if abs(at_first - level) <= near and not repeats:
        return seen(trend=_LossTrend.MATCHES, **first_lines)
    as_at_start = abs(at_first - start) <= 0.25 * gap
    if as_at_start and (count.fell or repeats):
        return seen(trend=_LossTrend.AS_AT_START, repeats=repeats, **first_line)
    bound = max(level + max(4 * spread, 0.25 * gap), max(earlier) + 2 * spread)
    if count.fell or start < level or min(at_first, now) <= bound:
        return seen(**(first_line if count.fell else newest_lines))
    if len(losses) < SETTLING_POINTS and not (final and len(losses) >= SETTLING_POINTS // 2):
        return seen(trend=undecided, **newest_lines)
    trend = _LossTrend.AS_AT_START if as_at_start else _LossTrend.JUMPED
    return seen(trend=trend, **(first_lines if as_at_start else newest_lines))


def _named_losses(losses: Sequence[float]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The losses since the resume: the first, the level of the first lines and that of the newest, as in `_Loss`."""
    first, newest = _median(losses[:MIN_POINTS]), _median(losses[-MIN_POINTS:])
    return (
        {"after": losses[0], "after_of": "first line"},
        {"after": first, "after_of": f"median of the first {MIN_POINTS} lines"},
        {"after": newest, "after_of": f"median of the newest {MIN_POINTS} lines"},
    )


def _recent(losses: Sequence[float]) -> Sequence[float]:
    """The last losses that give the level: few if it changes by more than their noise."""
    recent = losses[-_LEVEL_POINTS:]
    if len(recent) < 2 * _FALLING_LEVEL_POINTS:
        return recent
    half = len(recent) // 2
    noise = _median([abs(after - before) for before, after in pairwise(recent)])
    is_level = abs(_median(recent[:half]) - _median(recent[half:])) <= 2 * noise
    return recent if is_level else recent[-_FALLING_LEVEL_POINTS:]


def _repeats(opening: Sequence[float], losses: Sequence[float], gap: float) -> bool:
    """Whether the losses since the resume are those at the start of the run, point by point."""
    pairs = list(zip(opening, losses, strict=False))[:_UNSUPPORTED_POINTS]
    is_curve = len(pairs) >= _UNSUPPORTED_POINTS and abs(pairs[0][0] - pairs[-1][0]) > 0.1 * gap
    return is_curve and all(abs(first - again) <= 0.05 * gap for first, again in pairs)


def _up_to_resume(points: Points, count: _Count) -> Points:
    """The points up to where the run continues, since later ones are repeated; all points if that is not known."""
    if count.expected is None or count.begin is None:
        return points
    until = count.expected if count.trend is not _Trend.CONTINUES else min(count.expected, count.begin)
    values = ((getattr(point, count.name), point) for point in points)
    return [point for value, point in values if value is None or value <= until]


def _losses(points: Points) -> list[float]:
    return [point.loss for point in points if point.loss is not None and math.isfinite(point.loss)]


def _median(values: Sequence[float]) -> float:
    """Avoids `statistics`, whose import takes longer than the whole start of a guardian."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _why_unknown(before: BeforeResume, after: Points, count: _Count) -> str:
    if not _has_figures(after):
        return "no step, epoch or loss was read from its output"
    if not _has_figures(before.last):
        return "nothing to compare with was read before it"
    if count.begin is None or count.expected is None:
        return "it printed no step or epoch of the whole training, and its loss alone is not enough"
    begin, expected = f"{count.begin:.10g}", f"{count.name} {count.expected:.10g}"
    if count.points < MIN_POINTS or count.is_known:
        return f"it printed too little since {expected}"
    if count.begin > count.expected:
        return f"it began at {count.name} {begin}, far beyond {expected}"
    return f"it began at {count.name} {begin}, and its checkpoint is of {expected}"


def _has_figures(points: Points) -> bool:
    return any(point.step is not None or point.epoch is not None or point.loss is not None for point in points)


def _message(verdict: ResumeVerdict, count: _Count, loss: _Loss, metric: str | None) -> str:
    name = "loss" if metric is None or "loss" in metric.lower() else metric
    losses = ""
    if loss.before is not None and loss.after is not None:
        lines = f"({loss.after_of}; before: median of {loss.before_lines} lines)"
        losses = f"{name} {loss.after:.4g}, before {loss.before:.4g} {lines}"
    at = f" at {count.name} {count.begin:.10g}" if count.is_known else ""
    after = f" after {count.expected:.10g}" if count.is_known else ""
    match verdict:
        case ResumeVerdict.CONTINUED:
            return f"continued{at}" + (f", {losses}" if losses else "")
        case ResumeVerdict.RECOUNTED:
            begin = f"{count.name} {count.begin:.10g}"
            return f"continued, but counts from {begin} again" + (f", {losses}" if losses else "")
        case ResumeVerdict.RESTARTED:
            return f"restarted{at}{after}" + (f": {losses}" if losses else "")
        case _ if count.trend is _Trend.JUMPED:
            return f"jumped to {count.name} {count.begin:.10g}{after}, which is not possible in that time"
        case _:
            return f"the {name} jumped at the resume: {losses}"
