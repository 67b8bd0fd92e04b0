"""Slices: a run trained in timeboxes, each gone on from the last checkpoint, with the others having turns between."""

from __future__ import annotations

from dataclasses import replace

from backprop_tui.domain.formatting import minutes
from backprop_tui.domain.run import Attempt, Queued, Run, Spec
from backprop_tui.domain.status import Status
from backprop_tui.domain.until import never_told
from backprop_tui.domain.values import dataclass

SHORTEST_SHARE = 0.05  # of a timebox: what is left of the total and shorter only starts and ends
MOST_IDLE_SLICES = 2  # in a row, after which it is no use


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceNumber:
    """Which slice of how many, counted from 1; `of` None where nobody knows how many it takes."""

    number: int
    of: int | None

    def __str__(self) -> str:
        return str(self.number) if self.of is None else f"{self.number}/{self.of}"


def is_sliced(spec: Spec) -> bool:
    """Whether a run goes on after its timebox: up to a time in all, or until it reaches something."""
    return spec.total_seconds is not None or bool(spec.until)


def slice_number(run: Run) -> SliceNumber | None:
    """Which slice the current or next attempt is; None for a run that is not trained in slices."""
    total, limit = run.spec.total_seconds, run.spec.max_run_seconds
    if not is_sliced(run.spec) or not limit:
        return None
    earlier = sum(attempt.running_seconds for attempt in run.attempts if attempt.ended_at is not None)
    if total is None:
        ended = sum(attempt.status is Status.TIMEBOXED for attempt in run.attempts if attempt.ended_at is not None)
        goes_on = not run.attempts or run.attempt.ended_at is None or isinstance(run.state, Queued)
        return SliceNumber(number=max(1, ended + goes_on), of=None)
    slices = max(1, -(-int(total) // max(1, int(limit))))
    return SliceNumber(number=min(slices, int(earlier // limit) + 1), of=slices)


def with_savings(run: Run) -> Run:
    """The run whose newest attempt is over, with what that attempt saved: whether it was something new."""
    attempt = run.attempt
    saved = [one for one in run.checkpoints if one.saved_at >= attempt.started_at and one.sound is not False]
    saved_step = max((one.step for one in saved if one.step is not None), default=None)
    before = run.attempts[-2].saved_step if len(run.attempts) > 1 else None
    # A script that does not resume saves its first steps in each slice, for ever.
    is_new = bool(saved) and (saved_step is None or before is None or saved_step > before)
    return run.with_attempt(replace(attempt, saved_step=before if saved_step is None else saved_step, saved_new=is_new))


def next_slice(run: Run, now: float, resume_from: str | None, *, used_seconds: float) -> Run | str:
    """A sliced run at the end of a timebox: queued again behind the others, or why it ends here."""
    total = run.spec.total_seconds
    if total is not None and total - used_seconds <= SHORTEST_SHARE * (run.spec.max_run_seconds or 0.0):
        return f"its {minutes(total)} minutes in all are used"
    if resume_from is None:
        return "no sound checkpoint to go on from"
    if _idle_slices(run.attempts) >= MOST_IDLE_SLICES:
        return f"{MOST_IDLE_SLICES} slices in a row saved nothing new; a longer timebox (-m) may let one get to a save"
    doubt = never_told(run.spec.until, run.metrics)
    reason = "next slice" if doubt is None else f"next slice; {doubt}"
    return replace(run.to(Queued(since=now, reason=reason, resume_from=resume_from)), position=now)


def _idle_slices(attempts: tuple[Attempt, ...]) -> int:
    """How many of the newest attempts ended at their timebox without having saved anything new."""
    count = 0
    for attempt in reversed(attempts):
        if attempt.status is not Status.TIMEBOXED or attempt.saved_new is not False:
            break
        count += 1
    return count
