"""Finalizes an attempt: determines the outcome and its cause, and writes the end until it is on disk."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from backprop_tui.checkpoints.choice import Choice, choose, choose_without_disk
from backprop_tui.domain.causes.cause import build_cause, cause_of_recorded_stop
from backprop_tui.domain.causes.interpreters import cause_of_failed_start
from backprop_tui.domain.causes.registry import cause_of_failure, cause_of_loss
from backprop_tui.domain.errors import StorageFailed
from backprop_tui.domain.invocation import added_options
from backprop_tui.domain.lifecycle import NoRetry, Outcome, finish_attempt, merge_live, retry_decision
from backprop_tui.domain.live import Live, Stopping
from backprop_tui.domain.refusals import explain_refusal
from backprop_tui.domain.run import Cause, Ended, Queued, Run
from backprop_tui.domain.status import Status
from backprop_tui.processes.hanging_call import call_within
from backprop_tui.runner.failure_context import FailureContext, first_line
from backprop_tui.runner.recorder import Recorder
from backprop_tui.runner.script import CannotStart, Exit
from backprop_tui.store.run_directory import RunDirectory

WRITE_AGAIN_SECONDS = 1.0
CHECKPOINT_SECONDS = 5.0
CAUSE_SECONDS = 10.0


def outcome_of(
    exit_: Exit, stopping: Stopping | None, context: FailureContext, leftovers: str | None = None
) -> Outcome:
    """The outcome of an attempt: lost if no process saw its exit status.

    While we are stopping a script its end is never a failure, whatever it exits with. `leftovers` says how leftover
    processes ended, or that they are left.
    """
    signal_name = None if exit_.signal is None else signal_name_of(exit_.signal)
    if stopping is not None:
        # A goal that was reached while the timebox stopped the script is why no other slice follows.
        reached = context.live.reached if stopping.status is Status.TIMEBOXED else None
        return Outcome(
            status=stopping.status,
            exit_code=exit_.code,
            signal=signal_name,
            reason="; ".join(filter(None, (reached or stopping.reason, leftovers))),
            cause=cause_of_recorded_stop(stopping),
            is_final=context.live.is_final,
        )
    if not exit_.is_known:
        reason = "ended, and its exit status is unknown"
        cause = _find_cause(lambda: cause_of_loss(reason, context.clues(exit_code=None, signal=None)), reason)
        return Outcome(status=Status.LOST, reason=reason, cause=cause)
    if exit_.code == 0:
        return Outcome(status=Status.COMPLETED, exit_code=0, reason=leftovers)
    summary = f"exit code {exit_.code}" if signal_name is None else f"killed by {signal_name}"
    cause = _find_cause(lambda: cause_of_failure(context.clues(exit_code=exit_.code, signal=signal_name)), summary)
    return Outcome(
        status=Status.FAILED,
        exit_code=exit_.code,
        signal=signal_name,
        reason="; ".join(filter(None, (cause.summary, leftovers))),
        cause=cause,
        is_final=context.live.is_final,
    )


def _find_cause(find: Callable[[], Cause], summary: str) -> Cause:
    """Searches for the cause in a thread: a file system that hangs or an error in the search must not lose the end."""
    return call_within(CAUSE_SECONDS, find) or build_cause(
        "unknown", evidence=summary, summary=summary, advice="read the end of the log", retryable=True
    )


def with_refused_option(outcome: Outcome, context: FailureContext) -> Outcome:
    """The outcome, with that cause if the script refused an option that this program added."""
    options = added_options(context.run)
    if outcome.status is not Status.FAILED or outcome.signal is not None or not options:
        return outcome

    def explain() -> Outcome:
        clues = context.clues(exit_code=outcome.exit_code, signal=None)
        return explain_refusal(outcome, clues.lines, options)

    return call_within(CAUSE_SECONDS, explain) or outcome


def outcome_of_failed_start(failure: CannotStart, cwd: str) -> Outcome:
    # In a thread: its file system may hang.
    line = call_within(CAUSE_SECONDS, partial(first_line, os.path.join(cwd, failure.path)))
    cause = cause_of_failed_start(failure.path, failure.problem, not_found=failure.not_found, first_line=line)
    return Outcome(status=Status.FAILED, reason=cause.summary, cause=cause)


def signal_name_of(number: int) -> str:
    """SIGKILL for 9; real-time signals by number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def write_end(directory: RunDirectory, run: Run, live: Live, outcome: Outcome, recorder: Recorder) -> Run:
    """Writes the end durably; retries while the disk is full, since no end may be lost, unless the run was removed."""
    run = merge_live(run, live)
    choice = None
    if run.checkpoints:  # in a thread: a file system that hangs must not delay the end
        choice = call_within(CHECKPOINT_SECONDS, partial(choose, run.checkpoints))
    choice = choice or choose_without_disk(run.checkpoints)
    run = replace(run, checkpoints=choice.judged)
    while True:
        now = time.time()
        concluded = finish_attempt(run, outcome, now=now, resume_from=choice.path, advice=choice.advice())
        try:
            directory.write(concluded, durable=True)
        except StorageFailed as error:
            if not os.path.isdir(directory.path):
                raise  # the run was removed: there is no record to write any more
            recorder.change(problem=f"cannot write the end of the run: {error}")
            time.sleep(WRITE_AGAIN_SECONDS)
            continue
        _record_end_events(recorder, concluded, outcome, choice)
        return concluded


def _record_end_events(recorder: Recorder, run: Run, outcome: Outcome, choice: Choice) -> None:
    recorder.record_event(
        "ended" if isinstance(run.state, Ended) else "attempt_ended",
        outcome.reason or outcome.status,
        status=outcome.status,
        exit_code=outcome.exit_code,
        signal=outcome.signal,
    )
    if outcome.refused_option is not None and outcome.cause is not None:
        recorder.record_event("refused_option", f"{outcome.cause.summary}; {outcome.cause.advice}")
    retry = retry_decision(run, outcome)
    if isinstance(retry, NoRetry):
        recorder.record_event("not_retried", retry.reason)
    if isinstance(run.state, Queued):
        recorder.record_event("queued", f"{run.state.reason or 'queued again'}{choice.message()}")
