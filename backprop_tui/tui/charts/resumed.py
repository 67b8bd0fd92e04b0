"""Whether a metric went on after a resume where it was before."""

from __future__ import annotations

from statistics import median

from backprop_tui.domain.attempts import Attempts
from backprop_tui.domain.course import Course
from backprop_tui.domain.sanitize import sanitize
from backprop_tui.plotting.axis import around_restarts
from backprop_tui.plotting.scale import middle_range

_NEAR = 5  # buckets before and after
_JUMP = 0.25  # of the range of the curve


def resume_words(course: Course, attempts: Attempts) -> tuple[str, bool] | None:
    """How often it was resumed and what that did, and whether that is a reason to look; None where it never was."""
    found = around_restarts(course, attempts)
    if not found:
        return None
    low, high = middle_range([one.mean for one in course.buckets])
    times = {1: "once", 2: "twice"}.get(len(found), f"{len(found)} times")
    for place, bucket in reversed(found):
        if bucket.step <= course.buckets[0].step < course.buckets[place - 1].step:
            return f"{times}, began again at step {bucket.step:.0f}", True
        before = median(one.mean for one in course.buckets[max(0, place - _NEAR) : place])
        after = median(one.mean for one in course.buckets[place : place + _NEAR])
        if abs(after - before) > _JUMP * (high - low):
            return f"{times}, {sanitize(course.name)} jumped at step {bucket.step:.0f}", True
    return f"{times}, no jump in {sanitize(course.name)}", False
