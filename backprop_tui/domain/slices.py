"""Slices: a run is trained in several timeboxes, each resuming from the last checkpoint; other runs may go between."""

from __future__ import annotations

from dataclasses import replace

from backprop_tui.domain.formatting import minutes
from backprop_tui.domain.goals import unreported_metric
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.run import Attempt, Queued, Run, Spec
from backprop_tui.domain.status import Status

MIN_SLICE_SHARE = 0.05  # of a timebox: a shorter rest of the total is not worth a start
MAX_IDLE_SLICES = 2  # slices in a row without a new checkpoint


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class SliceNumber:
    """The number of a slice, counted from 1; `of` is the total, None if it is unknown."""

    number: int
    of: int | None

    def __str__(self) -> str:
        return str(self.number) if self.of is None else f"{self.number}/{self.of}"


def is_sliced(spec: Spec) -> bool:
    """Whether a run continues after its timebox, up to a total time or until it reaches a goal."""
    return spec.total_seconds is not None or bool(spec.until)


def slice_number(run: Run) -> SliceNumber | None:
    """Returns the slice of the current or next attempt; None for a run that is not trained in slices."""
    total, limit = run.spec.total_seconds, run.spec.max_run_seconds
    if not is_sliced(run.spec) or not limit:
        return None
    earlier = sum(attempt.running_seconds for attempt in run.attempts if attempt.ended_at is not None)
    if total is None:
        ended = sum(attempt.status is Status.TIMEBOXED for attempt in run.attempts if attempt.ended_at is not None)
        is_unfinished = not run.attempts or run.attempt.ended_at is None or isinstance(run.state, Queued)
        return SliceNumber(number=max(1, ended + is_unfinished), of=None)
    slices = max(1, -(-int(total) // max(1, int(limit))))
    return SliceNumber(number=min(slices, int(earlier // limit) + 1), of=slices)


def with_saved_step(run: Run) -> Run:
    """Records in the newest attempt, which has ended, the step that it saved and whether that is new."""
    attempt = run.attempt
    saved = [
        checkpoint
        for checkpoint in run.checkpoints
        if checkpoint.saved_at >= attempt.started_at and checkpoint.sound is not False
    ]
    saved_step = max((checkpoint.step for checkpoint in saved if checkpoint.step is not None), default=None)
    before = run.attempts[-2].saved_step if len(run.attempts) > 1 else None
    # A script that does not resume would save the same first steps in every slice, forever.
    is_new = bool(saved) and (saved_step is None or before is None or saved_step > before)
    return run.with_attempt(replace(attempt, saved_step=before if saved_step is None else saved_step, saved_new=is_new))


def next_slice(run: Run, now: float, resume_from: str | None, *, used_seconds: float) -> Run | str:
    """Queues a sliced run behind the others for its next slice, or returns the reason why it ends here."""
    total = run.spec.total_seconds
    if total is not None and total - used_seconds <= MIN_SLICE_SHARE * (run.spec.max_run_seconds or 0.0):
        return f"its total of {minutes(total)} minutes is used up"
    if resume_from is None:
        return "no sound checkpoint to resume from"
    if _idle_slices(run.attempts) >= MAX_IDLE_SLICES:
        return f"{MAX_IDLE_SLICES} slices in a row saved nothing new; try a longer timebox (-m)"
    unreported = unreported_metric(run.spec.until, run.metrics)
    reason = "next slice" if unreported is None else f"next slice; {unreported}"
    return replace(run.to(Queued(since=now, reason=reason, resume_from=resume_from)), position=now)


def _idle_slices(attempts: tuple[Attempt, ...]) -> int:
    """Counts the newest attempts in a row that ended at their timebox without saving anything new."""
    count = 0
    for attempt in reversed(attempts):
        if attempt.status is not Status.TIMEBOXED or attempt.saved_new is not False:
            break
        count += 1
    return count
