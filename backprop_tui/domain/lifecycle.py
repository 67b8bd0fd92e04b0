"""Pure transitions of a run from attempt to attempt, and whether a failed attempt is retried."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from backprop_tui.domain.lazy_dataclass import lazy_dataclass
from backprop_tui.domain.live import Live
from backprop_tui.domain.metric_series import merge_best
from backprop_tui.domain.run import Attempt, Cause, Ended, Gpu, Queued, Run, Starting
from backprop_tui.domain.slices import is_sliced, next_slice, with_saved_step
from backprop_tui.domain.status import Status, check_transition

BACKOFF_SECONDS = 5.0
LONGEST_BACKOFF_SECONDS = 300.0
QUICK_SECONDS = 10.0  # of running time: a script that fails so soon has done no work
MAX_QUICK_FAILURES = 2


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
    failures = _count_newest_failures(attempts, lambda _: True)
    if failures > retries:
        return None
    if cause is not None and not cause.retryable:
        return NoRetry(f"not retried: {cause.kind.replace('_', ' ')} would happen again")
    if _count_newest_failures(attempts, lambda attempt: attempt.running_seconds < QUICK_SECONDS) >= MAX_QUICK_FAILURES:
        return NoRetry(f"not retried: it failed within {QUICK_SECONDS:.0f} s twice")
    return Retry(failures, min(BACKOFF_SECONDS * 2.0 ** min(failures - 1, 16), LONGEST_BACKOFF_SECONDS))


def _count_newest_failures(attempts: Sequence[Attempt], matches: Callable[[Attempt], bool]) -> int:
    """Counts matching failures in a row, newest first, back to the last attempt that the user requested."""
    count = 0
    for attempt in reversed(attempts):
        if attempt.status is not Status.FAILED or not matches(attempt):
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


def begin_attempt(
    run: Run,
    *,
    now: float,
    boot_id: str,
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
    attempt = replace(run.attempt, running_seconds=live.clock.running_seconds, paused_seconds=live.clock.paused_seconds)
    return replace(
        run.with_attempt(attempt),
        step=live.step if live.step is not None else run.step,
        total_steps=live.total_steps if live.total_steps is not None else run.total_steps,
        epoch=live.epoch if live.epoch is not None else run.epoch,
        total_epochs=live.total_epochs if live.total_epochs is not None else run.total_epochs,
        eta_seconds=live.eta_seconds,
        metrics={**run.metrics, **live.metrics},
        best=merge_best(run.best, live.best),
        checkpoints=live.checkpoints or run.checkpoints,
        peak=live.peak,
        resume_check=live.resume_check or run.resume_check,
        requests_offset=max(run.requests_offset, live.requests_offset),
    )


def finish_attempt(run: Run, outcome: Outcome, *, now: float, resume_from: str | None) -> Run:
    """Finishes an attempt: the run ends, or goes back to the queue for a retry or its next slice.

    The live record must have been merged into `run`. `resume_from` is the newest sound checkpoint.
    """
    check_transition(run.status, outcome.status)
    attempt = replace(
        run.attempt, ended_at=now, status=outcome.status, exit_code=outcome.exit_code, signal=outcome.signal
    )
    run = with_saved_step(run.with_attempt(attempt))
    if outcome.status is Status.TIMEBOXED and is_sliced(run.spec) and not outcome.is_final:
        queued = next_slice(run, now, resume_from, used_seconds=used_seconds(run))
        if isinstance(queued, Run):
            return queued
        outcome = replace(outcome, reason="; ".join(filter(None, (outcome.reason, queued))))
    decision = retry_decision(run, outcome)
    if isinstance(decision, Retry):
        reason = f"retry {decision.number} of {run.spec.retries}"
        not_before = now + decision.backoff_seconds
        return run.to(Queued(since=now, reason=reason, not_before=not_before, resume_from=resume_from))
    reasons = (outcome.reason, None if decision is None else decision.reason)
    end = Ended(
        at=now,
        status=outcome.status,
        exit_code=outcome.exit_code,
        signal=outcome.signal,
        reason="; ".join(reason for reason in reasons if reason) or None,
        cause=outcome.cause,
    )
    return run.to(end)


def retry_decision(run: Run, outcome: Outcome) -> Retry | NoRetry | None:
    """Decides whether to retry after the newest attempt, whose end is in the record; None if it did not fail."""
    if outcome.status is not Status.FAILED:
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
    """Queues an ended run again, behind the others."""
    queued = Queued(since=now, reason="resumed", resume_from=resume_from, by_request=True)
    return replace(run.to(queued), position=now)
