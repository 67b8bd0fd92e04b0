"""How a run goes from attempt to attempt: pure steps from one record to the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from backprop_tui.domain.best import joined
from backprop_tui.domain.live import Live
from backprop_tui.domain.retries import Again, NotAgain, decide_retry
from backprop_tui.domain.run import Attempt, Cause, Ended, Gpu, Queued, Run, Starting
from backprop_tui.domain.slices import is_sliced, next_slice, with_savings
from backprop_tui.domain.status import Status, check_transition
from backprop_tui.domain.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one attempt ended, as its guardian saw it."""

    status: Status
    exit_code: int | None = None
    signal: str | None = None
    reason: str | None = None
    cause: Cause | None = None
    is_final: bool = False  # it reached what it was started for, or a person ends it: neither slice nor retry follows


def begin(
    run: Run,
    *,
    now: float,
    boot_id: str,
    gpus: tuple[Gpu, ...] = (),
    vram_claim_bytes: int = 0,
    variables: Mapping[str, str] | None = None,
) -> Run:
    """A queued run, admitted: one more attempt, from the checkpoint its place in the queue names."""
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


def take_back(run: Run, *, now: float, reason: str) -> Run:
    """A `starting` run whose script was never started goes back to its place, as if never admitted."""
    attempt = run.attempt
    state = Queued(since=now, reason=reason, resume_from=attempt.resumed_from, by_request=attempt.by_request)
    return replace(run.to(state), attempts=run.attempts[:-1])


def fold(run: Run, live: Live | None) -> Run:
    """What the live record knows of the newest attempt, written into the run."""
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
        best=joined(run.best, live.best),
        checkpoints=live.checkpoints or run.checkpoints,
        peak=live.peak,
        resume_check=live.resume_check or run.resume_check,
        requests_offset=max(run.requests_offset, live.requests_offset),
    )


def conclude(run: Run, outcome: Outcome, *, now: float, resume_from: str | None) -> Run:
    """The attempt is over: the run ends, or goes back to the queue for a retry or its next slice.

    Args:
        run: The record, with what its live record knew already folded in.
        outcome: How the attempt ended.
        now: Wall time of the end.
        resume_from: The newest sound checkpoint, None when there is none.
    """
    check_transition(run.status, outcome.status)
    attempt = replace(
        run.attempt, ended_at=now, status=outcome.status, exit_code=outcome.exit_code, signal=outcome.signal
    )
    run = with_savings(run.with_attempt(attempt))
    if outcome.status is Status.TIMEBOXED and is_sliced(run.spec) and not outcome.is_final:
        following = next_slice(run, now, resume_from, used_seconds=used_seconds(run))
        if isinstance(following, Run):
            return following
        outcome = replace(outcome, reason="; ".join(filter(None, (outcome.reason, following))))
    return _retry(run, outcome, now, resume_from) or _end(run, outcome, now)


def _end(run: Run, outcome: Outcome, now: float) -> Run:
    again = retry_after(run, outcome)
    reasons = (outcome.reason, again.reason if isinstance(again, NotAgain) else None)
    end = Ended(
        at=now,
        status=outcome.status,
        exit_code=outcome.exit_code,
        signal=outcome.signal,
        reason="; ".join(reason for reason in reasons if reason) or None,
        cause=outcome.cause,
    )
    return run.to(end)


def _retry(run: Run, outcome: Outcome, now: float, resume_from: str | None) -> Run | None:
    again = retry_after(run, outcome)
    if not isinstance(again, Again):
        return None
    reason = f"retry {again.number} of {run.spec.retries}"
    return run.to(Queued(since=now, reason=reason, not_before=now + again.backoff_seconds, resume_from=resume_from))


def retry_after(run: Run, outcome: Outcome) -> Again | NotAgain | None:
    """What follows the end of the newest attempt, which is in the record; None where it was no failure."""
    if outcome.status is not Status.FAILED:
        return None
    again = decide_retry(run.attempts, outcome.cause, run.spec.retries)
    return NotAgain("not tried again: it was to end anyway") if isinstance(again, Again) and outcome.is_final else again


def used_seconds(run: Run) -> float:
    """Running time of all attempts, pauses excluded."""
    return sum(attempt.running_seconds for attempt in run.attempts)


def timebox_seconds(run: Run) -> float | None:
    """The limit of the next or current attempt: the timebox, or what is left of `total_seconds` where that is less."""
    limit, total = run.spec.max_run_seconds, run.spec.total_seconds
    if total is None:
        return limit
    earlier = sum(attempt.running_seconds for attempt in run.attempts if attempt.ended_at is not None)
    left = max(1.0, total - earlier)
    return left if limit is None else min(limit, left)


def resume(run: Run, *, now: float, resume_from: str | None) -> Run:
    """An ended run goes back to the queue, behind the others."""
    queued = Queued(since=now, reason="resumed", resume_from=resume_from, by_request=True)
    return replace(run.to(queued), position=now)
