"""Pure transitions of a run from attempt to attempt: its end, a retry after a failure, or its next slice.

A run in slices is trained in several timeboxes, each resuming from the last checkpoint; other runs may go between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from backprop_tui.domain.formatting import duration
from backprop_tui.domain.goals import unreported_metric
from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.live import Live
from backprop_tui.domain.objective import merge_best
from backprop_tui.domain.run import Attempt, Cause, Ended, Gpu, Queued, Run, Spec, Starting
from backprop_tui.domain.status import Status, check_transition

MIN_SLICE_SHARE = 0.05  # of a timebox: a shorter rest of the total is not worth a start
SHARED_ONLY = "no checkpoint that is certainly its own; choose with resume --resume-from PATH"
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
        ended = _ended_slices(run)
        is_unfinished = not run.attempts or run.attempt.ended_at is None or isinstance(run.state, Queued)
        return SliceNumber(number=max(1, ended + is_unfinished), of=None)
    slices = max(1, -(-int(total) // max(1, int(limit))))
    return SliceNumber(number=min(slices, int(earlier // limit) + 1), of=slices)


def _ended_slices(run: Run) -> int:
    return sum(attempt.status is Status.TIMEBOXED for attempt in run.attempts if attempt.ended_at is not None)


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


def next_slice(
    run: Run, now: float, resume_from: str | None, *, used_seconds: float, advice: str | None = None
) -> Run | str:
    """Queues a sliced run behind the others for its next slice, or returns the reason why it ends here."""
    total = run.spec.total_seconds
    if total is not None and total - used_seconds <= MIN_SLICE_SHARE * (run.spec.max_run_seconds or 0.0):
        return f"its total of {duration(total)} is used up"
    check = run.resume_check
    if check is not None and check.is_doubtful and check.attempt == run.attempt.number:
        return f"slice {_ended_slices(run)} {check.message}"
    if resume_from is None:
        return advice or ("no intact checkpoint to resume from" if run.shared_directory is None else SHARED_ONLY)
    if _idle_slices(run.attempts) >= MAX_IDLE_SLICES:
        return f"{MAX_IDLE_SLICES} slices in a row saved nothing new; try a longer timebox (-m)"
    unreported = unreported_metric(run.spec.until, run.metrics)
    reason = "next slice" if unreported is None else f"next slice; {unreported}"
    return replace(run.to(Queued(since=now, reason=reason, resume_from=resume_from)), position=now)


def _idle_slices(attempts: tuple[Attempt, ...]) -> int:
    """Counts the newest attempts in a row that ended at their timebox, or early, without saving anything new."""
    count = 0
    for attempt in reversed(attempts):
        if attempt.status not in (Status.TIMEBOXED, *_INTERRUPTED) or attempt.saved_new is not False:
            break
        count += 1
    return count


BACKOFF_SECONDS = 5.0
MAX_BACKOFF_SECONDS = 300.0
QUICK_SECONDS = 10.0  # of running time: a script that fails so soon has done no work
MAX_QUICK_FAILURES = 2
_INTERRUPTED = (Status.LOST, Status.STOPPED)  # of attempts that another one followed without a request


@lazy_dataclass(frozen=True, slots=True)
class Retry:
    """Retry after a delay; `number` counts the retries from 1."""

    number: int
    backoff_seconds: float


@lazy_dataclass(frozen=True, slots=True)
class NoRetry:
    """No retry although retries are left, and why."""

    reason: str


def decide_retry(attempts: Sequence[Attempt], cause: Cause | None, retries: int) -> Retry | NoRetry | None:
    """Decides what follows the failure of the last attempt; returns None if no retry is left or none was requested.

    A failure whose cause is unknown may be retried.
    """
    failures = _count_newest(attempts, (Status.FAILED, *_INTERRUPTED), lambda _: True)
    if failures > retries:
        return None
    if cause is not None and not cause.retryable:
        return NoRetry(f"not retried: {cause.kind.replace('_', ' ')} would happen again")
    quick = _count_newest(attempts, (Status.FAILED,), lambda attempt: attempt.running_seconds < QUICK_SECONDS)
    if quick >= MAX_QUICK_FAILURES:
        return NoRetry(f"not retried: it failed within {duration(QUICK_SECONDS)} twice")
    return Retry(failures, min(BACKOFF_SECONDS * 2.0 ** min(failures - 1, 16), MAX_BACKOFF_SECONDS))


def _count_newest(attempts: Sequence[Attempt], statuses: tuple[Status, ...], matches: Callable[[Attempt], bool]) -> int:
    """Counts attempts in a row that ended so and match, newest first, back to the last that the user requested.

    An attempt that refused an option that this program added does not count.
    """
    count = 0
    for attempt in reversed(attempts):
        if attempt.refused_option is not None:
            continue
        if attempt.status not in statuses or not matches(attempt):
            break
        count += 1
        if attempt.by_request:
            break
    return count


@lazy_dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    status: Status
    exit_code: int | None = None
    signal: str | None = None
    reason: str | None = None
    cause: Cause | None = None
    is_final: bool = False  # it reached its goal or a person stopped it: no slice or retry follows
    refused_option: str | None = None  # added by this program, and the script refused it

    @property
    def is_interruption(self) -> bool:
        """Whether the attempt ended because the session or the machine did."""
        from backprop_tui.domain.causes.cause import INTERRUPTIONS  # a submission does not need it

        return self.status in _INTERRUPTED and self.cause is not None and self.cause.kind in INTERRUPTIONS


def begin_attempt(
    run: Run,
    *,
    now: float,
    boot_id: str,
    pid_namespace: int | None = None,
    gpus: tuple[Gpu, ...] = (),
    vram_claim_bytes: int = 0,
    variables: Mapping[str, str] | None = None,
) -> Run:
    """Starts a new attempt of an admitted run, from the checkpoint that its queued state names."""
    queued = run.state if isinstance(run.state, Queued) else None
    attempt = Attempt(
        number=len(run.attempts) + 1,
        started_at=now,
        boot_id=boot_id,
        pid_namespace=pid_namespace,
        resumed_from=None if queued is None else queued.resume_from,
        by_request=queued is not None and queued.by_request,
        gpus=gpus,
        vram_claim_bytes=vram_claim_bytes,
        variables=variables or {},
    )
    return run.with_attempt(attempt).to(Starting(since=now))


def requeue_unstarted(run: Run, *, now: float, reason: str) -> Run:
    """Puts a `starting` run whose script was never started back in the queue, as if it had not been admitted."""
    attempt = run.attempt
    state = Queued(since=now, reason=reason, resume_from=attempt.resumed_from, by_request=attempt.by_request)
    return replace(run.to(state), attempts=run.attempts[:-1])


def merge_live(run: Run, live: Live | None) -> Run:
    """Merges the live record of the newest attempt into the run; a record of another attempt is ignored."""
    if live is None or not run.attempts or live.attempt != run.attempt.number:
        return run
    attempt = replace(
        run.attempt,
        running_seconds=live.clock.running_seconds,
        paused_seconds=live.clock.paused_seconds,
        log_offset=live.attempt_log_offset,
    )
    if live.own_log is not None and live.own_log.attempt == attempt.number:
        attempt = replace(attempt, output_path=live.own_log.path, output_problem=live.own_log.problem)
    return replace(
        run.with_attempt(attempt),
        step=live.step if live.step is not None else run.step,
        total_steps=live.total_steps if live.total_steps is not None else run.total_steps,
        epoch=live.epoch if live.epoch is not None else run.epoch,
        total_epochs=live.total_epochs if live.total_epochs is not None else run.total_epochs,
        eta_seconds=live.eta_seconds,
        metrics={**run.metrics, **live.metrics},
        best=merge_best(run.best, live.best, live.curves, run.spec.objective),
        checkpoints=live.checkpoints or run.checkpoints,
        shared_directory=live.shared_directory or (None if live.checkpoints else run.shared_directory),
        peak=live.peak,
        resume_check=live.resume_check or run.resume_check,
        requests_offset=max(run.requests_offset, live.requests_offset),
    )


def finish_attempt(
    run: Run, outcome: Outcome, *, now: float, resume_from: str | None, advice: str | None = None
) -> Run:
    """Finishes an attempt: the run ends, or goes back to the queue for a retry or its next slice.

    The live record must have been merged into `run`. `resume_from` is the newest intact checkpoint. `advice` says why
    a person has to choose one: then there is no retry and no further slice.
    """
    check_transition(run.status, outcome.status)
    attempt = replace(
        run.attempt,
        ended_at=now,
        status=outcome.status,
        exit_code=outcome.exit_code,
        signal=outcome.signal,
        refused_option=outcome.refused_option,
        cause=outcome.cause,
    )
    run = with_saved_step(run.with_attempt(attempt))
    refused, earlier = outcome.refused_option, run.spec.refused_options
    if refused is not None and refused not in earlier:
        run = replace(run, spec=replace(run.spec, refused_options=(*earlier, refused)))
        if not outcome.is_final:
            return run.to(_again_without(refused, attempt, now))
    ends_slice = outcome.status is Status.TIMEBOXED or outcome.is_interruption
    if ends_slice and is_sliced(run.spec) and not outcome.is_final:
        queued = next_slice(run, now, resume_from, used_seconds=used_seconds(run), advice=advice)
        if isinstance(queued, Run):
            return queued
        outcome = replace(outcome, reason="; ".join(filter(None, (outcome.reason, queued))))
    decision = retry_decision(run, outcome)
    if isinstance(decision, Retry) and advice is not None:
        decision = NoRetry(f"not retried: {advice}")
    if isinstance(decision, Retry):
        reason = f"retry {decision.number} of {run.spec.retries}"
        not_before = now + decision.backoff_seconds
        return run.to(Queued(since=now, reason=reason, not_before=not_before, resume_from=resume_from))
    return run.to(_end(outcome, now, None if decision is None else decision.reason))


def _end(outcome: Outcome, now: float, not_retried: str | None) -> Ended:
    return Ended(
        at=now,
        status=outcome.status,
        exit_code=outcome.exit_code,
        signal=outcome.signal,
        reason="; ".join(filter(None, (outcome.reason, not_retried))) or None,
        cause=outcome.cause,
    )


def _again_without(option: str, attempt: Attempt, now: float) -> Queued:
    reason = f"again without {option}, which the script does not accept"
    return Queued(since=now, reason=reason, resume_from=attempt.resumed_from, by_request=attempt.by_request)


def retry_decision(run: Run, outcome: Outcome) -> Retry | NoRetry | None:
    """Decides whether to retry after the newest attempt, whose end is in the record; None if nothing went wrong."""
    if outcome.refused_option is not None or not (outcome.status is Status.FAILED or outcome.is_interruption):
        return None
    decision = decide_retry(run.attempts, outcome.cause, run.spec.retries)
    if isinstance(decision, Retry) and outcome.is_final:
        return NoRetry("not retried: it was about to end anyway")
    return decision


def used_seconds(run: Run) -> float:
    """Total running time of all attempts, without pauses."""
    return sum(attempt.running_seconds for attempt in run.attempts)


def timebox_seconds(run: Run) -> float | None:
    """Time limit of the current or next attempt: the timebox, or the rest of `total_seconds` if that is less."""
    limit, total = run.spec.max_run_seconds, run.spec.total_seconds
    if total is None:
        return limit
    earlier = sum(attempt.running_seconds for attempt in run.attempts if attempt.ended_at is not None)
    remaining = max(1.0, total - earlier)
    return remaining if limit is None else min(limit, remaining)


def requeue_ended(run: Run, *, now: float, resume_from: str | None) -> Run:
    queued = Queued(since=now, reason="resumed", resume_from=resume_from, by_request=True)
    return replace(run.to(queued), position=now)
